//! How unsaved changes of one ticket get home: what to send next, and what an answer means. Pure.
//!
//! One change at a time is on its way. One that was not answered is sent again as it was before anything else, for
//! it may land at any time; its answer settles it.
//!
//! | the primary has | then |
//! |---|---|
//! | the base, or an unanswered write of ours | go on from there |
//! | the content of either with another deadline | go on from there |
//! | something that goes on from our unanswered write | merge, from that write |
//! | another content of the same life | merge, from the base |
//! | nothing, past the deadline of what it had | it expired for want of us: make it again |
//! | nothing, before that | closed or evicted elsewhere: ours becomes a branch |
//! | another life, or a ticket of an id that was new here | theirs stays, ours becomes a branch |
//! | anything of a life that was closed here | the close wins; what it had not seen becomes a branch |
//! | what is no entry | it stays, ours becomes a branch |

use super::lineage;
use super::record::{Made, Own, Record, Sent, Unsaved, life, same_content};
use crate::store::deadline::{TTL_MS_MAX, is_over};
use crate::store::entry::{Condition, Entry};
use crate::store::primary::Answer;
use crate::ticket::{Merged, Side, State};

/// What to do next about a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this if the condition holds; `repeated` where it was sent before.
    Send { change: Sent, when: Condition, repeated: bool },
    /// Nothing more: the primary has what it should.
    Done,
}

/// A state that finds no place in its ticket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Aside {
    pub(super) entry: Entry,
    pub(super) why: Why,
}

/// Why a state is kept aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    GoneElsewhere,
    AnotherLife,
    CreatedTwice,
    ClosedHere,
    NotMixed,
    Unmergeable,
    Damage,
}

impl Why {
    /// For people and programs.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::GoneElsewhere => "the ticket was closed or evicted elsewhere",
            Self::AnotherLife => "another ticket of this id was made elsewhere",
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
pub(super) struct Concluded {
    pub(super) record: Record,
    pub(super) aside: Option<Aside>,
    /// What the primary has and must be merged with, from the record's base.
    pub(super) merge_with: Option<Entry>,
}

impl From<Record> for Concluded {
    fn from(record: Record) -> Self {
        Self { record, aside: None, merge_with: None }
    }
}

/// What to do next.
pub(super) fn plan(record: &Record, now_ms: u64) -> Step {
    let Some(unsaved) = &record.unsaved else { return Step::Done };
    let when = unsaved.base.as_ref().map_or(Condition::Absent, |base| Condition::At(base.revision.clone()));
    if let Some(sent) = &unsaved.sent {
        return Step::Send { change: sent.clone(), when, repeated: true };
    }
    let base = unsaved.base.as_ref().filter(|base| !is_over(base.expires_at_ms, now_ms));
    match (record.alive(now_ms), base) {
        (None, None) => Step::Done,
        (None, Some(_)) => Step::Send { change: Sent::Removal, when, repeated: false },
        (Some(local), Some(base)) if local == base => Step::Done,
        (Some(local), _) => Step::Send { change: Sent::Write(local.clone()), when, repeated: false },
    }
}

/// The record with a change on its way.
pub(super) fn sending(mut record: Record, change: &Sent) -> Record {
    if let Some(unsaved) = &mut record.unsaved {
        unsaved.sent = Some(change.clone());
    }
    record
}

/// The record that needs nothing more.
pub(super) fn done(record: Record, now_ms: u64) -> Record {
    Record::saved(record.alive(now_ms).cloned(), record.own, now_ms)
}

/// What the answer to the change on its way means.
pub(super) fn conclude(record: Record, answer: Answer, now_ms: u64) -> Concluded {
    let Some(Unsaved { base, sent: Some(sent), closed_life, since_ms }) = record.unsaved.clone() else {
        return record.into();
    };
    let go_on = |base: Option<Entry>, closed_life: Option<String>| Record {
        unsaved: Some(Unsaved { base, sent: None, closed_life, since_ms }),
        ..record.clone()
    };
    match (answer, &sent) {
        (Answer::Written { expires_at_ms, now_ms, revision }, Sent::Write(entry)) => {
            let own = Some(Own { at_ms: now_ms, made: Made::State(revision) });
            let written = Entry::new(entry.fields.clone(), expires_at_ms);
            // What was closed is overwritten, unless it is this.
            let closed_life = if record.local.is_some() { None } else { closed_life };
            Record { own, ..go_on(Some(written), closed_life) }.into()
        }
        (Answer::Removed, _) => {
            let ended = base.as_ref().map(|base| Own { at_ms: now_ms, made: Made::End(life(base).to_owned()) });
            Record { own: ended.or(record.own.clone()), ..go_on(None, closed_life) }.into()
        }
        (Answer::Refused(None), _) => gone(&record, &sent, base, now_ms, go_on(None, closed_life)),
        (Answer::Refused(Some(there)), _) => elsewhere(&record, &sent, base, there, now_ms, go_on),
        (Answer::Clock(server_ms), _) => {
            let mut record = go_on(base, closed_life);
            if let Some(local) = record.local.take() {
                let latest_ms = server_ms.saturating_add(TTL_MS_MAX);
                record.local = Some(Entry::new(local.fields, local.expires_at_ms.min(latest_ms)));
            }
            record.into()
        }
        (Answer::Written { .. }, Sent::Removal) => go_on(base, closed_life).into(),
    }
}

/// The primary has nothing there.
fn gone(record: &Record, sent: &Sent, base: Option<Entry>, now_ms: u64, made_anew: Record) -> Concluded {
    let Some(local) = record.local.clone() else { return made_anew.into() };
    let sent_until_ms = if let Sent::Write(entry) = sent { entry.expires_at_ms } else { 0 };
    let until_ms = base.map_or(0, |base| base.expires_at_ms.max(sent_until_ms));
    if is_over(until_ms, now_ms) || until_ms == 0 {
        return made_anew.into();
    }
    aside(record, local, Why::GoneElsewhere, None, now_ms)
}

/// The primary has something else there.
fn elsewhere(
    record: &Record,
    sent: &Sent,
    base: Option<Entry>,
    there: Entry,
    now_ms: u64,
    go_on: impl Fn(Option<Entry>, Option<String>) -> Record,
) -> Concluded {
    let closed_life = record.unsaved.as_ref().and_then(|unsaved| unsaved.closed_life.clone());
    let sent = if let Sent::Write(sent) = sent { Some(sent) } else { None };
    let known = [base.as_ref(), sent].into_iter().flatten().any(|known| same_content(known, &there));
    if known {
        return go_on(Some(there), closed_life).into();
    }
    if closed_life.as_deref() == Some(life(&there)) {
        let unseen = Aside { entry: there.clone(), why: Why::ClosedHere };
        return Concluded { record: go_on(Some(there), closed_life), aside: Some(unseen), merge_with: None };
    }
    let Some(local) = record.local.clone() else {
        return Record::saved(Some(there), record.own.clone(), now_ms).into();
    };
    if life(&local) != life(&there) {
        return aside(record, local, Why::AnotherLife, Some(there), now_ms);
    }
    let landed = sent.filter(|sent| lineage::goes_on_from(&there, sent, base.as_ref()));
    match landed.cloned().or(base) {
        Some(base) => Concluded { record: go_on(Some(base), closed_life), aside: None, merge_with: Some(there) },
        None => aside(record, local, Why::CreatedTwice, Some(there), now_ms),
    }
}

/// Theirs stays; ours is kept elsewhere.
fn aside(record: &Record, ours: Entry, why: Why, theirs: Option<Entry>, now_ms: u64) -> Concluded {
    let record = Record::saved(theirs, record.own.clone(), now_ms);
    Concluded { record, aside: Some(Aside { entry: ours, why }), merge_with: None }
}

/// What the primary has is no entry.
pub(super) fn damaged(record: &Record, now_ms: u64) -> Option<Aside> {
    let entry = record.alive(now_ms)?.clone();
    Some(Aside { entry, why: Why::Damage })
}

/// The three states to merge: base, ours, theirs; none where one of them is no ticket of the present schema.
pub(super) fn to_merge(record: &Record, theirs: &Entry) -> Option<[State; 3]> {
    let base = record.unsaved.as_ref()?.base.as_ref()?;
    Some([lineage::state(base)?, lineage::state(record.local.as_ref()?)?, lineage::state(theirs)?])
}

/// The record after a merge with `theirs`, or after one that is not possible.
pub(super) fn merged(record: &Record, theirs: Entry, merged: Option<Merged>, now_ms: u64) -> Concluded {
    let (Some(local), Some(unsaved)) = (record.local.clone(), record.unsaved.clone()) else {
        return record.clone().into();
    };
    let Some(Merged { state, aside: side }) = merged else {
        return aside(record, local, Why::Unmergeable, Some(theirs), now_ms);
    };
    let expires_at_ms = local.expires_at_ms.max(theirs.expires_at_ms.saturating_add(1));
    let mut ours = lineage::entry(&state, expires_at_ms);
    if same_content(&ours, &theirs) {
        ours = theirs.clone();
    }
    let aside = side.map(|side| Aside {
        entry: match side {
            Side::Ours => local,
            Side::Theirs => theirs.clone(),
        },
        why: Why::NotMixed,
    });
    let unsaved = Unsaved { base: Some(theirs), sent: None, ..unsaved };
    let record = Record { local: Some(ours), unsaved: Some(unsaved), ..record.clone() };
    Concluded { record, aside, merge_with: None }
}

/// The record after the primary lost data: what was acknowledged at `survived_ms`, by its time, is the newest
/// that it still has. None where the record stays as it is.
pub(super) fn after_loss(
    record: &Record,
    shown: Option<&Entry>,
    survived_ms: Option<u64>,
    now_ms: u64,
) -> Option<Concluded> {
    let may_be_lost = |own: &Own| survived_ms.is_none_or(|survived_ms| own.at_ms >= survived_ms);
    if let Some(unsaved) = &record.unsaved {
        let base = unsaved.base.as_ref()?;
        let older = shown.is_none_or(|there| life(there) == life(base) && there.expires_at_ms < base.expires_at_ms);
        if !older || !record.own.as_ref().is_none_or(may_be_lost) {
            return None;
        }
        let unsaved = Unsaved { base: shown.cloned(), sent: None, ..unsaved.clone() };
        return Some(Record { unsaved: Some(unsaved), ..record.clone() }.into());
    }
    let own = record.own.as_ref().filter(|own| may_be_lost(own))?;
    let (base, closed_life) = match (&own.made, record.alive(now_ms), shown) {
        (Made::End(ended), None, Some(there)) if ended == life(there) => (Some(there.clone()), Some(ended.clone())),
        (Made::State(_), Some(_), None) => (None, None),
        (Made::State(_), Some(local), Some(there)) if life(there) != life(local) => {
            return Some(aside(record, local.clone(), Why::AnotherLife, Some(there.clone()), now_ms));
        }
        (Made::State(_), Some(local), Some(there)) if there.expires_at_ms < local.expires_at_ms => {
            (Some(there.clone()), None)
        }
        (Made::State(_), Some(local), Some(there)) if !lineage::holds(there, local) => {
            // Somebody went on from what was left: both are kept, from where they parted.
            let parting = lineage::parting(&lineage::state(local)?, &lineage::state(there)?);
            (Some(lineage::entry(&parting, 0)), None)
        }
        (Made::End(_) | Made::State(_), _, _) => return None,
    };
    let unsaved = Unsaved { base, sent: None, closed_life, since_ms: now_ms };
    Some(Record { unsaved: Some(unsaved), ..record.clone() }.into())
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
