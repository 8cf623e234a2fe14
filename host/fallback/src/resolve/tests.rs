//! Every row of the tables.

use std::sync::Arc;

use super::*;
use crate::fixtures::{LATER_MS, NOW_MS, base, ours, pending, ticket};

fn record(
    local: Option<Entry>,
    base: Option<Entry>,
    in_flight: Option<InFlight>,
    closed_incarnation: Option<&str>,
) -> Record {
    let pending = Pending {
        base,
        in_flight,
        unconfirmed: None,
        closed_incarnation: closed_incarnation.map(str::to_owned),
        since_ms: NOW_MS,
        lost: false,
    };
    Record { pending: Some(pending), ..Record::saved(local, None, NOW_MS) }
}

/// Ours, in flight.
fn in_flight() -> Record {
    record(Some(ours()), Some(base()), Some(InFlight::Write(ours())), None)
}

fn first_answer(record: Record, answer: Answer) -> Resolved {
    resolve(&record, answer, false, NOW_MS)
}

#[track_caller]
fn is_conflict_copy(resolved: &Resolved, entry: &Entry, reason: Reason, left: Option<&Entry>) {
    assert_eq!(resolved.conflict_copy, Some(ConflictCopy { entry: entry.clone(), reason }));
    assert_eq!(resolved.record.local.as_ref(), left);
    assert_eq!(resolved.record.pending, None);
}

#[test]
fn an_unanswered_change_is_sent_again_first() {
    let later = ticket(r#"["a","o","p"]"#, 7, LATER_MS + 20);
    let record = record(Some(later.clone()), Some(base()), Some(InFlight::Write(ours())), None);
    let when = Condition::At(base().revision);
    let expected = Step::Send { change: InFlight::Write(ours()), when, repeated: true };
    assert_eq!(plan(&record, NOW_MS), expected);
    let written = Answer::Written { revision: ours().revision, expires_at_ms: LATER_MS + 10, now_ms: NOW_MS };
    let resolved = first_answer(record, written);
    assert_eq!((pending(&resolved).base.as_ref(), &pending(&resolved).in_flight), (Some(&ours()), &None));
    let when = Condition::At(ours().revision);
    assert_eq!(plan(&resolved.record, NOW_MS), Step::Send { change: InFlight::Write(later), when, repeated: false });
}

#[test]
fn a_change_that_was_certainly_not_applied_is_sent_as_a_new_one() {
    let planned = plan(&not_applied(in_flight()), NOW_MS);
    let when = Condition::At(base().revision);
    assert_eq!(planned, Step::Send { change: InFlight::Write(ours()), when, repeated: false });
}

#[test]
fn a_record_in_sync_needs_nothing_more() {
    assert_eq!(plan(&record(Some(ours()), Some(ours()), None, None), NOW_MS), Step::Done);
    assert_eq!(plan(&record(None, None, None, Some("7")), NOW_MS), Step::Done);
    let expired = record(Some(ours()), None, None, None);
    assert_eq!(plan(&expired, LATER_MS + 11), Step::Done);
    let behind = record(Some(ours()), Some(ticket("[]", 7, LATER_MS + 99)), None, None);
    assert!(matches!(plan(&behind, LATER_MS + 11), Step::Send { change: InFlight::Removal, .. }), "it expired here");
}

#[test]
fn the_same_content_with_another_deadline_is_continued() {
    for theirs in [ticket(r#"["a"]"#, 7, LATER_MS + 1), ticket(r#"["a","o"]"#, 7, LATER_MS + 5)] {
        let resolved = first_answer(in_flight(), Answer::Refused(Some(theirs.clone())));
        assert_eq!((pending(&resolved).base.as_ref(), &resolved.conflict_copy), (Some(&theirs), &None));
        assert_eq!(resolved.merge_with, None);
    }
}

#[test]
fn a_merge_starts_from_our_write_if_it_is_visible() {
    let landed = ticket(r#"["a","o","t"]"#, 7, LATER_MS + 20);
    let resolved = resolve(&in_flight(), Answer::Refused(Some(landed.clone())), true, NOW_MS);
    assert_eq!((pending(&resolved).base.as_ref(), &resolved.merge_with), (Some(&ours()), &Some(landed)));
    let moved = ticket(r#"["a","t","o"]"#, 7, LATER_MS + 20);
    let resolved = resolve(&in_flight(), Answer::Refused(Some(moved.clone())), true, NOW_MS);
    assert_eq!((pending(&resolved).base.as_ref(), &resolved.merge_with), (Some(&ours()), &Some(moved)));
    let other = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let resolved = first_answer(in_flight(), Answer::Refused(Some(other.clone())));
    assert_eq!((pending(&resolved).base.as_ref(), &resolved.merge_with), (Some(&base()), &Some(other)));
}

#[test]
fn a_refused_message_found_there_counts_once() {
    let with_fact = |mut entry: Entry, facts: &str| {
        Arc::make_mut(&mut entry.fields)[0].1 = facts.into();
        Entry::new(entry.fields, entry.expires_at_ms)
    };
    let mine = with_fact(ours(), r#"{"mine":1}"#);
    let record = record(Some(mine.clone()), Some(base()), Some(InFlight::Write(mine)), None);
    let theirs = with_fact(ticket(r#"["a","o","t"]"#, 7, LATER_MS + 20), r#"{"theirs":1}"#);
    let resolved = first_answer(record, Answer::Refused(Some(theirs.clone())));
    let [base, mine, _] = to_merge(&resolved.record, &theirs).expect("states");
    assert_eq!((base.history.as_str(), base.facts.as_str()), (r#"["a","o"]"#, "{}"));
    assert_eq!(mine.facts, r#"{"mine":1}"#);
}

#[test]
fn a_message_rolled_back_and_forward_counts_once() {
    let undone = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let resolved = resolve(&in_flight(), Answer::Refused(Some(undone.clone())), true, NOW_MS);
    let ours = merge_base::state(&ticket(r#"["a","t","o","p"]"#, 7, 0)).expect("state");
    let resolved = merged(&resolved.record, undone.clone(), Some(Merged { state: ours, branch: None }), NOW_MS);
    let Step::Send { change, repeated: false, .. } = plan(&resolved.record, NOW_MS) else { panic!("not sent") };
    let back = ticket(r#"["a","o","t"]"#, 7, LATER_MS + 99);
    let resolved = first_answer(sending(resolved.record, &change), Answer::Refused(Some(back.clone())));
    let [base, mine, theirs] = to_merge(&resolved.record, &back).expect("states");
    assert_eq!((base.history.as_str(), mine.history.as_str()), (r#"["a","t","o"]"#, r#"["a","t","o","p"]"#));
    assert_eq!(theirs.history, r#"["a","o","t"]"#);
    let InFlight::Write(entry) = change else { panic!("no write") };
    let written =
        Answer::Written { revision: entry.revision.clone(), expires_at_ms: entry.expires_at_ms, now_ms: NOW_MS };
    let mut sent_again = resolved.record;
    sent_again = sending(sent_again, &InFlight::Write(entry));
    let synced = resolve(&sent_again, written, false, NOW_MS);
    assert_eq!(pending(&synced).unconfirmed, None, "the next such message is a new one");
}

#[test]
fn an_unconfirmed_write_is_remembered() {
    let touched = ticket(r#"["a"]"#, 7, LATER_MS + 20);
    let resolved = resolve(&in_flight(), Answer::Refused(Some(touched)), true, NOW_MS);
    assert_eq!(pending(&resolved).unconfirmed.as_deref(), Some(&ours()));
    let first = first_answer(in_flight(), Answer::Refused(Some(base())));
    assert_eq!(pending(&first).unconfirmed, None, "it was refused at its first attempt");
}

#[test]
fn messages_at_the_same_place_belong_to_the_base() {
    let mine = ticket(r#"["a","o","p","m"]"#, 7, LATER_MS);
    let record = record(Some(mine.clone()), Some(base()), Some(InFlight::Write(mine)), None);
    let theirs = ticket(r#"["a", "o","p" ,"t"]"#, 7, LATER_MS + 20);
    let resolved = first_answer(record, Answer::Refused(Some(theirs.clone())));
    let [base, _, _] = to_merge(&resolved.record, &theirs).expect("states");
    assert_eq!(base.history, r#"["a","o","p"]"#);
}

#[test]
fn long_numbers_differ_and_spellings_do_not() {
    let merged_from = |mine: &str, theirs: &str| {
        let mine = ticket(&format!(r#"["a",{mine}]"#), 7, LATER_MS);
        let record = record(Some(mine.clone()), Some(base()), Some(InFlight::Write(mine)), None);
        let theirs = ticket(&format!(r#"["a",{theirs}]"#), 7, LATER_MS + 20);
        let resolved = resolve(&record, Answer::Refused(Some(theirs.clone())), false, LATER_MS);
        to_merge(&resolved.record, &theirs).expect("states")[0].history.clone()
    };
    let different = merged_from(r#"{"n":123456789012345678901}"#, r#"{"n":123456789012345678902}"#);
    assert_eq!(different, r#"["a"]"#);
    let shared = merged_from(r#"{"n":[1.0,"é"],"m":{}}"#, r#"{"m":{ }, "n":[1.0, "\u00e9"]}"#);
    assert_eq!(shared, r#"["a",{"n":[1.0,"é"],"m":{}}]"#);
}

#[test]
fn a_ticket_that_is_gone_is_recreated_only_if_expired() {
    let resolved = first_answer(in_flight(), Answer::Refused(None));
    is_conflict_copy(&resolved, &ours(), Reason::GoneElsewhere, None);
    let long = ticket(r#"["a","o"]"#, 7, LATER_MS + 90_000);
    let touched = record(Some(long.clone()), Some(base()), Some(InFlight::Write(ours())), None);
    let resolved = resolve(&touched, Answer::Refused(None), true, LATER_MS + 11);
    assert_eq!((&resolved.conflict_copy, &pending(&resolved).base), (&None, &None));
    assert_eq!(
        plan(&resolved.record, LATER_MS + 11),
        Step::Send { change: InFlight::Write(long), when: Condition::Absent, repeated: false }
    );
}

#[test]
fn an_expired_ticket_is_recreated_from_a_write_in_flight() {
    let long = ticket(r#"["a","o"]"#, 7, LATER_MS + 90_000);
    for repeated in [false, true] {
        let in_flight = record(Some(long.clone()), Some(base()), Some(InFlight::Write(long.clone())), None);
        let resolved = resolve(&in_flight, Answer::Refused(None), repeated, LATER_MS + 11);
        assert_eq!((&resolved.conflict_copy, &pending(&resolved).base), (&None, &None));
    }
}

#[test]
fn a_ticket_recreated_here_is_created_there() {
    let anew = ticket("[]", 9, LATER_MS + 30);
    let replaced = record(Some(anew.clone()), Some(base()), Some(InFlight::Write(anew.clone())), Some("7"));
    let resolved = first_answer(replaced, Answer::Refused(None));
    assert_eq!(resolved.conflict_copy, None);
    let step = Step::Send { change: InFlight::Write(anew), when: Condition::Absent, repeated: false };
    assert_eq!(plan(&resolved.record, NOW_MS), step);
}

#[test]
fn two_incarnations_are_never_merged() {
    let other = ticket(r#"["a"]"#, 8, LATER_MS);
    is_conflict_copy(
        &first_answer(in_flight(), Answer::Refused(Some(other.clone()))),
        &ours(),
        Reason::OtherIncarnation,
        Some(&other),
    );
    let created = record(Some(ours()), None, Some(InFlight::Write(ours())), None);
    let theirs = ticket(r#"["t"]"#, 7, LATER_MS);
    is_conflict_copy(
        &first_answer(created.clone(), Answer::Refused(Some(theirs.clone()))),
        &ours(),
        Reason::CreatedTwice,
        Some(&theirs),
    );
    let longer = ticket(r#"["a","o","t"]"#, 7, LATER_MS);
    is_conflict_copy(
        &first_answer(created, Answer::Refused(Some(longer.clone()))),
        &ours(),
        Reason::CreatedTwice,
        Some(&longer),
    );
}

#[test]
fn a_close_wins_within_its_incarnation_only() {
    let closed = || record(None, Some(base()), Some(InFlight::Removal), Some("7"));
    let theirs = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let resolved = first_answer(closed(), Answer::Refused(Some(theirs.clone())));
    assert_eq!(resolved.conflict_copy, Some(ConflictCopy { entry: theirs.clone(), reason: Reason::ClosedHere }));
    let when = Condition::At(theirs.revision);
    assert_eq!(plan(&resolved.record, NOW_MS), Step::Send { change: InFlight::Removal, when, repeated: false });
    let other = ticket("[]", 8, LATER_MS);
    let resolved = first_answer(closed(), Answer::Refused(Some(other.clone())));
    assert_eq!((resolved.record.local, resolved.record.pending, resolved.conflict_copy), (Some(other), None, None));
    let resolved = first_answer(closed(), Answer::Removed);
    assert_eq!(plan(&resolved.record, NOW_MS), Step::Done);
    let ended = LastAck { at_ms: NOW_MS, acked: AckedState::End("7".into()), is_proof: true };
    assert_eq!(resolved.record.last_ack, Some(ended));
}

#[test]
fn damage_stays_and_ours_becomes_a_conflict_copy() {
    let expected = ConflictCopy { entry: ours(), reason: Reason::Damage };
    assert_eq!(damaged(&in_flight(), NOW_MS).conflict_copy, Some(expected));
    assert_eq!(damaged(&record(None, Some(base()), None, Some("7")), NOW_MS), Record::unknown().into());
}

#[test]
fn a_merge_is_written_at_its_base_and_keeps_the_loser() {
    let theirs = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let state = merge_base::state(&ticket(r#"["a","t","o"]"#, 7, 0)).expect("state");
    let record = record(Some(ours()), Some(base()), None, None);
    let outcome = Merged { state, branch: Some(Side::Ours) };
    let resolved = merged(&record, theirs.clone(), Some(outcome), NOW_MS);
    assert_eq!(resolved.conflict_copy, Some(ConflictCopy { entry: ours(), reason: Reason::NotMixed }));
    let merged_entry = resolved.record.local.clone().expect("merged");
    assert!(same_content(&merged_entry, &ticket(r#"["a","t","o"]"#, 7, 0)));
    assert!(merged_entry.expires_at_ms > theirs.expires_at_ms, "a new state");
    let when = Condition::At(theirs.revision.clone());
    let step = plan(&resolved.record, NOW_MS);
    assert_eq!(step, Step::Send { change: InFlight::Write(merged_entry), when, repeated: false });
    is_conflict_copy(&merged(&record, theirs.clone(), None, NOW_MS), &ours(), Reason::Unmergeable, Some(&theirs));
}

#[test]
fn after_a_loss_a_shortened_history_leaves_a_branch() {
    let local = ticket(r#"["a","b","o"]"#, 7, LATER_MS);
    let kept = |theirs: &Entry, history: &str, lost| {
        let mut record = record(Some(local.clone()), Some(without_deadline(&local)), None, None);
        record.pending.as_mut().expect("pending").lost = lost;
        let state = merge_base::state(&ticket(history, 7, 0)).expect("state");
        merged(&record, theirs.clone(), Some(Merged { state, branch: None }), NOW_MS).conflict_copy
    };
    let copy = |entry: &Entry, reason| Some(ConflictCopy { entry: entry.clone(), reason });
    let retracted = ticket(r#"["a","b"]"#, 7, LATER_MS + 20);
    assert_eq!(kept(&retracted, r#"["a","b","o"]"#, true), copy(&retracted, Reason::WrittenBack));
    assert_eq!(kept(&retracted, r#"["a","b","o"]"#, false), None, "a merge from a known base undoes nothing");
    let older = ticket(r#"["a","b"]"#, 7, LATER_MS - 20);
    assert_eq!(kept(&older, r#"["a","b","o"]"#, true), None);
    let trimmed = ticket(r#"["b","o","t"]"#, 7, LATER_MS + 20);
    assert_eq!(kept(&trimmed, r#"["b","o","t"]"#, true), copy(&local, Reason::Trimmed));
    let forked = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    assert_eq!(kept(&forked, r#"["a","t","b","o"]"#, true), None, "it lost ours and went on");
}

#[test]
fn only_a_first_write_of_another_content_proves_a_data_set() {
    let is_proof = |base: Option<Entry>, repeated| {
        let written = Answer::Written { revision: ours().revision, expires_at_ms: LATER_MS + 10, now_ms: NOW_MS };
        let in_flight = record(Some(ours()), base, Some(InFlight::Write(ours())), None);
        resolve(&in_flight, written, repeated, NOW_MS).record.last_ack.expect("acknowledged").is_proof
    };
    assert!(is_proof(Some(base()), false));
    assert!(is_proof(None, false));
    assert!(!is_proof(Some(base()), true), "it may have arrived late");
    assert!(
        !is_proof(Some(ticket(r#"["a","o"]"#, 7, LATER_MS)), false),
        "another host may write the same with any deadline"
    );
}
