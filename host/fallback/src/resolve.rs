//! How the pending changes of one ticket reach the primary: what to send next, and what an answer means. Pure.
//!
//! One change is in flight at a time. One without an answer is sent again unchanged before anything else, because it
//! may still be applied at any time; the answer to the repetition resolves it.
//!
//! | a refusal shows | [`Found`] | then |
//! |---|---|---|
//! | the content that was sent, with any deadline | `OurWrite` | continue from it |
//! | the content of the base, with any deadline | `Base` | continue from it |
//! | anything of an incarnation that was closed here | `ClosedHere` | the close wins; what it had not seen becomes a conflict copy |
//! | another incarnation, after a close here | `NotOurs` | theirs stays |
//! | another incarnation | `OtherIncarnation` | theirs stays, ours becomes a conflict copy |
//! | what descends from our unanswered write, or has its messages elsewhere | `AfterOurWrite` | merge from that write |
//! | our messages in their place, although our only attempt was refused | `SameMessages` | merge from the base with those messages |
//! | another content of the same incarnation | `ChangedElsewhere` | merge from the base, or from what both share after the primary lost data |
//! | a ticket of an id that was new here | `CreatedTwice` | theirs stays, ours becomes a conflict copy |
//!
//! | a refusal shows nothing, and | [`Gone`] | then |
//! |---|---|---|
//! | nothing is left here either | `Unneeded` | done |
//! | the base is past its deadline | `Expired` | it expired because our touches did not arrive: create it again |
//! | the primary lost data | `Lost` | create it again |
//! | what is gone was closed here, and ours is another ticket of the id | `ClosedHere` | create ours |
//! | none of these | `Elsewhere` | closed or evicted elsewhere: ours becomes a conflict copy |
//!
//! A key that holds something that is not an entry stays as it is, and ours becomes a conflict copy ([`damaged`]).

use super::merge_base;
use super::record::{AckedState, InFlight, LastAck, Pending, Record, incarnation, same_content};
use super::resolution::{ConflictCopy, Reason, Resolved, later_than, without_deadline};
use ticket_model::ticket::{Merged, Side, State};
use ticket_store::TTL_MS_MAX;
use ticket_store::deadline::is_over;
use ticket_store::{Answer, Condition, Entry, Revision};

/// What to do next about a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this if the condition holds; `repeated` if it was sent before.
    Send { change: InFlight, when: Condition, repeated: bool },
    /// Nothing more: the primary has what it should have.
    Done,
}

/// What to do next.
pub(super) fn plan(record: &Record, now_ms: u64) -> Step {
    let Some(pending) = &record.pending else { return Step::Done };
    let when = pending.base.as_ref().map_or(Condition::Absent, |base| Condition::At(base.revision.clone()));
    if let Some(in_flight) = &pending.in_flight {
        return Step::Send { change: in_flight.clone(), when, repeated: true };
    }
    let base = pending.base.as_ref().filter(|base| !is_over(base.expires_at_ms, now_ms));
    match (record.alive(now_ms), base) {
        (None, None) => Step::Done,
        (None, Some(_)) => Step::Send { change: InFlight::Removal, when, repeated: false },
        (Some(local), Some(base)) if local == base => Step::Done,
        (Some(local), _) => Step::Send { change: InFlight::Write(local.clone()), when, repeated: false },
    }
}

/// The record while a change is in flight.
pub(super) fn sending(mut record: Record, change: &InFlight) -> Record {
    if let Some(pending) = &mut record.pending {
        pending.in_flight = Some(change.clone());
    }
    record
}

/// The record after its change in flight, sent for the first time, was certainly not applied.
pub(super) fn not_applied(mut record: Record) -> Record {
    if let Some(pending) = &mut record.pending {
        pending.in_flight = None;
    }
    record
}

/// The record once the primary has all of it. It counts as acknowledged now, even if it was only found there.
pub(super) fn done(record: Record, now_ms: u64) -> Record {
    let local = record.alive(now_ms).cloned();
    let acked = match (&local, record.pending.as_ref().and_then(|pending| pending.closed_incarnation.clone())) {
        // Who wrote it is unknown. A revision that no store has makes it count as another host's.
        (Some(local), _) => AckedState::State(without_deadline(local).revision),
        (None, Some(incarnation)) => AckedState::End(incarnation),
        (None, None) => return Record::saved(local, record.last_ack, now_ms),
    };
    let answered = record.last_ack.as_ref().is_some_and(|last_ack| match (&last_ack.acked, &local) {
        (AckedState::State(revision), Some(local)) => *revision == local.revision,
        (answered, _) => *answered == acked,
    });
    let found = LastAck { at_ms: now_ms, acked, is_proof: false };
    Record::saved(local, if answered { record.last_ack } else { Some(found) }, now_ms)
}

/// What the answer to the change in flight means.
pub(super) fn resolve(record: &Record, answer: Answer, repeated: bool, now_ms: u64) -> Resolved {
    let Some(pending @ Pending { in_flight: Some(in_flight), .. }) = &record.pending else {
        return record.clone().into();
    };
    let write = if let InFlight::Write(write) = in_flight { Some(write) } else { None };
    let attempt = Attempt { record, pending, write, repeated, now_ms };
    match answer {
        Answer::Written { revision, expires_at_ms, now_ms } => attempt.written(revision, expires_at_ms, now_ms).into(),
        Answer::Removed => attempt.removed().into(),
        Answer::Refused(Some(theirs)) => attempt.found(theirs),
        Answer::Refused(None) => attempt.gone(),
        Answer::Clock(server_ms) => attempt.shortened(server_ms).into(),
    }
}

/// What a refused change met.
enum Found<'a> {
    OurWrite,
    Base,
    ClosedHere,
    NotOurs,
    OtherIncarnation { ours: &'a Entry },
    AfterOurWrite { write: &'a Entry },
    SameMessages { write: &'a Entry, base: &'a Entry },
    ChangedElsewhere { base: Entry },
    CreatedTwice { ours: &'a Entry },
}

/// Why a refused change met nothing.
enum Gone<'a> {
    Unneeded,
    Expired,
    Lost,
    ClosedHere,
    Elsewhere { ours: &'a Entry },
}

/// A change that was in flight and has an answer.
struct Attempt<'a> {
    record: &'a Record,
    pending: &'a Pending,
    /// What was to be written; none for a removal.
    write: Option<&'a Entry>,
    /// Whether it was sent before, and so may have been applied before.
    repeated: bool,
    now_ms: u64,
}

impl Attempt<'_> {
    /// The record with nothing in flight, and `base` as what the primary has.
    fn continue_from(&self, base: Option<Entry>) -> Record {
        let pending = Pending { base, in_flight: None, ..self.pending.clone() };
        Record { pending: Some(pending), ..self.record.clone() }
    }

    /// As [`Attempt::continue_from`]; a write that may have been applied, and is not found now, is remembered.
    fn continue_unconfirmed(&self, base: Entry) -> Record {
        let mut record = self.continue_from(Some(base));
        if let (Some(pending), Some(write), true) = (&mut record.pending, self.write, self.repeated) {
            pending.unconfirmed = Some(Box::new(write.clone()));
        }
        record
    }

    fn written(&self, revision: Revision, expires_at_ms: u64, at_ms: u64) -> Record {
        let Pending { base, lost, .. } = self.pending;
        let Some(write) = self.write else { return self.continue_from(base.clone()) };
        let is_proof = !self.repeated && !lost && base.as_ref().is_none_or(|base| !same_content(base, write));
        let pending = Pending {
            base: Some(Entry::new(write.fields.clone(), expires_at_ms)),
            in_flight: None,
            unconfirmed: None,
            // The write replaced what was closed, unless the ticket was closed again since.
            closed_incarnation: self.pending.closed_incarnation.clone().filter(|_| self.record.local.is_none()),
            since_ms: self.pending.since_ms,
            lost: false,
        };
        let last_ack = Some(LastAck { at_ms, acked: AckedState::State(revision), is_proof });
        Record { last_ack, pending: Some(pending), ..self.record.clone() }
    }

    fn removed(&self) -> Record {
        let is_proof = !self.repeated && !self.pending.lost;
        let end = |base: &Entry| AckedState::End(incarnation(base).to_owned());
        let ended = self.pending.base.as_ref().map(|base| LastAck { at_ms: self.now_ms, acked: end(base), is_proof });
        Record { last_ack: ended.or(self.record.last_ack.clone()), ..self.continue_from(None) }
    }

    /// The primary's clock refused the deadline: the longest that it accepts takes its place.
    fn shortened(&self, server_ms: u64) -> Record {
        let latest_ms = server_ms.saturating_add(TTL_MS_MAX);
        let shorter = |local: &Entry| Entry::new(local.fields.clone(), local.expires_at_ms.min(latest_ms));
        Record { local: self.record.local.as_ref().map(shorter), ..self.continue_from(self.pending.base.clone()) }
    }

    fn gone(&self) -> Resolved {
        match self.find_gone() {
            Gone::Unneeded | Gone::Expired | Gone::Lost | Gone::ClosedHere => self.continue_from(None).into(),
            Gone::Elsewhere { ours } => self.keep_theirs(ours, Reason::GoneElsewhere, None),
        }
    }

    /// The first that holds, in the order of the table.
    fn find_gone(&self) -> Gone<'_> {
        let Pending { base, closed_incarnation, lost, .. } = self.pending;
        let Some(ours) = &self.record.local else { return Gone::Unneeded };
        // Without a base the ticket was created here; whether that was applied and closed since cannot be told, and that
        // it was never applied is more likely.
        if base.as_ref().is_none_or(|base| is_over(base.expires_at_ms, self.now_ms)) {
            return Gone::Expired;
        }
        if *lost {
            return Gone::Lost;
        }
        match closed_incarnation {
            Some(closed) if closed != incarnation(ours) => Gone::ClosedHere,
            Some(_) | None => Gone::Elsewhere { ours },
        }
    }

    fn found(&self, theirs: Entry) -> Resolved {
        match self.find(&theirs) {
            Found::OurWrite => self.continue_from(Some(theirs)).into(),
            Found::Base => self.continue_unconfirmed(theirs).into(),
            Found::ClosedHere => {
                let unseen = ConflictCopy { entry: theirs.clone(), reason: Reason::ClosedHere };
                Resolved { conflict_copy: Some(unseen), ..self.continue_from(Some(theirs)).into() }
            }
            Found::NotOurs => Record::saved(Some(theirs), self.record.last_ack.clone(), self.now_ms).into(),
            Found::OtherIncarnation { ours } => self.keep_theirs(ours, Reason::OtherIncarnation, Some(theirs)),
            Found::CreatedTwice { ours } => self.keep_theirs(ours, Reason::CreatedTwice, Some(theirs)),
            Found::AfterOurWrite { write } => merge(self.continue_from(Some(write.clone())), theirs),
            // What was refused at its only attempt was not applied: another host has put the same messages there, as
            // by the same rollback. They count once.
            Found::SameMessages { write, base } => {
                merge(self.continue_from(Some(merge_base::with_history(base, write))), theirs)
            }
            Found::ChangedElsewhere { base } => merge(self.continue_unconfirmed(base), theirs),
        }
    }

    /// The first that holds, in the order of the table.
    fn find(&self, theirs: &Entry) -> Found<'_> {
        let Pending { base, closed_incarnation, lost, .. } = self.pending;
        if self.write.is_some_and(|write| same_content(write, theirs)) {
            return Found::OurWrite;
        }
        if base.as_ref().is_some_and(|base| same_content(base, theirs)) {
            return Found::Base;
        }
        if closed_incarnation.as_deref() == Some(incarnation(theirs)) {
            return Found::ClosedHere;
        }
        let Some(ours) = &self.record.local else { return Found::NotOurs };
        if incarnation(ours) != incarnation(theirs) {
            return Found::OtherIncarnation { ours };
        }
        let write = self.write.filter(|write| self.descends_from_write(theirs, write));
        match (write, base) {
            (Some(write), _) if self.repeated => Found::AfterOurWrite { write },
            (Some(write), Some(base)) => Found::SameMessages { write, base },
            (None, Some(base)) => Found::ChangedElsewhere { base: base.clone() },
            // After a loss any state of ours will do: the merge uses what both sides share.
            (_, None) if *lost => Found::ChangedElsewhere { base: without_deadline(ours) },
            (_, None) => Found::CreatedTwice { ours },
        }
    }

    /// Whether `theirs` can be seen to come after the write. Of one that may have been applied earlier, other hosts may
    /// have moved the messages, as when they merged.
    fn descends_from_write(&self, theirs: &Entry, write: &Entry) -> bool {
        let base = self.pending.base.as_ref();
        merge_base::descends_from(theirs, write, base)
            || (self.repeated && merge_base::contains_additions(theirs, write, base))
    }

    fn keep_theirs(&self, ours: &Entry, reason: Reason, theirs: Option<Entry>) -> Resolved {
        Resolved::keep_theirs(self.record, ours.clone(), reason, theirs, self.now_ms)
    }
}

fn merge(record: Record, theirs: Entry) -> Resolved {
    Resolved { merge_with: Some(theirs), ..record.into() }
}

/// What follows if the key holds something that is not an entry: ours becomes a conflict copy, and nothing is known.
pub(super) fn damaged(record: &Record, now_ms: u64) -> Resolved {
    let copy = record.alive(now_ms).map(|entry| ConflictCopy { entry: entry.clone(), reason: Reason::Damage });
    Resolved { conflict_copy: copy, ..Record::unknown().into() }
}

/// The states to merge: base, ours, theirs; none if one of them is not a ticket of the present schema.
pub(super) fn to_merge(record: &Record, theirs: &Entry) -> Option<[State; 3]> {
    let pending = record.pending.as_ref()?;
    let local = record.local.as_ref()?;
    let is_later = local.expires_at_ms > theirs.expires_at_ms;
    let is_theirs_later = merge_base::is_later(theirs, local);
    let (ours, theirs) = (merge_base::state(local)?, merge_base::state(theirs)?);
    if pending.lost {
        let (base, mut ours) = merge_base::infer_base(&ours, &theirs, is_theirs_later);
        if is_later {
            // What was lost and what is left are usually of the same second.
            ours.updated_at = ours.updated_at.max(theirs.updated_at.saturating_add(1));
        }
        return Some([base, ours, theirs]);
    }
    let base = merge_base::state(pending.base.as_ref()?)?;
    let (base, ours) = match &pending.unconfirmed {
        Some(unconfirmed) => merge_base::with_unconfirmed(base, ours, &theirs, unconfirmed),
        None => (base, ours),
    };
    Some([merge_base::with_common_prefix(base, &ours, &theirs), ours, theirs])
}

/// The record after a merge with `theirs`; `merged` is none if they could not be merged.
pub(super) fn merged(record: &Record, theirs: Entry, merged: Option<Merged>, now_ms: u64) -> Resolved {
    let (Some(local), Some(pending)) = (record.local.clone(), record.pending.clone()) else {
        return record.clone().into();
    };
    let (Some(Merged { mut state, branch: side }), Some(mine), Some(others)) =
        (merged, merge_base::state(&local), merge_base::state(&theirs))
    else {
        return Resolved::keep_theirs(record, local, Reason::Unmergeable, Some(theirs), now_ms);
    };
    state.updated_at = state.updated_at.min(mine.updated_at.max(others.updated_at));
    let expires_at_ms = local.expires_at_ms.max(later_than(theirs.expires_at_ms));
    let mut ours = merge_base::entry(&state, expires_at_ms);
    if same_content(&ours, &theirs) {
        ours = theirs.clone();
    }
    let conflict_copy = match side {
        Some(Side::Ours) => Some(ConflictCopy { entry: local, reason: Reason::NotMixed }),
        Some(Side::Theirs) => Some(ConflictCopy { entry: theirs.clone(), reason: Reason::NotMixed }),
        None if pending.lost => shortened_elsewhere(local, &theirs, &ours),
        None => None,
    };
    let pending = Pending { base: Some(theirs), in_flight: None, ..pending };
    Resolved {
        record: Record { local: Some(ours), pending: Some(pending), ..record.clone() },
        conflict_copy,
        merge_with: None,
    }
}

/// What a merge after a loss of data leaves out, or undoes: whether messages were lost or taken back by another client
/// cannot be told for sure.
fn shortened_elsewhere(local: Entry, theirs: &Entry, merged: &Entry) -> Option<ConflictCopy> {
    if !merge_base::has_messages(merged, &local) {
        return Some(ConflictCopy { entry: local, reason: Reason::Trimmed });
    }
    let is_undone = merge_base::is_later(theirs, &local)
        && merge_base::has_messages(&local, theirs)
        && !merge_base::has_messages(theirs, &local);
    is_undone.then(|| ConflictCopy { entry: theirs.clone(), reason: Reason::WrittenBack })
}

#[cfg(test)]
mod tests;
