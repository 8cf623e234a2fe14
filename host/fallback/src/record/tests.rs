//! What changes and answers make of a record.

use super::*;
use ticket_store::Fields;

const NOW_MS: u64 = 1_000_000;

fn entry(text: &str, expires_at_ms: u64) -> Entry {
    let fields: Fields = vec![("facts".into(), text.into()), ("created_at".into(), "7".into())];
    Entry::new(fields, expires_at_ms)
}

fn saved() -> Record {
    Record::saved(Some(entry("a", NOW_MS + 500)), None, NOW_MS)
}

fn at(record: &Record) -> Condition {
    Condition::At(record.local.as_ref().expect("an entry").revision.clone())
}

fn changed(known: Option<Record>, change: &Change<'_>, when: &Condition, in_flight: bool) -> (Record, Outcome) {
    let (record, outcome) = Record::change(known, change, when, in_flight, NOW_MS).expect("known");
    (record, outcome)
}

#[test]
fn an_unknown_ticket_can_only_be_created() {
    let new = entry("n", NOW_MS + 900);
    let present = Record::change(None, &Change::Write(&new), &Condition::Present, false, NOW_MS);
    assert_eq!(present, None);
    let (record, outcome) = changed(None, &Change::Write(&new), &Condition::Absent, false);
    assert!(matches!(outcome, Outcome::Written { .. }));
    let pending = record.pending.expect("pending");
    assert_eq!((pending.base, pending.in_flight, pending.since_ms), (None, None, NOW_MS));
}

#[test]
fn changes_keep_the_base_and_the_first_write_in_flight() {
    let (one, two) = (entry("one", NOW_MS + 900), entry("two", NOW_MS + 901));
    let (record, _) = changed(Some(saved()), &Change::Write(&one), &at(&saved()), true);
    let when = at(&record);
    let (record, _) = changed(Some(record), &Change::Write(&two), &when, false);
    let pending = record.pending.clone().expect("pending");
    assert_eq!(pending.base, saved().local);
    assert_eq!(pending.in_flight, Some(InFlight::Write(one)));
    assert_eq!(record.local, Some(two));
    let read = Record::after_read(Some(record.clone()), None, NOW_MS);
    assert_eq!(read, record, "the sync asks for itself");
}

#[test]
fn a_condition_is_compared_with_the_record() {
    let new = entry("n", NOW_MS + 900);
    let stale = Condition::At(entry("other", 1).revision);
    for when in [stale, Condition::Absent] {
        let (record, outcome) = changed(Some(saved()), &Change::Write(&new), &when, false);
        assert_eq!(outcome, Outcome::Refused(saved().local));
        assert_eq!(record, saved());
    }
    let gone = Record::saved(None, None, NOW_MS);
    let (record, outcome) = changed(Some(gone.clone()), &Change::Touch(NOW_MS + 9), &Condition::Present, false);
    assert_eq!((record, outcome), (gone, Outcome::Refused(None)));
}

#[test]
fn a_close_keeps_its_incarnation_and_a_touch_is_not_sent() {
    let (touched, _) = changed(Some(saved()), &Change::Touch(NOW_MS + 800), &Condition::Present, true);
    assert_eq!(touched.local, Some(entry("a", NOW_MS + 800)));
    assert_eq!(touched.pending.as_ref().expect("pending").in_flight, None);
    let (closed, outcome) = changed(Some(touched), &Change::Remove, &Condition::Present, true);
    let pending = closed.pending.clone().expect("pending");
    assert_eq!((outcome, closed.local), (Outcome::Removed, None));
    assert_eq!((pending.closed_incarnation.as_deref(), pending.in_flight), (Some("7"), Some(InFlight::Removal)));
}

#[test]
fn an_expired_record_is_gone_and_later_stale() {
    let record = saved();
    assert!(record.alive(NOW_MS + 500).is_some());
    assert!(record.alive(NOW_MS + 501).is_none());
    assert!(!record.is_stale(NOW_MS + 501));
    assert!(record.is_stale(NOW_MS + 501 + ABSENCE_KEPT_MS));
}

#[test]
fn a_record_survives_serialization() {
    let (record, _) = changed(Some(saved()), &Change::Write(&entry("n", 5)), &at(&saved()), true);
    let text = serde_json::to_string(&record).expect("text");
    assert_eq!(serde_json::from_str::<Record>(&text).expect("record"), record);
}

#[test]
fn a_record_of_an_older_file_keeps_its_bytes() {
    let written = concat!(
        r#"{"local":[[["facts","{}"],["created_at","7"]],1000900],"#,
        r#""unsaved":{"base":[[["facts","b"],["created_at","7"]],1000500],"#,
        r#""sent":{"Write":[[["facts","s"],["created_at","7"]],1000600]},"#,
        r#""tried":[[["facts","t"],["created_at","7"]],1000700],"#,
        r#""closed_life":"6","since_ms":1000000,"lost":false},"#,
        r#""own":{"at_ms":999000,"made":{"State":"1000500.7..1.0.0"},"is_proof":true},"gone_until_ms":2800900}"#,
    );
    let closed = concat!(
        r#"{"local":null,"unsaved":{"base":null,"sent":"Removal","tried":null,"closed_life":null,"since_ms":1,"#,
        r#""lost":true},"own":{"at_ms":2,"made":{"End":"7"},"is_proof":false},"gone_until_ms":3}"#,
    );
    for text in [written, closed] {
        let record: Record = serde_json::from_str(text).expect("a record");
        assert!(record.pending.is_some());
        assert_eq!(serde_json::to_string(&record).expect("text"), text);
    }
    let without_unconfirmed = closed.replace(r#""tried":null,"#, "");
    assert_eq!(
        serde_json::from_str::<Record>(&without_unconfirmed).expect("a record").pending.map(|p| p.unconfirmed),
        Some(None)
    );
}

#[test]
fn a_record_without_a_deadline_is_never_stale() {
    let healed = Record::saved(Some(entry("a", 0)), None, NOW_MS);
    assert_eq!(healed.gone_until_ms, u64::MAX);
    assert!(healed.alive(u64::MAX).is_some() && !healed.is_stale(u64::MAX));
}

#[test]
fn a_write_seen_by_a_read_needs_no_answer() {
    let new = entry("new", NOW_MS + 900);
    let seen = Record::saved(Some(new.clone()), None, NOW_MS);
    let (record, outcome) = changed(Some(seen.clone()), &Change::Write(&new), &at(&saved()), true);
    assert_eq!(record, seen, "nothing is left to resolve");
    assert_eq!(outcome, Outcome::Written { revision: new.revision.clone(), expires_at_ms: NOW_MS + 900 });
    let (_, outcome) = changed(Some(seen), &Change::Write(&new), &at(&saved()), false);
    assert_eq!(outcome, Outcome::Refused(Some(new)), "what was not sent is another client's");
}

#[test]
fn the_later_of_two_acknowledged_changes_stays() {
    let (one, two) = (entry("one", NOW_MS + 900), entry("two", NOW_MS + 901));
    let ended =
        |incarnation: &str| Some(LastAck { at_ms: NOW_MS, acked: AckedState::End(incarnation.into()), is_proof: true });
    let record = Record::saved(Some(two.clone()), None, NOW_MS);
    assert!(record.is_later_than(Some(&one), None) && !record.is_later_than(Some(&two), None));
    assert!(!record.is_later_than(None, ended("7").as_ref()), "it was removed");
    assert!(record.is_later_than(None, ended("6").as_ref()), "an earlier incarnation was removed");
    let closed = Record::saved(None, ended("7"), NOW_MS);
    assert!(closed.is_later_than(Some(&one), None), "it was written, then removed");
    assert!(!Record::saved(None, ended("6"), NOW_MS).is_later_than(Some(&one), None));
}
