//! The loop of read, change and conditional write, against a port that loses races and answers with old copies.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::*;
use ticket_model::port::{Fields, Page};
use ticket_model::ticket::{Bounds, Effect, IdPage, Put};

const SETTINGS: Settings =
    Settings { ttl_ms: 1_800_000, message_bytes_max: 1_000, ticket_bytes_max: 10_000, history_entries_max: 100 };

/// A port in memory whose revisions count up.
#[derive(Default)]
struct Fake {
    entries: RefCell<BTreeMap<String, Entry>>,
    /// What `recent` answers instead of the entry.
    stale: RefCell<Option<Entry>>,
    /// What another client writes just before the next writes, last first; `None` removes the entry.
    rivals: RefCell<Vec<Option<Fields>>>,
    /// What every read answers.
    broken: RefCell<Option<KeyValueError>>,
    next_revision: Cell<u64>,
    reads: RefCell<Vec<Freshness>>,
    conditions: RefCell<Vec<Condition>>,
    attempts_max: Cell<u32>,
    ttls_ms: RefCell<Vec<u64>>,
}

impl Fake {
    fn put(&self, key: &str, fields: Fields) -> Entry {
        self.next_revision.set(self.next_revision.get() + 1);
        let entry = Entry { fields, revision: self.next_revision.get().to_string(), expires_at_ms: 7 };
        self.entries.borrow_mut().insert(key.into(), entry.clone());
        entry
    }

    fn change(&self, key: &str, when: &Condition, fields: Option<&Fields>) -> Outcome {
        self.conditions.borrow_mut().push(when.clone());
        match self.rivals.borrow_mut().pop() {
            Some(Some(fields)) => drop(self.put(key, fields)),
            Some(None) => drop(self.entries.borrow_mut().remove(key)),
            None => {}
        }
        let current = self.entries.borrow().get(key).cloned();
        let holds = match (when, &current) {
            (Condition::Absent, current) => current.is_none(),
            (Condition::Present, current) => current.is_some(),
            (Condition::At(revision), current) => current.as_ref().is_some_and(|entry| entry.revision == *revision),
        };
        if !holds {
            return Outcome { applied: false, revision: None, expires_at_ms: 0, current };
        }
        self.entries.borrow_mut().remove(key);
        let revision = fields.map(|fields| self.put(key, fields.clone()).revision);
        Outcome { applied: true, expires_at_ms: 9, revision, current: None }
    }
}

impl Port for &Fake {
    fn read(&self, key: &str, freshness: Freshness) -> Result<Option<Entry>, KeyValueError> {
        self.reads.borrow_mut().push(freshness);
        if let Some(error) = self.broken.borrow().clone() {
            return Err(error);
        }
        if let (Freshness::Recent, Some(stale)) = (freshness, self.stale.borrow().clone()) {
            return Ok(Some(stale));
        }
        Ok(self.entries.borrow().get(key).cloned())
    }

    fn write(
        &self,
        key: &str,
        fields: &[(&str, &str)],
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, KeyValueError> {
        self.ttls_ms.borrow_mut().push(ttl_ms);
        Ok(self.change(key, when, Some(&owned(fields))))
    }

    fn touch(&self, key: &str, ttl_ms: u64) -> Result<Outcome, KeyValueError> {
        self.ttls_ms.borrow_mut().push(ttl_ms);
        let fields = self.entries.borrow().get(key).map(|entry| entry.fields.clone());
        Ok(self.change(key, &Condition::Present, fields.as_ref()))
    }

    fn remove(&self, key: &str, when: &Condition) -> Result<Outcome, KeyValueError> {
        Ok(self.change(key, when, None))
    }

    fn scan(&self, _cursor: Option<&str>, _limit: u32) -> Result<Page, KeyValueError> {
        Ok(Page { keys: self.entries.borrow().keys().cloned().collect(), cursor: Some("next".into()) })
    }

    fn now_ms(&self) -> u64 {
        100_999
    }

    fn fresh_id(&self) -> String {
        "fresh".into()
    }

    fn settings(&self) -> Settings {
        SETTINGS
    }

    fn try_again(&self, attempt: u32) -> bool {
        attempt <= self.attempts_max.get()
    }
}

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
fn ensure_makes_a_ticket_or_changes_it() {
    let fake = Fake::default();
    fake.attempts_max.set(3);
    let engine = Engine::new(&fake);
    let made = engine.ensure("t".into(), say("\"a\""), None).unwrap();
    assert!(made.effect.created && made.ticket.state.created_at == 100);
    let changed = engine.ensure("t".into(), say("\"b\""), None).unwrap();
    assert!(!changed.effect.created && changed.ticket.state.history == "[\"a\",\"b\"]");
    let same = engine.ensure("t".into(), vec![], None).unwrap();
    assert_eq!((&same.ticket.state, same.effect), (&changed.ticket.state, Effect::default()));
    assert_ne!(same.ticket.revision, changed.ticket.revision, "the deadline moves");
}

#[test]
fn ensure_loses_no_race() {
    let fake = Fake::default();
    fake.attempts_max.set(3);
    // Made by another client just before the write, then closed just before the next one.
    *fake.rivals.borrow_mut() = vec![None, Some(record("[1]"))];
    let made = Engine::new(&fake).ensure("t".into(), say("\"us\""), None).unwrap();
    assert!(made.effect.created && made.ticket.state.history == "[\"us\"]");
    let conditions = fake.conditions.borrow();
    assert!(matches!(conditions[..], [Condition::Absent, Condition::At(_), Condition::Absent]), "{conditions:?}");
}

#[test]
fn messages_are_taken_back_and_dropped_with_the_answer_saying_so() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    fake.put("ticket:t", record("[1,{\"id\":\"m\"},3]"));
    let changes = vec![Change::Retract(1), Change::Say("{\"id\":\"n\"}".into()), Change::Retract(2)];
    let Applied { ticket, effect } = engine.apply("t".into(), changes, None, None).unwrap();
    assert_eq!(ticket.state.history, "[1]");
    assert_eq!(effect.retracted, ["{\"id\":\"m\"}", "{\"id\":\"n\"}", "3"]);
    assert_eq!(ticket.state.updated_at, 100);
    let bounds = Bounds { entries_max: Some(2), bytes_max: None };
    let changes = vec![Change::Say("\"b\"".into()), Change::Say("\"c\"".into()), Change::Trim(bounds)];
    let Applied { ticket, effect } = engine.apply("t".into(), changes, None, None).unwrap();
    assert_eq!((ticket.state.history.as_str(), effect.trimmed), ("[\"b\",\"c\"]", 1));
}

#[test]
fn what_finds_nothing_to_do_leaves_the_time_of_the_last_change() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    fake.put("ticket:t", record("[]"));
    let put = Put { pointer: "/a".into(), value: "1".into(), only_if_absent: true };
    let trim = Change::Trim(Bounds { entries_max: Some(1), bytes_max: Some(9) });
    let nothing = vec![Change::Retract(3), trim];
    let applied = engine.apply("t".into(), nothing, None, None).unwrap();
    assert_eq!((applied.ticket.state.updated_at, applied.effect), (50, Effect::default()));
    let applied = engine.apply("t".into(), vec![Change::Put(put.clone())], None, None).unwrap();
    assert_eq!((applied.ticket.state.updated_at, applied.ticket.state.facts.as_str()), (100, "{\"a\":1}"));
    fake.put(
        "ticket:t",
        record("[]")
            .into_iter()
            .map(|(name, text)| match name.as_str() {
                "facts" => (name, "{\"a\":null}".into()),
                _ => (name, text),
            })
            .collect(),
    );
    let applied = engine.apply("t".into(), vec![Change::Put(put)], None, None).unwrap();
    assert_eq!((applied.ticket.state.updated_at, applied.ticket.state.facts.as_str()), (50, "{\"a\":null}"));
}

#[test]
fn parts_of_a_ticket_are_read() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    let changes =
        vec![Change::Learn("{\"a\":{\"b\":[1,2]}}".into()), Change::Say("\"x\"".into()), Change::Say("\"y\"".into())];
    engine.create(Some("t".into()), changes, None).unwrap();
    assert_eq!(engine.get_fact("t".into(), "/a/b/1").unwrap().value.as_deref(), Some("2"));
    assert_eq!(engine.get_fact("t".into(), "/a/c").unwrap().value, None);
    let messages = engine.get_messages("t".into(), 1, None).unwrap();
    assert_eq!((messages.messages, messages.history_entries), (vec!["\"y\"".to_owned()], 2));
    let summary = engine.get_summary("t".into()).unwrap();
    assert_eq!((summary.facts_bytes, summary.history_bytes, summary.history_entries), (17, 9, 2));
    assert_eq!(summary.revision, engine.get("t".into()).unwrap().revision);
    assert!(engine.exists("t".into()).unwrap() && !engine.exists("u".into()).unwrap());
    for error in [engine.get_fact("u".into(), "").map(drop), engine.get_messages("u".into(), 1, None).map(drop)] {
        assert!(matches!(error, Err(Error::NotFound(_))));
    }
    assert!(matches!(engine.get_fact("t".into(), "a"), Err(Error::Invalid(_))));
}

#[test]
fn a_listing_has_the_tickets_of_a_prefix() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    for id in ["user-1", "user-2", "order"] {
        engine.create(Some(id.into()), vec![], None).unwrap();
    }
    fake.put("ticket:user-3", record("["));
    assert_eq!(engine.list_ids("user-", None).unwrap().ids, ["user-1", "user-2", "user-3"]);
    let page = engine.list_summaries("user-", None).unwrap();
    let ids: Vec<_> = page.summaries.iter().map(|summary| summary.id.as_str()).collect();
    assert_eq!((ids, page.unreadable), (vec!["user-1", "user-2"], vec!["user-3".to_owned()]));
    for prefix in ["user:", "-", "a b"] {
        assert!(matches!(engine.list_ids(prefix, None), Err(Error::Invalid(_))), "{prefix}");
    }
}

#[test]
fn a_call_names_its_time_to_live_within_the_limits() {
    let fake = Fake::default();
    let engine = Engine::new(&fake);
    engine.create(Some("t".into()), vec![], Some(1_000)).unwrap();
    engine.apply("t".into(), say("\"x\""), None, Some(31_622_400_000)).unwrap();
    engine.ensure("t".into(), vec![], None).unwrap();
    engine.touch("t".into(), Some(5_000)).unwrap();
    assert_eq!(*fake.ttls_ms.borrow(), [1_000, 31_622_400_000, 1_800_000, 5_000]);
    for ttl_ms in [0, 999, 31_622_400_001] {
        assert!(matches!(engine.touch("t".into(), Some(ttl_ms)), Err(Error::Invalid(_))), "{ttl_ms}");
        assert!(matches!(engine.ensure("u".into(), vec![], Some(ttl_ms)), Err(Error::Invalid(_))), "{ttl_ms}");
    }
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
