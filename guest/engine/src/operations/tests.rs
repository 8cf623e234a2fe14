//! The loop of read, change and conditional write, against a port that loses races and answers with old copies.

use super::*;
use fake::Fake;
use ticket_model::port::Fields;
use ticket_model::ticket::{Bounds, Effect, IdPage, Put};

mod changes;
mod fake;

const SETTINGS: Settings =
    Settings { ttl_ms: 1_800_000, message_bytes_max: 1_000, ticket_bytes_max: 10_000, history_entries_max: 100 };

fn say(text: &str) -> Vec<Change> {
    vec![Change::Say(text.into())]
}

fn put(pointer: &str, value: &str) -> Change {
    Change::Put(Put { pointer: pointer.into(), value: value.into(), only_if_absent: false })
}

fn applied(ticket: Ticket) -> Applied {
    Applied { ticket, effect: Effect::default() }
}

fn record(history: &str) -> Fields {
    record::encode(&State { history: history.into(), ..Sound::new(50).into_state() }, |fields| owned(&fields))
}

fn owned(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}

#[test]
fn a_ticket_lives() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    let ticket = engine.create(None, say("\"a\""), None).unwrap().ticket;
    assert_eq!((ticket.id.as_str(), ticket.state.created_at, ticket.expires_at_ms), ("fresh", 100, 9));
    assert!(matches!(engine.create(Some("fresh".into()), vec![], None), Err(Error::Exists(_))));
    let before = engine.snapshot("fresh".into()).unwrap();
    let changed = engine.apply("fresh".into(), say("\"b\""), None, None).unwrap().ticket;
    assert_eq!(changed.state.history, "[\"a\",\"b\"]");
    let back = engine.rollback("fresh".into(), &before, None, None).unwrap();
    assert_eq!(back.state, ticket.state);
    assert_eq!(engine.get("fresh".into()).unwrap().state, ticket.state);
    engine.close("fresh".into(), None).unwrap();
    assert!(matches!(engine.get("fresh".into()), Err(Error::NotFound(_))));
    assert!(matches!(engine.touch("fresh".into(), None), Err(Error::NotFound(_))));
    assert_eq!(engine.restore(&before, None).unwrap().state, ticket.state);
    assert!(matches!(engine.restore(&before, None), Err(Error::Exists(_))));
}

#[test]
fn a_lost_race_is_run_again_on_what_won() {
    let fake = Fake::default();
    fake.attempts_max.set(3);
    fake.put("ticket:t", record("[]"));
    *fake.rivals.borrow_mut() = vec![Some(record("[1,2]")), Some(record("[1]"))];
    let ticket = Engine::new(&fake).apply("t".into(), say("\"us\""), None, None).unwrap().ticket;
    assert_eq!(ticket.state.history, "[1,2,\"us\"]");
    assert_eq!(fake.reads.borrow().len(), 1, "the refusal brings the entry");
}

#[test]
fn a_conflict_has_the_current_ticket() {
    let fake = Fake::default();
    fake.attempts_max.set(2);
    fake.put("ticket:t", record("[]"));
    *fake.rivals.borrow_mut() = vec![Some(record("[1,2]")), Some(record("[1]"))];
    match Engine::new(&fake).apply("t".into(), say("\"us\""), None, None) {
        Err(Error::Conflict(Some(current))) => assert_eq!(current.state.history, "[1,2]"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_named_revision_is_never_run_again() {
    let fake = Fake::default();
    fake.attempts_max.set(9);
    let seen = fake.put("ticket:t", record("[]")).revision;
    let engine = Engine::new(&fake);
    *fake.rivals.borrow_mut() = vec![Some(record("[1]"))];
    assert!(matches!(engine.apply("t".into(), say("\"us\""), Some(&seen), None), Err(Error::Conflict(Some(_)))));
    assert!(matches!(engine.apply("t".into(), say("\"us\""), Some(&seen), None), Err(Error::Conflict(Some(_)))));
    let now = engine.get("t".into()).unwrap().revision;
    assert!(engine.apply("t".into(), say("\"us\""), Some(&now), None).is_ok());
    assert!(matches!(engine.close("t".into(), Some(&now)), Err(Error::Conflict(Some(_)))));
}

#[test]
fn a_ticket_that_ends_between_read_and_write_stays_ended() {
    let fake = Fake::default();
    fake.attempts_max.set(9);
    fake.put("ticket:t", record("[]"));
    *fake.rivals.borrow_mut() = vec![None];
    assert!(matches!(Engine::new(&fake).apply("t".into(), say("\"us\""), None, None), Err(Error::NotFound(_))));
    assert!(fake.entries.borrow().is_empty());
}

#[test]
fn an_old_copy_feeds_a_write_and_decides_nothing() {
    let fake = Fake::default();
    fake.attempts_max.set(9);
    let old = fake.put("ticket:t", record("[{\"id\":\"m\"}]"));
    fake.put("ticket:t", record("[]"));
    *fake.stale.borrow_mut() = Some(old);
    let engine = Engine::new(&fake);
    let ticket = engine.apply("t".into(), say("{\"id\":\"m\"}"), None, None).unwrap().ticket;
    assert_eq!(ticket.state.history, "[{\"id\":\"m\"}]", "appended, although the copy has it");
    assert_eq!(*fake.reads.borrow(), [Freshness::Recent, Freshness::Latest]);
    fake.entries.borrow_mut().clear();
    assert!(matches!(engine.apply("t".into(), say("\"x\""), None, None), Err(Error::NotFound(_))));
    assert!(matches!(engine.apply("t".into(), say("{\"id\":\"m\",\"x\":1}"), None, None), Err(Error::NotFound(_))));
}

#[test]
fn damage_is_left_alone_by_all_but_rollback_and_close() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    let before = engine.create(Some("t".into()), vec![], None).and_then(|_| engine.snapshot("t".into())).unwrap();
    let mut damaged = record("[");
    damaged.retain(|(name, _)| name != "created_at");
    fake.put("ticket:t", damaged.clone());
    assert!(matches!(engine.get("t".into()), Err(Error::Corrupt(_))));
    assert!(matches!(engine.apply("t".into(), say("\"x\""), None, None), Err(Error::Corrupt(_))));
    assert!(matches!(engine.snapshot("t".into()), Err(Error::Corrupt(_))));
    assert_eq!(fake.entries.borrow()["ticket:t"].fields, damaged);
    let revision = fake.entries.borrow()["ticket:t"].revision.clone();
    engine.rollback("t".into(), &before, None, None).unwrap();
    assert_eq!(fake.conditions.borrow().last(), Some(&Condition::At(revision)));
    *fake.broken.borrow_mut() = Some(KeyValueError::Corrupt("a list".into()));
    engine.close("t".into(), None).unwrap();
    assert_eq!(fake.conditions.borrow().last(), Some(&Condition::Present));
    assert!(fake.entries.borrow().is_empty());
}

#[test]
fn damage_is_a_conflict_for_a_named_revision() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    for operation in 0..2 {
        let before = engine.create(Some("t".into()), vec![], None).unwrap().ticket.revision;
        let snapshot = engine.snapshot("t".into()).unwrap();
        *fake.rivals.borrow_mut() = vec![Some(record("["))];
        for _ in 0..2 {
            let answer = match operation {
                0 => engine.rollback("t".into(), &snapshot, Some(&before), None).map(drop),
                _ => engine.close("t".into(), Some(&before)),
            };
            assert!(matches!(answer, Err(Error::Conflict(None))), "{answer:?}");
        }
        engine.close("t".into(), None).unwrap();
    }
}

#[test]
fn a_newer_version_is_left_alone_by_everything() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    let before = engine.create(Some("t".into()), vec![], None).and_then(|_| engine.snapshot("t".into())).unwrap();
    let mut newer = record("[]");
    newer.retain(|(name, _)| name != "version");
    newer.push(("version".into(), "2".into()));
    fake.put("ticket:t", newer);
    for result in [
        engine.get("t".into()).map(drop),
        engine.apply("t".into(), say("\"x\""), None, None).map(drop),
        engine.rollback("t".into(), &before, None, None).map(drop),
        engine.close("t".into(), None),
    ] {
        assert!(matches!(result, Err(Error::UnsupportedVersion(_))), "{result:?}");
    }
}

#[test]
fn rollback_refuses_what_is_not_of_this_ticket() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    let snapshot =
        |id: &str| engine.create(Some(id.into()), vec![], None).and_then(|_| engine.snapshot(id.into())).unwrap();
    let (of_t, of_u) = (snapshot("t"), snapshot("u"));
    assert!(matches!(engine.rollback("t".into(), &of_u, None, None), Err(Error::Invalid(_))));
    fake.put("ticket:t", record("[]"));
    assert!(matches!(engine.rollback("t".into(), &of_t, None, None), Err(Error::Invalid(_))), "created at 50, not 100");
    engine.close("t".into(), None).unwrap();
    assert!(matches!(engine.rollback("t".into(), &of_t, None, None), Err(Error::NotFound(_))));
}

#[test]
fn an_old_record_is_migrated_in_answers_and_by_the_next_write() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    let old: Fields = record("[ 1 ]").into_iter().take(3).collect();
    fake.put("ticket:t", old.clone());
    let seen = engine.get("t".into()).unwrap();
    assert_eq!((seen.state.created_at, seen.state.history.as_str()), (0, "[ 1 ]"));
    assert_eq!(fake.entries.borrow()["ticket:t"].fields, old, "reading writes nothing");
    let before = engine.snapshot("t".into()).unwrap();
    engine.apply("t".into(), say("\"x\""), None, None).unwrap();
    assert_eq!(fake.entries.borrow()["ticket:t"].fields.len(), 6);
    assert_eq!(engine.rollback("t".into(), &before, None, None).unwrap().state, seen.state);
    engine.close("t".into(), None).unwrap();
    let later = engine.create(Some("t".into()), vec![], None).and_then(|_| engine.snapshot("t".into())).unwrap();
    fake.put("ticket:t", old);
    assert!(matches!(engine.rollback("t".into(), &later, None, None), Err(Error::Invalid(_))), "another incarnation");
}

#[test]
fn invalid_calls_do_not_reach_the_store() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    for result in [
        engine.apply("t".into(), vec![], None, None),
        engine.apply("t t".into(), say("\"x\""), None, None),
        engine.apply("t".into(), say("x"), None, None),
        engine.rollback("t".into(), "{}", None, None).map(applied),
        engine.create(Some("*".into()), vec![], None),
        engine.apply("t".into(), vec![Change::Trim(Bounds::default())], None, None),
        engine.apply("t".into(), vec![put("", "1")], None, None),
        engine.apply("t".into(), vec![put("a", "1")], None, None),
        engine.apply("t".into(), vec![put("/a", "x")], None, None),
    ] {
        assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
    }
    assert!(fake.reads.borrow().is_empty() && fake.conditions.borrow().is_empty());
}

#[test]
fn a_listing_skips_keys_that_are_not_tickets() {
    let fake = Fake::default();
    for key in ["ticket:a", "ticket:a:b", "ticket:", "other"] {
        fake.put(key, vec![]);
    }
    let page = Engine::new(&fake).list_ids("", None).unwrap();
    assert_eq!(page, IdPage { ids: vec!["a".into()], cursor: Some("next".into()) });
}
