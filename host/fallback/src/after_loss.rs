//! What a record becomes after the primary lost data. Pure.
//!
//! | the primary has | [`Found`] | then |
//! |---|---|---|
//! | what it should have, or what this host cannot judge | `Intact` | nothing |
//! | nothing, and our last change may be lost | `Missing` | write ours again |
//! | an older state, or the base of a change in flight | `Older` | write ours over it |
//! | something that came from what was left, or from ours | `Diverged` | merge by what both share |
//! | another incarnation | `OtherIncarnation` | theirs stays, ours becomes a conflict copy |
//! | the incarnation whose close was acknowledged | `CloseLost` | close it again |

use super::merge_base;
use super::record::{AckedState, LastAck, Pending, Record, incarnation, same_content};
use super::resolution::{Reason, Resolved, later_than, without_deadline};
use ticket_store::{Entry, TTL_MS_MAX};

/// What the primary has left of a record.
enum Found<'a> {
    Intact,
    Missing,
    Older { theirs: &'a Entry },
    Diverged { ours: &'a Entry },
    OtherIncarnation { ours: &'a Entry, theirs: &'a Entry },
    CloseLost { theirs: &'a Entry, closed: &'a str },
}

/// The record after the loss; `survived_ms` is when the newest change that the primary still has was acknowledged, by
/// its clock. None if the record stays as it is.
pub(super) fn after_loss(
    record: &Record,
    theirs: Option<&Entry>,
    survived_ms: Option<u64>,
    now_ms: u64,
) -> Option<Resolved> {
    let found = match &record.pending {
        Some(pending) => find_of_pending(record, pending, theirs, survived_ms),
        None => find_of_saved(record, theirs, survived_ms, now_ms),
    };
    let (base, closed) = match found {
        Found::Intact => return None,
        Found::OtherIncarnation { ours, theirs } => {
            let (ours, theirs) = (ours.clone(), Some(theirs.clone()));
            return Some(Resolved::keep_theirs(record, ours, Reason::OtherIncarnation, theirs, now_ms));
        }
        Found::Missing => (None, None),
        Found::Older { theirs } => (Some(theirs.clone()), None),
        Found::Diverged { ours } => (Some(without_deadline(ours)), None),
        Found::CloseLost { theirs, closed } => (Some(theirs.clone()), Some(closed.to_owned())),
    };
    Some(match &record.pending {
        Some(pending) => {
            let pending = Pending { base, in_flight: None, unconfirmed: None, lost: true, ..pending.clone() };
            Record { pending: Some(pending), ..record.clone() }.into()
        }
        None => written_back(record, base, closed, now_ms).into(),
    })
}

/// A saved record that is pending again.
fn written_back(record: &Record, base: Option<Entry>, closed_incarnation: Option<String>, now_ms: u64) -> Record {
    // Another host takes its own revision as proof of what survived, so a state that it wrote must not come back with
    // that revision.
    let is_ours = |local: &Entry| {
        let ours = AckedState::State(local.revision.clone());
        record.last_ack.as_ref().is_some_and(|last_ack| last_ack.acked == ours)
    };
    let local = record.local.clone().map(|local| {
        if is_ours(&local) {
            return local;
        }
        // No write can set "no deadline": the longest takes its place.
        let expires_at_ms =
            if local.expires_at_ms == 0 { now_ms + TTL_MS_MAX } else { later_than(local.expires_at_ms) };
        Entry::new(local.fields, expires_at_ms)
    });
    let pending =
        Pending { base, in_flight: None, unconfirmed: None, closed_incarnation, since_ms: now_ms, lost: true };
    Record { local, pending: Some(pending), ..record.clone() }
}

/// What is left of a record with pending changes: the first that holds.
fn find_of_pending<'a>(
    record: &'a Record,
    pending: &'a Pending,
    theirs: Option<&'a Entry>,
    survived_ms: Option<u64>,
) -> Found<'a> {
    let Some(base) = &pending.base else { return Found::Intact };
    let Some(theirs) = theirs else {
        let survived = record.last_ack.as_ref().is_some_and(|last_ack| !may_be_lost(last_ack, survived_ms));
        return if survived { Found::Intact } else { Found::Missing };
    };
    if incarnation(theirs) != incarnation(base) {
        return Found::Intact;
    }
    if same_content(theirs, base) {
        // A change in flight may have been applied, seen by others, and written back by them.
        return if pending.in_flight.is_none() { Found::Intact } else { Found::Older { theirs } };
    }
    if is_older(theirs, record.local.as_ref().unwrap_or(base)) {
        Found::Older { theirs }
    } else {
        Found::Diverged { ours: base }
    }
}

/// What is left of a record without pending changes.
fn find_of_saved<'a>(
    record: &'a Record,
    theirs: Option<&'a Entry>,
    survived_ms: Option<u64>,
    now_ms: u64,
) -> Found<'a> {
    let Some(last_ack) = record.last_ack.as_ref().filter(|last_ack| may_be_lost(last_ack, survived_ms)) else {
        return Found::Intact;
    };
    match (&last_ack.acked, record.alive(now_ms), theirs) {
        (AckedState::End(closed), None, Some(theirs)) if closed == incarnation(theirs) => {
            Found::CloseLost { theirs, closed }
        }
        (AckedState::State(_), Some(_), None) => Found::Missing,
        (AckedState::State(_), Some(ours), Some(theirs)) => compare(ours, theirs),
        (AckedState::End(_) | AckedState::State(_), _, _) => Found::Intact,
    }
}

fn compare<'a>(ours: &'a Entry, theirs: &'a Entry) -> Found<'a> {
    if incarnation(theirs) != incarnation(ours) {
        Found::OtherIncarnation { ours, theirs }
    } else if is_older(theirs, ours) {
        Found::Older { theirs }
    } else if ours == theirs || merge_base::contains(theirs, ours) {
        Found::Intact
    } else {
        Found::Diverged { ours }
    }
}

pub(super) fn may_be_lost(last_ack: &LastAck, survived_ms: Option<u64>) -> bool {
    survived_ms.is_none_or(|survived_ms| last_ack.at_ms >= survived_ms)
}

/// Whether what the primary has is an older state, to be written over. Its deadline says so, but not reliably if clocks
/// were set or a caller named another time to live, so nothing in it may be missing in ours.
fn is_older(theirs: &Entry, ours: &Entry) -> bool {
    theirs.expires_at_ms < ours.expires_at_ms
        && !merge_base::is_later(theirs, ours)
        && merge_base::supersedes(ours, theirs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{LATER_MS, NOW_MS, base, ours, pending, ticket};
    use crate::record::InFlight;
    use crate::resolve::{Step, plan, to_merge};
    use ticket_store::{Condition, Revision};

    fn last_ack(at_ms: u64, revision: &Revision) -> Option<LastAck> {
        Some(LastAck { at_ms, acked: AckedState::State(revision.clone()), is_proof: true })
    }

    #[test]
    fn changes_after_the_newest_survivor_are_written_back() {
        let copy = Record::saved(Some(ours()), last_ack(50, &ours().revision), NOW_MS);
        let lost = |shown: Option<&Entry>, survived_ms| after_loss(&copy, shown, survived_ms, NOW_MS);
        assert_eq!(lost(None, Some(51)), None, "it survived that time, so another client closed it");
        let missing = lost(None, Some(50)).expect("lost");
        assert_eq!(pending(&missing).base, None);
        let older = lost(Some(&base()), None).expect("lost");
        assert_eq!(pending(&older).base, Some(base()));
        let newer = ticket(r#"["a","o","t"]"#, 7, LATER_MS + 99);
        assert_eq!(lost(Some(&newer), None), None, "another client continued from ours");
        let forked = ticket(r#"["a","t"]"#, 7, LATER_MS + 99);
        let resolved = lost(Some(&forked), None).expect("lost");
        let [base, mine, _] = to_merge(&resolved.record, &forked).expect("states");
        assert_eq!((base.history.as_str(), mine.history.as_str()), (r#"["a"]"#, r#"["a","o"]"#));
    }

    #[test]
    fn a_ticket_without_a_deadline_is_written_back_with_the_longest() {
        let lasting = Entry::new(ours().fields, 0);
        let record = Record::saved(Some(lasting), last_ack(50, &ours().revision), NOW_MS);
        let resolved = after_loss(&record, None, None, NOW_MS).expect("lost");
        let Step::Send { change: InFlight::Write(write), .. } = plan(&resolved.record, NOW_MS) else {
            panic!("not sent")
        };
        assert_eq!((write.fields, write.expires_at_ms), (ours().fields, NOW_MS + TTL_MS_MAX));
    }

    #[test]
    fn a_lost_close_is_repeated() {
        let ended = Some(LastAck { at_ms: 50, acked: AckedState::End("7".into()), is_proof: true });
        let closed = Record::saved(None, ended, NOW_MS);
        let resolved = after_loss(&closed, Some(&base()), None, NOW_MS).expect("lost");
        assert_eq!(
            plan(&resolved.record, NOW_MS),
            Step::Send { change: InFlight::Removal, when: Condition::At(base().revision), repeated: false }
        );
        assert_eq!(after_loss(&closed, Some(&ticket("[]", 8, LATER_MS)), None, NOW_MS), None, "another incarnation");
    }

    #[test]
    fn pending_changes_are_compared_with_their_base() {
        let pending_record = |in_flight: Option<InFlight>| {
            let pending = Pending {
                base: Some(base()),
                in_flight,
                unconfirmed: None,
                closed_incarnation: None,
                since_ms: NOW_MS,
                lost: false,
            };
            Record { pending: Some(pending), ..Record::saved(Some(ours()), last_ack(50, &base().revision), NOW_MS) }
        };
        let record = pending_record(None);
        let lost_base = |record: &Record, theirs: Option<&Entry>, survived_ms| {
            after_loss(record, theirs, survived_ms, NOW_MS).map(|resolved| {
                assert!(pending(&resolved).lost && pending(&resolved).in_flight.is_none());
                pending(&resolved).base.clone()
            })
        };
        assert_eq!(lost_base(&record, None, Some(51)), None, "its base survived, so another client closed it");
        assert_eq!(lost_base(&record, None, Some(50)), Some(None), "missing");
        assert_eq!(lost_base(&record, Some(&ticket("[]", 8, LATER_MS)), None), None, "another incarnation");
        assert_eq!(lost_base(&record, Some(&base()), None), None, "nothing is lost");
        let in_flight = pending_record(Some(InFlight::Write(ours())));
        assert_eq!(lost_base(&in_flight, Some(&base()), None), Some(Some(base())), "a write in flight may be lost");
        let older = ticket("[]", 7, LATER_MS - 1);
        assert_eq!(lost_base(&record, Some(&older), None), Some(Some(older.clone())));
        let diverged = ticket(r#"["t"]"#, 7, LATER_MS - 1);
        assert_eq!(lost_base(&record, Some(&diverged), None), Some(Some(without_deadline(&base()))));
        let created = Record { pending: record.pending.map(|pending| Pending { base: None, ..pending }), ..record };
        assert_eq!(lost_base(&created, None, None), None, "the primary never had it");
    }
}
