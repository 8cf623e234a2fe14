//! What is sent next, and what answers mean: every row of the table.

use std::sync::Arc;

use super::*;
use ticket_store::Revision;

const NOW_MS: u64 = 1_000_000;
const LATER_MS: u64 = NOW_MS + 60_000;

fn ticket(history: &str, created_at: u64, expires_at_ms: u64) -> Entry {
    let state = State {
        facts: "{}".into(),
        history: history.into(),
        last_decision: "{}".into(),
        created_at,
        updated_at: created_at + 1,
    };
    merge_base::entry(&state, expires_at_ms)
}

fn base() -> Entry {
    ticket(r#"["a"]"#, 7, LATER_MS)
}

fn ours() -> Entry {
    ticket(r#"["a","o"]"#, 7, LATER_MS + 10)
}

fn record(
    local: Option<Entry>,
    base: Option<Entry>,
    sent: Option<InFlight>,
    closed_incarnation: Option<&str>,
) -> Record {
    let pending = Pending {
        base,
        in_flight: sent,
        unconfirmed: None,
        closed_incarnation: closed_incarnation.map(str::to_owned),
        since_ms: NOW_MS,
        lost: false,
    };
    Record { pending: Some(pending), ..Record::saved(local, None, NOW_MS) }
}

/// Ours, on its way.
fn sent() -> Record {
    record(Some(ours()), Some(base()), Some(InFlight::Write(ours())), None)
}

fn settled(record: Record, answer: Answer) -> Resolved {
    resolve(record, answer, false, NOW_MS)
}

fn pending(resolved: &Resolved) -> &Pending {
    resolved.record.pending.as_ref().expect("unsaved")
}

#[track_caller]
fn is_aside(resolved: &Resolved, entry: &Entry, why: ConflictReason, left: Option<&Entry>) {
    assert_eq!(resolved.conflict_copy, Some(ConflictCopy { entry: entry.clone(), why }));
    assert_eq!(resolved.record.local.as_ref(), left);
    assert_eq!(resolved.record.pending, None);
}

#[test]
fn what_was_not_answered_is_sent_again_before_anything_else() {
    let later = ticket(r#"["a","o","p"]"#, 7, LATER_MS + 20);
    let record = record(Some(later.clone()), Some(base()), Some(InFlight::Write(ours())), None);
    let when = Condition::At(base().revision);
    let expected = Step::Send { change: InFlight::Write(ours()), when, repeated: true };
    assert_eq!(plan(&record, NOW_MS), expected);
    let written = Answer::Written { revision: ours().revision, expires_at_ms: LATER_MS + 10, now_ms: NOW_MS };
    let resolved = settled(record, written);
    assert_eq!((pending(&resolved).base.as_ref(), &pending(&resolved).in_flight), (Some(&ours()), &None));
    let when = Condition::At(ours().revision);
    assert_eq!(plan(&resolved.record, NOW_MS), Step::Send { change: InFlight::Write(later), when, repeated: false });
}

#[test]
fn a_record_that_is_home_needs_nothing_more() {
    assert_eq!(plan(&record(Some(ours()), Some(ours()), None, None), NOW_MS), Step::Done);
    assert_eq!(plan(&record(None, None, None, Some("7")), NOW_MS), Step::Done);
    let expired = record(Some(ours()), None, None, None);
    assert_eq!(plan(&expired, LATER_MS + 11), Step::Done);
    let behind = record(Some(ours()), Some(ticket("[]", 7, LATER_MS + 99)), None, None);
    assert!(matches!(plan(&behind, LATER_MS + 11), Step::Send { change: InFlight::Removal, .. }), "it expired here");
}

#[test]
fn the_same_content_with_another_deadline_is_where_we_go_on() {
    for there in [ticket(r#"["a"]"#, 7, LATER_MS + 1), ticket(r#"["a","o"]"#, 7, LATER_MS + 5)] {
        let resolved = settled(sent(), Answer::Refused(Some(there.clone())));
        assert_eq!((pending(&resolved).base.as_ref(), &resolved.conflict_copy), (Some(&there), &None));
        assert_eq!(resolved.merge_with, None);
    }
}

#[test]
fn a_change_elsewhere_is_merged_from_our_write_if_it_can_be_seen_there() {
    let landed = ticket(r#"["a","o","t"]"#, 7, LATER_MS + 20);
    let resolved = resolve(sent(), Answer::Refused(Some(landed.clone())), true, NOW_MS);
    assert_eq!((pending(&resolved).base.as_ref(), &resolved.merge_with), (Some(&ours()), &Some(landed)));
    let moved = ticket(r#"["a","t","o"]"#, 7, LATER_MS + 20);
    let resolved = resolve(sent(), Answer::Refused(Some(moved.clone())), true, NOW_MS);
    assert_eq!((pending(&resolved).base.as_ref(), &resolved.merge_with), (Some(&ours()), &Some(moved)));
    let other = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let resolved = settled(sent(), Answer::Refused(Some(other.clone())));
    assert_eq!((pending(&resolved).base.as_ref(), &resolved.merge_with), (Some(&base()), &Some(other)));
}

#[test]
fn what_did_not_land_and_is_there_all_the_same_counts_once_with_its_facts_kept() {
    let with_fact = |mut entry: Entry, facts: &str| {
        Arc::make_mut(&mut entry.fields)[0].1 = facts.into();
        Entry::new(entry.fields, entry.expires_at_ms)
    };
    let mine = with_fact(ours(), r#"{"mine":1}"#);
    let record = record(Some(mine.clone()), Some(base()), Some(InFlight::Write(mine)), None);
    let theirs = with_fact(ticket(r#"["a","o","t"]"#, 7, LATER_MS + 20), r#"{"theirs":1}"#);
    let resolved = settled(record, Answer::Refused(Some(theirs.clone())));
    let [base, mine, _] = to_merge(&resolved.record, &theirs).expect("states");
    assert_eq!((base.history.as_str(), base.facts.as_str()), (r#"["a","o"]"#, "{}"));
    assert_eq!(mine.facts, r#"{"mine":1}"#);
}

#[test]
fn a_message_that_landed_was_undone_and_came_back_by_another_hand_counts_once() {
    let undone = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let resolved = resolve(sent(), Answer::Refused(Some(undone.clone())), true, NOW_MS);
    let ours = merge_base::state(&ticket(r#"["a","t","o","p"]"#, 7, 0)).expect("state");
    let resolved = merged(&resolved.record, undone.clone(), Some(Merged { state: ours, branch: None }), NOW_MS);
    let Step::Send { change, repeated: false, .. } = plan(&resolved.record, NOW_MS) else { panic!("not sent") };
    let back = ticket(r#"["a","o","t"]"#, 7, LATER_MS + 99);
    let resolved = settled(sending(resolved.record, &change), Answer::Refused(Some(back.clone())));
    let [base, mine, theirs] = to_merge(&resolved.record, &back).expect("states");
    assert_eq!((base.history.as_str(), mine.history.as_str()), (r#"["a","t","o"]"#, r#"["a","t","o","p"]"#));
    assert_eq!(theirs.history, r#"["a","o","t"]"#);
    let InFlight::Write(entry) = change else { panic!("no write") };
    let written =
        Answer::Written { revision: entry.revision.clone(), expires_at_ms: entry.expires_at_ms, now_ms: NOW_MS };
    let mut sent_again = resolved.record;
    sent_again = sending(sent_again, &InFlight::Write(entry));
    let complete = resolve(sent_again, written, false, NOW_MS);
    assert_eq!(pending(&complete).unconfirmed, None, "the next such message is a new one");
}

#[test]
fn a_write_that_was_refused_at_its_base_is_remembered_until_one_is_made() {
    let touched = ticket(r#"["a"]"#, 7, LATER_MS + 20);
    let resolved = resolve(sent(), Answer::Refused(Some(touched)), true, NOW_MS);
    assert_eq!(pending(&resolved).unconfirmed.as_deref(), Some(&ours()));
    let first = settled(sent(), Answer::Refused(Some(base())));
    assert_eq!(pending(&first).unconfirmed, None, "it was refused when it was first sent");
}

#[test]
fn what_two_hosts_put_at_the_same_place_is_where_they_parted() {
    let mine = ticket(r#"["a","o","p","m"]"#, 7, LATER_MS);
    let record = record(Some(mine.clone()), Some(base()), Some(InFlight::Write(mine)), None);
    let theirs = ticket(r#"["a", "o","p" ,"t"]"#, 7, LATER_MS + 20);
    let resolved = settled(record, Answer::Refused(Some(theirs.clone())));
    let [base, _, _] = to_merge(&resolved.record, &theirs).expect("states");
    assert_eq!(base.history, r#"["a","o","p"]"#);
}

#[test]
fn long_numbers_that_differ_are_two_messages_and_other_spellings_one() {
    let merged_from = |mine: &str, theirs: &str| {
        let mine = ticket(&format!(r#"["a",{mine}]"#), 7, LATER_MS);
        let record = record(Some(mine.clone()), Some(base()), Some(InFlight::Write(mine)), None);
        let theirs = ticket(&format!(r#"["a",{theirs}]"#), 7, LATER_MS + 20);
        let resolved = resolve(record, Answer::Refused(Some(theirs.clone())), false, LATER_MS);
        to_merge(&resolved.record, &theirs).expect("states")[0].history.clone()
    };
    let parted = merged_from(r#"{"n":123456789012345678901}"#, r#"{"n":123456789012345678902}"#);
    assert_eq!(parted, r#"["a"]"#);
    let shared = merged_from(r#"{"n":[1.0,"é"],"m":{}}"#, r#"{"m":{ }, "n":[1.0, "\u00e9"]}"#);
    assert_eq!(shared, r#"["a",{"n":[1.0,"é"],"m":{}}]"#);
}

#[test]
fn what_is_gone_is_made_again_only_where_it_merely_expired() {
    let resolved = settled(sent(), Answer::Refused(None));
    is_aside(&resolved, &ours(), ConflictReason::GoneElsewhere, None);
    let long = ticket(r#"["a","o"]"#, 7, LATER_MS + 90_000);
    let touched = record(Some(long.clone()), Some(base()), Some(InFlight::Write(ours())), None);
    let resolved = resolve(touched, Answer::Refused(None), true, LATER_MS + 11);
    assert_eq!((&resolved.conflict_copy, &pending(&resolved).base), (&None, &None));
    assert_eq!(
        plan(&resolved.record, LATER_MS + 11),
        Step::Send { change: InFlight::Write(long), when: Condition::Absent, repeated: false }
    );
}

#[test]
fn a_ticket_that_expired_there_while_it_lived_on_here_is_made_again_also_where_a_write_was_on_its_way() {
    let long = ticket(r#"["a","o"]"#, 7, LATER_MS + 90_000);
    for repeated in [false, true] {
        let sent = record(Some(long.clone()), Some(base()), Some(InFlight::Write(long.clone())), None);
        let resolved = resolve(sent, Answer::Refused(None), repeated, LATER_MS + 11);
        assert_eq!((&resolved.conflict_copy, &pending(&resolved).base), (&None, &None));
    }
}

#[test]
fn a_ticket_that_was_closed_and_made_anew_here_is_made_there_where_the_old_one_is_gone() {
    let anew = ticket("[]", 9, LATER_MS + 30);
    let replaced = record(Some(anew.clone()), Some(base()), Some(InFlight::Write(anew.clone())), Some("7"));
    let resolved = settled(replaced, Answer::Refused(None));
    assert_eq!(resolved.conflict_copy, None);
    let step = Step::Send { change: InFlight::Write(anew), when: Condition::Absent, repeated: false };
    assert_eq!(plan(&resolved.record, NOW_MS), step);
}

#[test]
fn two_lives_are_never_mixed_and_a_new_id_that_is_taken_stays_theirs() {
    let other = ticket(r#"["a"]"#, 8, LATER_MS);
    is_aside(
        &settled(sent(), Answer::Refused(Some(other.clone()))),
        &ours(),
        ConflictReason::AnotherIncarnation,
        Some(&other),
    );
    let created = record(Some(ours()), None, Some(InFlight::Write(ours())), None);
    let theirs = ticket(r#"["t"]"#, 7, LATER_MS);
    is_aside(
        &settled(created.clone(), Answer::Refused(Some(theirs.clone()))),
        &ours(),
        ConflictReason::CreatedTwice,
        Some(&theirs),
    );
    let longer = ticket(r#"["a","o","t"]"#, 7, LATER_MS);
    is_aside(
        &settled(created, Answer::Refused(Some(longer.clone()))),
        &ours(),
        ConflictReason::CreatedTwice,
        Some(&longer),
    );
}

#[test]
fn a_close_wins_over_a_change_elsewhere_and_not_over_another_life() {
    let closed = || record(None, Some(base()), Some(InFlight::Removal), Some("7"));
    let theirs = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let resolved = settled(closed(), Answer::Refused(Some(theirs.clone())));
    assert_eq!(resolved.conflict_copy, Some(ConflictCopy { entry: theirs.clone(), why: ConflictReason::ClosedHere }));
    let when = Condition::At(theirs.revision);
    assert_eq!(plan(&resolved.record, NOW_MS), Step::Send { change: InFlight::Removal, when, repeated: false });
    let other = ticket("[]", 8, LATER_MS);
    let resolved = settled(closed(), Answer::Refused(Some(other.clone())));
    assert_eq!((resolved.record.local, resolved.record.pending, resolved.conflict_copy), (Some(other), None, None));
    let resolved = settled(closed(), Answer::Removed);
    assert_eq!(plan(&resolved.record, NOW_MS), Step::Done);
    let ended = LastAck { at_ms: NOW_MS, acked: AckedState::End("7".into()), is_proof: true };
    assert_eq!(resolved.record.last_ack, Some(ended));
}

#[test]
fn damage_stays_and_ours_is_kept_aside() {
    let expected = ConflictCopy { entry: ours(), why: ConflictReason::Damage };
    assert_eq!(damaged(&sent(), NOW_MS), Some(expected));
    assert_eq!(damaged(&record(None, Some(base()), None, Some("7")), NOW_MS), None);
}

#[test]
fn a_merge_is_written_at_what_it_was_made_with_and_keeps_its_losers() {
    let theirs = ticket(r#"["a","t"]"#, 7, LATER_MS + 20);
    let state = merge_base::state(&ticket(r#"["a","t","o"]"#, 7, 0)).expect("state");
    let record = record(Some(ours()), Some(base()), None, None);
    let outcome = Merged { state, branch: Some(Side::Ours) };
    let resolved = merged(&record, theirs.clone(), Some(outcome), NOW_MS);
    assert_eq!(resolved.conflict_copy, Some(ConflictCopy { entry: ours(), why: ConflictReason::NotMixed }));
    let merged_entry = resolved.record.local.clone().expect("merged");
    assert!(same_content(&merged_entry, &ticket(r#"["a","t","o"]"#, 7, 0)));
    assert!(merged_entry.expires_at_ms > theirs.expires_at_ms, "a new state");
    let when = Condition::At(theirs.revision.clone());
    let step = plan(&resolved.record, NOW_MS);
    assert_eq!(step, Step::Send { change: InFlight::Write(merged_entry), when, repeated: false });
    is_aside(&merged(&record, theirs.clone(), None, NOW_MS), &ours(), ConflictReason::Unmergeable, Some(&theirs));
}

#[test]
fn only_a_first_write_of_another_content_proves_a_data_set() {
    let is_proof = |base: Option<Entry>, repeated| {
        let written = Answer::Written { revision: ours().revision, expires_at_ms: LATER_MS + 10, now_ms: NOW_MS };
        let sent = record(Some(ours()), base, Some(InFlight::Write(ours())), None);
        resolve(sent, written, repeated, NOW_MS).record.last_ack.expect("own").is_proof
    };
    assert!(is_proof(Some(base()), false));
    assert!(is_proof(None, false));
    assert!(!is_proof(Some(base()), true), "it may have come there late");
    assert!(
        !is_proof(Some(ticket(r#"["a","o"]"#, 7, LATER_MS)), false),
        "another may write the same with any deadline"
    );
}

fn own(at_ms: u64, revision: &Revision) -> Option<LastAck> {
    Some(LastAck { at_ms, acked: AckedState::State(revision.clone()), is_proof: true })
}

#[test]
fn what_was_acknowledged_after_the_newest_that_survived_is_written_back() {
    let copy = Record::saved(Some(ours()), own(50, &ours().revision), NOW_MS);
    let lost = |shown: Option<&Entry>, survived_ms| after_loss(&copy, shown, survived_ms, NOW_MS);
    assert_eq!(lost(None, Some(51)), None, "it was there after that: somebody closed it");
    let missing = lost(None, Some(50)).expect("lost");
    assert_eq!(pending(&missing).base, None);
    let older = lost(Some(&base()), None).expect("lost");
    assert_eq!(pending(&older).base, Some(base()));
    let newer = ticket(r#"["a","o","t"]"#, 7, LATER_MS + 99);
    assert_eq!(lost(Some(&newer), None), None, "somebody went on from ours");
    let forked = ticket(r#"["a","t"]"#, 7, LATER_MS + 99);
    let resolved = lost(Some(&forked), None).expect("lost");
    let [base, mine, _] = to_merge(&resolved.record, &forked).expect("states");
    assert_eq!((base.history.as_str(), mine.history.as_str()), (r#"["a"]"#, r#"["a","o"]"#));
}

#[test]
fn a_close_that_was_lost_is_made_again() {
    let ended = Some(LastAck { at_ms: 50, acked: AckedState::End("7".into()), is_proof: true });
    let closed = Record::saved(None, ended, NOW_MS);
    let resolved = after_loss(&closed, Some(&base()), None, NOW_MS).expect("lost");
    assert_eq!(
        plan(&resolved.record, NOW_MS),
        Step::Send { change: InFlight::Removal, when: Condition::At(base().revision), repeated: false }
    );
    assert_eq!(after_loss(&closed, Some(&ticket("[]", 8, LATER_MS)), None, NOW_MS), None, "another life");
}
