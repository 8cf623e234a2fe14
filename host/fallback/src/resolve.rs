//! How unsaved changes of one ticket get home: what to send next, and what an answer means. Pure.
//!
//! One change at a time is on its way. One that was not answered is sent again as it was before anything else, for
//! it may land at any time; its answer settles it.
//!
//! | the primary has | then |
//! |---|---|
//! | the base, or an unanswered write of ours | go on from there |
//! | the content of either with another deadline | go on from there |
//! | something that goes on from our unanswered write, or has its messages at another place | merge, from that write |
//! | the same messages as ours at their place, and ours was refused when it was first sent | merge, from the base with those messages |
//! | another content of the same life | merge, from the base; what was sent before is counted once if it came back |
//! | an older state, after it lost data | merge, from where both parted |
//! | nothing, past the deadline of what it had | it expired for want of us: make it again |
//! | nothing, after it lost data | make it again |
//! | nothing, before that | closed or evicted elsewhere: ours becomes a branch |
//! | another life, or a ticket of an id that was new here | theirs stays, ours becomes a branch |
//! | anything of a life that was closed here | the close wins; what it had not seen becomes a branch |
//! | what is no entry | it stays, ours becomes a branch |

use super::merge_base;
use super::record::{AckedState, InFlight, LastAck, Pending, Record, incarnation, same_content};
use crate::merge::{Merged, Side, State};
use ticket_store::Answer;
use ticket_store::deadline::{TTL_MS_MAX, is_over};
use ticket_store::{Condition, Entry};

/// How far the deadline moves of a state that is merged, or written back for another host: it is the identity of a
/// state, and one that another host named itself shall rarely be met.
const STEP_MS_MAX: u64 = 63;

/// What to do next about a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this if the condition holds; `repeated` where it was sent before.
    Send { change: InFlight, when: Condition, repeated: bool },
    /// Nothing more: the primary has what it should.
    Done,
}

/// A state that finds no place in its ticket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConflictCopy {
    pub(super) entry: Entry,
    pub(super) why: ConflictReason,
}

/// Why a state is kept aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConflictReason {
    GoneElsewhere,
    AnotherIncarnation,
    CreatedTwice,
    ClosedHere,
    NotMixed,
    Unmergeable,
    Damage,
}

impl ConflictReason {
    /// For people and programs.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::GoneElsewhere => "the ticket was closed or evicted elsewhere",
            Self::AnotherIncarnation => "another ticket of this id was made elsewhere",
            Self::CreatedTwice => "the ticket was created here and elsewhere",
            Self::ClosedHere => "the ticket was changed elsewhere and closed here",
            Self::NotMixed => "it was changed here and elsewhere in ways that do not mix",
            Self::Unmergeable => "it was changed elsewhere into what cannot be merged",
            Self::Damage => "the store has something there that is no ticket",
        }
    }
}

/// A record after an answer, and what comes of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) record: Record,
    pub(super) conflict_copy: Option<ConflictCopy>,
    /// What the primary has and must be merged with, from the record's base.
    pub(super) merge_with: Option<Entry>,
}

impl From<Record> for Resolved {
    fn from(record: Record) -> Self {
        Self { record, conflict_copy: None, merge_with: None }
    }
}

/// What to do next.
pub(super) fn plan(record: &Record, now_ms: u64) -> Step {
    let Some(pending) = &record.pending else { return Step::Done };
    let when = pending.base.as_ref().map_or(Condition::Absent, |base| Condition::At(base.revision.clone()));
    if let Some(sent) = &pending.in_flight {
        return Step::Send { change: sent.clone(), when, repeated: true };
    }
    let base = pending.base.as_ref().filter(|base| !is_over(base.expires_at_ms, now_ms));
    match (record.alive(now_ms), base) {
        (None, None) => Step::Done,
        (None, Some(_)) => Step::Send { change: InFlight::Removal, when, repeated: false },
        (Some(local), Some(base)) if local == base => Step::Done,
        (Some(local), _) => Step::Send { change: InFlight::Write(local.clone()), when, repeated: false },
    }
}

/// The record with a change on its way.
pub(super) fn sending(mut record: Record, change: &InFlight) -> Record {
    if let Some(pending) = &mut record.pending {
        pending.in_flight = Some(change.clone());
    }
    record
}

/// The record that needs nothing more. What is home by now counts as acknowledged now, also where it was found there
/// and not answered for.
pub(super) fn done(record: Record, now_ms: u64) -> Record {
    let local = record.alive(now_ms).cloned();
    let made = match (&local, record.pending.as_ref().and_then(|pending| pending.closed_incarnation.clone())) {
        // Whose state it is cannot be told: by a revision that none has, it is taken for another's.
        (Some(local), _) => AckedState::State(without_deadline(local).revision),
        (None, Some(life)) => AckedState::End(life),
        (None, None) => return Record::saved(local, record.last_ack, now_ms),
    };
    let answered = record.last_ack.as_ref().is_some_and(|last_ack| match (&last_ack.acked, &local) {
        (AckedState::State(revision), Some(local)) => *revision == local.revision,
        (answered, _) => *answered == made,
    });
    let found = LastAck { at_ms: now_ms, acked: made, is_proof: false };
    Record::saved(local, if answered { record.last_ack } else { Some(found) }, now_ms)
}

/// What the answer to the change on its way means.
pub(super) fn resolve(record: Record, answer: Answer, repeated: bool, now_ms: u64) -> Resolved {
    let Some(Pending { base, in_flight: Some(sent), unconfirmed, closed_incarnation, since_ms, lost }) =
        record.pending.clone()
    else {
        return record.into();
    };
    let go_on = |base: Option<Entry>, closed_incarnation: Option<String>| Record {
        pending: Some(Pending {
            base,
            in_flight: None,
            unconfirmed: unconfirmed.clone(),
            closed_incarnation,
            since_ms,
            lost,
        }),
        ..record.clone()
    };
    match (answer, &sent) {
        (Answer::Written { expires_at_ms, now_ms, revision }, InFlight::Write(entry)) => {
            let is_proof = !repeated && !lost && base.as_ref().is_none_or(|base| !same_content(base, entry));
            let last_ack = Some(LastAck { at_ms: now_ms, acked: AckedState::State(revision), is_proof });
            let written = Entry::new(entry.fields.clone(), expires_at_ms);
            // What was closed is overwritten, unless it is this.
            let closed_incarnation = if record.local.is_some() { None } else { closed_incarnation };
            let pending = Pending {
                base: Some(written),
                in_flight: None,
                unconfirmed: None,
                closed_incarnation,
                since_ms,
                lost: false,
            };
            Record { last_ack, pending: Some(pending), ..record }.into()
        }
        (Answer::Removed, _) => {
            let is_proof = !repeated && !lost;
            let end = |base: &Entry| LastAck {
                at_ms: now_ms,
                acked: AckedState::End(incarnation(base).to_owned()),
                is_proof,
            };
            let ended = base.as_ref().map(end);
            Record { last_ack: ended.or(record.last_ack.clone()), ..go_on(None, closed_incarnation) }.into()
        }
        (Answer::Refused(None), _) => gone(&record, base, now_ms, go_on(None, closed_incarnation)),
        (Answer::Refused(Some(there)), _) => elsewhere(&record, &sent, repeated, base, there, now_ms, go_on),
        (Answer::Clock(server_ms), _) => {
            let mut record = go_on(base, closed_incarnation);
            if let Some(local) = record.local.take() {
                let latest_ms = server_ms.saturating_add(TTL_MS_MAX);
                record.local = Some(Entry::new(local.fields, local.expires_at_ms.min(latest_ms)));
            }
            record.into()
        }
        (Answer::Written { .. }, InFlight::Removal) => go_on(base, closed_incarnation).into(),
    }
}

/// The primary has nothing there.
fn gone(record: &Record, base: Option<Entry>, now_ms: u64, made_anew: Record) -> Resolved {
    let Some(local) = record.local.clone() else { return made_anew.into() };
    // What had no deadline did not expire. Whether what was sent landed, and was closed since, nobody can tell: that it
    // did not is likelier, and nobody notices.
    let expired = base.is_none_or(|base| base.expires_at_ms != 0 && is_over(base.expires_at_ms, now_ms));
    let pending = record.pending.as_ref();
    let lost = pending.is_some_and(|pending| pending.lost);
    // What is gone was closed here too, and ours is another ticket of the id.
    let closed_here = pending
        .and_then(|pending| pending.closed_incarnation.as_deref())
        .is_some_and(|ended| ended != incarnation(&local));
    if expired || lost || closed_here {
        return made_anew.into();
    }
    aside(record, local, ConflictReason::GoneElsewhere, None, now_ms)
}

/// The primary has something else there.
fn elsewhere(
    record: &Record,
    sent: &InFlight,
    repeated: bool,
    base: Option<Entry>,
    there: Entry,
    now_ms: u64,
    go_on: impl Fn(Option<Entry>, Option<String>) -> Record,
) -> Resolved {
    let closed_incarnation = record.pending.as_ref().and_then(|pending| pending.closed_incarnation.clone());
    let sent = if let InFlight::Write(sent) = sent { Some(sent) } else { None };
    if sent.is_some_and(|sent| same_content(sent, &there)) {
        return go_on(Some(there), closed_incarnation).into();
    }
    let unfound = sent.filter(|_| repeated);
    if base.as_ref().is_some_and(|base| same_content(base, &there)) {
        return with_unconfirmed(go_on(Some(there), closed_incarnation), unfound).into();
    }
    if closed_incarnation.as_deref() == Some(incarnation(&there)) {
        let unseen = ConflictCopy { entry: there.clone(), why: ConflictReason::ClosedHere };
        return Resolved {
            record: go_on(Some(there), closed_incarnation),
            conflict_copy: Some(unseen),
            merge_with: None,
        };
    }
    let Some(local) = record.local.clone() else {
        return Record::saved(Some(there), record.last_ack.clone(), now_ms).into();
    };
    if incarnation(&local) != incarnation(&there) {
        return aside(record, local, ConflictReason::AnotherIncarnation, Some(there), now_ms);
    }
    let shown = sent.filter(|sent| {
        // Others may have moved its messages since, as when they reunited what they had.
        merge_base::descends_from(&there, sent, base.as_ref())
            || (repeated && merge_base::contains_additions(&there, sent, base.as_ref()))
    });
    let parted = match (shown, base) {
        (Some(sent), _) if repeated => Some(sent.clone()),
        // What was refused when it was first sent did not land. Somebody else has put the same messages there, as by
        // the same rollback; they are there once.
        (Some(sent), Some(base)) => Some(merge_base::with_history(&base, sent)),
        (_, base) => base,
    };
    // After a loss any state of ours will do: the merge asks what both share, and not where ours came from.
    let lost = || record.pending.as_ref().filter(|pending| pending.lost).map(|_| without_deadline(&local));
    match parted.or_else(lost) {
        Some(base) => {
            let record = with_unconfirmed(go_on(Some(base), closed_incarnation), unfound.filter(|_| shown.is_none()));
            Resolved { record, conflict_copy: None, merge_with: Some(there) }
        }
        None => aside(record, local, ConflictReason::CreatedTwice, Some(there), now_ms),
    }
}

/// The record that remembers a write that may have been made and is not to be found.
fn with_unconfirmed(mut record: Record, unfound: Option<&Entry>) -> Record {
    if let (Some(pending), Some(unfound)) = (&mut record.pending, unfound) {
        pending.unconfirmed = Some(Box::new(unfound.clone()));
    }
    record
}

/// Theirs stays; ours is kept elsewhere.
fn aside(record: &Record, ours: Entry, why: ConflictReason, theirs: Option<Entry>, now_ms: u64) -> Resolved {
    let record = Record::saved(theirs, record.last_ack.clone(), now_ms);
    Resolved { record, conflict_copy: Some(ConflictCopy { entry: ours, why }), merge_with: None }
}

/// What the primary has is no entry.
pub(super) fn damaged(record: &Record, now_ms: u64) -> Option<ConflictCopy> {
    let entry = record.alive(now_ms)?.clone();
    Some(ConflictCopy { entry, why: ConflictReason::Damage })
}

/// The three states to merge: base, ours, theirs; none where one of them is no ticket of the present schema.
pub(super) fn to_merge(record: &Record, theirs: &Entry) -> Option<[State; 3]> {
    let pending = record.pending.as_ref()?;
    let local = record.local.as_ref()?;
    let is_later = local.expires_at_ms > theirs.expires_at_ms;
    let (ours, theirs) = (merge_base::state(local)?, merge_base::state(theirs)?);
    if pending.lost {
        let (base, mut ours) = merge_base::infer_base(&ours, &theirs);
        if is_later {
            // What was lost is of the same second as what is left, more often than not.
            ours.updated_at = ours.updated_at.max(theirs.updated_at.saturating_add(1));
        }
        return Some([base, ours, theirs]);
    }
    let base = merge_base::state(pending.base.as_ref()?)?;
    let (base, ours) = match &pending.unconfirmed {
        Some(tried) => merge_base::count_once(base, ours, &theirs, tried),
        None => (base, ours),
    };
    Some([merge_base::common_ancestor(base, &ours, &theirs), ours, theirs])
}

/// The record after a merge with `theirs`, or after one that is not possible.
pub(super) fn merged(record: &Record, theirs: Entry, merged: Option<Merged>, now_ms: u64) -> Resolved {
    let (Some(local), Some(pending)) = (record.local.clone(), record.pending.clone()) else {
        return record.clone().into();
    };
    let (Some(Merged { mut state, branch: side }), Some(mine), Some(others)) =
        (merged, merge_base::state(&local), merge_base::state(&theirs))
    else {
        return aside(record, local, ConflictReason::Unmergeable, Some(theirs), now_ms);
    };
    state.updated_at = state.updated_at.min(mine.updated_at.max(others.updated_at));
    let expires_at_ms = local.expires_at_ms.max(later_than(theirs.expires_at_ms));
    let mut ours = merge_base::entry(&state, expires_at_ms);
    if same_content(&ours, &theirs) {
        ours = theirs.clone();
    }
    let aside = side.map(|side| ConflictCopy {
        entry: match side {
            Side::Ours => local,
            Side::Theirs => theirs.clone(),
        },
        why: ConflictReason::NotMixed,
    });
    let pending = Pending { base: Some(theirs), in_flight: None, ..pending };
    let record = Record { local: Some(ours), pending: Some(pending), ..record.clone() };
    Resolved { record, conflict_copy: aside, merge_with: None }
}

/// The record after the primary lost data: what was acknowledged at `survived_ms`, by its time, is the newest
/// that it still has. None where the record stays as it is.
pub(super) fn after_loss(
    record: &Record,
    shown: Option<&Entry>,
    survived_ms: Option<u64>,
    now_ms: u64,
) -> Option<Resolved> {
    let may_be_lost = |last_ack: &LastAck| survived_ms.is_none_or(|survived_ms| last_ack.at_ms >= survived_ms);
    if let Some(pending) = &record.pending {
        let base = pending.base.as_ref()?;
        let base = match shown {
            None if record.last_ack.as_ref().is_none_or(may_be_lost) => None,
            None => return None,
            Some(there) if incarnation(there) != incarnation(base) => return None,
            // What was not answered may have been made, seen by others, and come back by their hand.
            Some(there) if same_content(there, base) && pending.in_flight.is_none() => return None,
            Some(there) if same_content(there, base) => Some(there.clone()),
            Some(there) if is_older(there, record.local.as_ref().unwrap_or(base)) => Some(there.clone()),
            // Somebody went on from what was left, or from where we did: what both share tells.
            Some(_) => Some(without_deadline(base)),
        };
        let pending = Pending { base, in_flight: None, unconfirmed: None, lost: true, ..pending.clone() };
        return Some(Record { pending: Some(pending), ..record.clone() }.into());
    }
    let last_ack = record.last_ack.as_ref().filter(|last_ack| may_be_lost(last_ack))?;
    let (base, closed_incarnation) = match (&last_ack.acked, record.alive(now_ms), shown) {
        (AckedState::End(ended), None, Some(there)) if ended == incarnation(there) => {
            (Some(there.clone()), Some(ended.clone()))
        }
        (AckedState::State(_), Some(_), None) => (None, None),
        (AckedState::State(_), Some(local), Some(there)) if incarnation(there) != incarnation(local) => {
            return Some(aside(record, local.clone(), ConflictReason::AnotherIncarnation, Some(there.clone()), now_ms));
        }
        (AckedState::State(_), Some(local), Some(there)) if is_older(there, local) => (Some(there.clone()), None),
        (AckedState::State(_), Some(local), Some(there)) if local != there && !merge_base::contains(there, local) => {
            // Somebody went on from what was left: both are kept.
            (Some(without_deadline(local)), None)
        }
        (AckedState::End(_) | AckedState::State(_), _, _) => return None,
    };
    let pending =
        Pending { base, in_flight: None, unconfirmed: None, closed_incarnation, since_ms: now_ms, lost: true };
    // Where the last change was another host's, its very revision must not come back by our hand: by that the other
    // host tells what survived.
    let by_us = |local: &Entry| last_ack.acked == AckedState::State(local.revision.clone());
    let local = record.local.clone().map(|local| match by_us(&local) {
        true => local,
        false => Entry::new(local.fields, later_than(local.expires_at_ms)),
    });
    Some(Record { local, pending: Some(pending), ..record.clone() }.into())
}

/// The same content as a state that is stored nowhere.
fn without_deadline(entry: &Entry) -> Entry {
    Entry::new(entry.fields.clone(), 0)
}

/// A deadline past another by a step that others rarely take.
fn later_than(expires_at_ms: u64) -> u64 {
    expires_at_ms.saturating_add(fastrand::u64(1..=STEP_MS_MAX))
}

/// Whether what the primary has is an older state, to be written over. Its deadline says so, which is not sure where
/// clocks were set: nothing may go with it.
fn is_older(there: &Entry, ours: &Entry) -> bool {
    there.expires_at_ms < ours.expires_at_ms && merge_base::supersedes(ours, there)
}

#[cfg(test)]
mod tests;
