//! The adapter over a bucket in memory that can be damaged and can fail; its clock is set by the test.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ticket_engine::{Change, Engine, Error};
use ticket_model::port::{Condition, Entry, Freshness, KeyValueError, Outcome, Port};

use crate::adapter::Adapter;
use crate::imports::{Imports, StoreError};
use ticket_model::limits::ENTRY_BYTES_MAX;

const TTL_MS: u64 = 60_000;
const KEY: &str = "ticket:a";

/// A bucket that lists two keys at a time.
#[derive(Default)]
struct Memory {
    values: RefCell<BTreeMap<String, Vec<u8>>>,
    now_ms: Cell<u64>,
    drawn: Cell<u64>,
    gets_fail: RefCell<Option<StoreError>>,
    changes_fail: RefCell<Option<StoreError>>,
    cursor_repeats: Cell<bool>,
}

impl Memory {
    fn put(&self, key: &str, value: &str) {
        self.values.borrow_mut().insert(key.to_owned(), value.into());
    }

    fn has(&self, key: &str) -> bool {
        self.values.borrow().contains_key(key)
    }
}

impl Imports for &Memory {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.gets_fail.borrow().clone().map_or(Ok(()), Err)?;
        Ok(self.values.borrow().get(key).cloned())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.changes_fail.borrow().clone().map_or(Ok(()), Err)?;
        self.values.borrow_mut().insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.changes_fail.borrow().clone().map_or(Ok(()), Err)?;
        self.values.borrow_mut().remove(key);
        Ok(())
    }

    fn list_keys(&self, cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), StoreError> {
        self.gets_fail.borrow().clone().map_or(Ok(()), Err)?;
        if self.cursor_repeats.get() {
            return Ok((Vec::new(), Some(7)));
        }
        let from = usize::try_from(cursor.unwrap_or(0)).unwrap();
        let keys: Vec<String> = self.values.borrow().keys().rev().skip(from).take(2).cloned().collect();
        let next = (from + 2 < self.values.borrow().len()).then_some(from as u64 + 2);
        Ok((keys, next))
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn random(&self) -> u64 {
        self.drawn.set(self.drawn.get() + 1);
        // Spread over all bits.
        self.drawn.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

fn memory() -> Memory {
    let memory = Memory::default();
    memory.now_ms.set(1_750_000_000_000);
    memory
}

fn written(outcome: Result<Outcome, KeyValueError>) -> String {
    let outcome = outcome.unwrap();
    assert!(outcome.applied && outcome.current.is_none(), "{outcome:?}");
    outcome.revision.unwrap()
}

fn refused(outcome: Result<Outcome, KeyValueError>) -> Option<Entry> {
    let outcome = outcome.unwrap();
    assert!(!outcome.applied && outcome.revision.is_none() && outcome.expires_at_ms == 0, "{outcome:?}");
    outcome.current
}

#[test]
fn an_entry_is_read_up_to_its_deadline_and_deleted_after() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    let outcome = adapter.write(KEY, &[("facts", "{}"), ("é", "")], TTL_MS, &Condition::Absent).unwrap();
    assert_eq!(outcome.expires_at_ms, memory.now_ms.get() + TTL_MS);
    let entry = adapter.read(KEY, Freshness::Recent).unwrap().unwrap();
    assert_eq!(entry.fields, [("facts".to_owned(), "{}".to_owned()), ("é".to_owned(), String::new())]);
    assert_eq!((Some(entry.revision), entry.expires_at_ms), (outcome.revision, outcome.expires_at_ms));

    memory.now_ms.set(outcome.expires_at_ms);
    assert!(adapter.read(KEY, Freshness::Latest).unwrap().is_some());
    memory.now_ms.set(outcome.expires_at_ms + 1);
    assert!(memory.has(KEY));
    assert_eq!(adapter.read(KEY, Freshness::Latest).unwrap(), None);
    assert!(!memory.has(KEY));
}

#[test]
fn an_entry_without_a_deadline_stays() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    memory.put(KEY, r#"{"expires_at_ms":0,"revision":"theirs","fields":{"a":"1"}}"#);
    memory.now_ms.set(u64::MAX);
    let entry = adapter.read(KEY, Freshness::Latest).unwrap().unwrap();
    assert_eq!((entry.revision.as_str(), entry.expires_at_ms), ("theirs", 0));
    memory.now_ms.set(5);
    written(adapter.touch(KEY, TTL_MS));
    assert_eq!(adapter.read(KEY, Freshness::Latest).unwrap().unwrap().expires_at_ms, 5 + TTL_MS);
}

#[test]
fn an_expired_entry_is_absent_to_every_call() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    let calls: [&dyn Fn(&str); 6] = [
        &|revision| {
            let at = Condition::At(revision.to_owned());
            assert_eq!(refused(adapter.write(KEY, &[("a", "2")], TTL_MS, &at)), None);
        },
        &|_| assert_eq!(refused(adapter.write(KEY, &[("a", "2")], TTL_MS, &Condition::Present)), None),
        &|_| drop(written(adapter.write(KEY, &[("a", "2")], TTL_MS, &Condition::Absent))),
        &|_| assert_eq!(refused(adapter.touch(KEY, TTL_MS)), None),
        &|_| assert_eq!(refused(adapter.remove(KEY, &Condition::Present)), None),
        &|_| assert_eq!(adapter.scan(None, 10).unwrap().keys, [""; 0]),
    ];
    for call in calls {
        memory.values.borrow_mut().clear();
        let revision = written(adapter.write(KEY, &[("a", "1")], TTL_MS, &Condition::Absent));
        memory.now_ms.set(memory.now_ms.get() + TTL_MS + 1);
        call(&revision);
    }
}

#[test]
fn a_failed_condition_returns_the_current_entry() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    let write = |text, when: &Condition| adapter.write(KEY, &[("a", text)], TTL_MS, when);
    assert_eq!(refused(write("0", &Condition::Present)), None);
    let first = written(write("1", &Condition::Absent));
    let second = written(write("2", &Condition::At(first.clone())));
    assert_ne!(first, second);
    for when in [Condition::Absent, Condition::At(first.clone()), Condition::At(String::new())] {
        let current = refused(write("3", &when)).unwrap();
        assert_eq!((current.revision.as_str(), current.fields[0].1.as_str()), (second.as_str(), "2"));
        assert_eq!(refused(adapter.remove(KEY, &when)).unwrap(), current);
    }
    let touched = written(adapter.touch(KEY, 2 * TTL_MS));
    let entry = adapter.read(KEY, Freshness::Latest).unwrap().unwrap();
    assert_eq!((&entry.revision, entry.expires_at_ms), (&touched, memory.now_ms.get() + 2 * TTL_MS));
    assert!(touched != second && entry.fields[0].1 == "2");

    let removed = adapter.remove(KEY, &Condition::At(touched)).unwrap();
    assert_eq!(removed, Outcome { applied: true, revision: None, expires_at_ms: 0, current: None });
    assert!(!memory.has(KEY));
    assert!(adapter.remove(KEY, &Condition::Absent).unwrap().applied);
    written(write("4", &Condition::Absent));
}

#[test]
fn damage_is_corrupt_and_replaced_by_present_only() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    for damage in ["", "{}", "\"text\"", r#"{"expires_at_ms":1,"revision":"r","fields":{"a":1}}"#] {
        memory.put(KEY, damage);
        let at = Condition::At("r".to_owned());
        let mut errors =
            vec![adapter.read(KEY, Freshness::Latest).unwrap_err(), adapter.touch(KEY, TTL_MS).unwrap_err()];
        for when in [&Condition::Absent, &at] {
            errors.push(adapter.write(KEY, &[("a", "1")], TTL_MS, when).unwrap_err());
            errors.push(adapter.remove(KEY, when).unwrap_err());
        }
        for error in errors {
            assert!(matches!(&error, KeyValueError::Corrupt(text) if text.contains(KEY)), "{damage}: {error:?}");
        }
        assert_eq!(memory.values.borrow()[KEY], damage.as_bytes());
        assert_eq!(adapter.scan(None, 10).unwrap().keys, [KEY]);
        written(adapter.write(KEY, &[("a", "1")], TTL_MS, &Condition::Present));
        memory.put(KEY, damage);
        assert!(adapter.remove(KEY, &Condition::Present).unwrap().applied && !memory.has(KEY));
    }
}

#[test]
fn invalid_calls_do_not_reach_the_bucket() {
    let memory = memory();
    memory.gets_fail.replace(Some(StoreError::Other("asked".into())));
    let adapter = Adapter::new(&memory);
    let mut errors = Vec::new();
    for key in ["", "a", "settings", "Ticket:a", "ticket:", "ticket:a:b", "ticket:{a}", "other:ticket:a"] {
        errors.push(adapter.read(key, Freshness::Latest).unwrap_err());
        errors.push(adapter.write(key, &[("a", "1")], TTL_MS, &Condition::Present).unwrap_err());
        errors.push(adapter.touch(key, TTL_MS).unwrap_err());
        errors.push(adapter.remove(key, &Condition::Present).unwrap_err());
        errors.push(adapter.scan(Some(key), 10).unwrap_err());
    }
    for ttl_ms in [0, 999, 31_622_400_001, u64::MAX] {
        errors.push(adapter.write(KEY, &[("a", "1")], ttl_ms, &Condition::Present).unwrap_err());
        errors.push(adapter.touch(KEY, ttl_ms).unwrap_err());
    }
    errors.push(adapter.write(KEY, &[], TTL_MS, &Condition::Present).unwrap_err());
    errors.push(adapter.write(KEY, &[("a", "1"), ("b", ""), ("a", "1")], TTL_MS, &Condition::Present).unwrap_err());
    errors.extend([0, 10_001, u32::MAX].map(|limit| adapter.scan(None, limit).unwrap_err()));
    for error in errors {
        assert!(matches!(error, KeyValueError::Invalid(_)), "{error:?}");
    }
    let most = "x".repeat(ENTRY_BYTES_MAX as usize);
    let error = adapter.write(KEY, &[("a", &most)], TTL_MS, &Condition::Present).unwrap_err();
    assert_eq!(error, KeyValueError::TooLarge(16_777_216));
    memory.gets_fail.replace(None);
    written(adapter.write(KEY, &[("", &most)], TTL_MS, &Condition::Absent));
}

#[test]
fn pages_list_every_ticket_and_nothing_else() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    memory.put("settings", "");
    memory.put("session:1", "{}");
    memory.put("ticket:not:one", "{}");
    let all: Vec<String> = (10..40).map(|number| format!("ticket:{number}")).collect();
    for key in &all {
        written(adapter.write(key, &[("a", "1")], TTL_MS, &Condition::Absent));
    }
    for limit in [1, 7, 29, 30, 31, 10_000] {
        let (mut named, mut cursor) = (Vec::new(), None);
        loop {
            let page = adapter.scan(cursor.as_deref(), limit).unwrap();
            assert!(page.keys.len() <= limit as usize);
            named.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(named, all, "limit {limit}");
    }
    memory.cursor_repeats.set(true);
    assert!(matches!(adapter.scan(None, 10), Err(KeyValueError::Unavailable(_))));
}

#[test]
fn errors_of_the_bucket_become_errors_of_the_port() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    written(adapter.write(KEY, &[("a", "1")], TTL_MS, &Condition::Absent));
    let asked = || [adapter.read(KEY, Freshness::Latest).unwrap_err(), adapter.scan(None, 10).unwrap_err()];
    let changed = || {
        [
            adapter.write(KEY, &[("a", "2")], TTL_MS, &Condition::Present).unwrap_err(),
            adapter.touch(KEY, TTL_MS).unwrap_err(),
            adapter.remove(KEY, &Condition::Present).unwrap_err(),
        ]
    };
    let other = StoreError::Other("disk\u{1b} full".into());
    memory.changes_fail.replace(Some(other.clone()));
    for error in changed() {
        assert!(matches!(&error, KeyValueError::Uncertain(text) if text.contains("`disk\\u{1b} full`")), "{error:?}");
    }
    memory.gets_fail.replace(Some(other));
    for error in asked().into_iter().chain(changed()) {
        assert!(matches!(&error, KeyValueError::Unavailable(_)), "nothing was written: {error:?}");
    }
    memory.gets_fail.replace(None);
    for error in [StoreError::AccessDenied, StoreError::NoSuchStore] {
        memory.changes_fail.replace(Some(error.clone()));
        assert!(changed().iter().all(|error| matches!(error, KeyValueError::Denied(_))));
        memory.gets_fail.replace(Some(error));
        assert!(asked().iter().all(|error| matches!(error, KeyValueError::Denied(_))));
        memory.gets_fail.replace(None);
    }
}

#[test]
fn invalid_settings_are_denied_by_name_in_every_call() {
    let memory = memory();
    memory.put("settings", "ttl_ms=5000 history_entries_max=2");
    let adapter = Adapter::new(&memory);
    assert_eq!(adapter.settings().ttl_ms, 5_000);
    memory.put("settings", "wrong");
    assert_eq!(adapter.settings().history_entries_max, 2);
    assert_eq!(adapter.read(KEY, Freshness::Latest), Ok(None));

    let adapter = Adapter::new(&memory);
    assert_eq!(adapter.settings(), crate::settings::DEFAULT);
    let error = adapter.read(KEY, Freshness::Latest).unwrap_err();
    assert!(matches!(&error, KeyValueError::Denied(text) if text.contains("`wrong`")), "{error:?}");
    assert_eq!(adapter.scan(None, 1).unwrap_err(), error);
    let created = Engine::new(adapter).create(Some("a".into()), Vec::new(), None);
    assert!(matches!(created, Err(Error::Denied(_))), "{created:?}");
}

#[test]
fn an_operation_without_settings_changes_nothing() {
    let memory = memory();
    memory.put("settings", "ttl_ms=5000");
    memory.gets_fail.replace(Some(StoreError::Other("down".into())));
    let adapter = Adapter::new(&memory);
    assert_eq!(adapter.settings(), crate::settings::DEFAULT);
    memory.gets_fail.replace(None);
    let write = || adapter.write(KEY, &[("a", "1")], TTL_MS, &Condition::Absent);
    assert!(matches!(write(), Err(KeyValueError::Unavailable(_))));
    assert_eq!(adapter.settings().ttl_ms, 5_000);
    written(write());
}

#[test]
fn fresh_ids_are_random_uuids_and_attempts_end() {
    let memory = memory();
    let adapter = Adapter::new(&memory);
    let (one, two) = (adapter.fresh_id(), adapter.fresh_id());
    assert_ne!(one, two);
    for id in [one, two] {
        assert!(ticket_model::id::is_id(&id) && id.len() == 36 && &id[14..15] == "4", "{id}");
    }
    assert!(adapter.try_again(2) && !adapter.try_again(1_000));
}

#[test]
fn the_engine_works_on_it() {
    let memory = memory();
    let engine = Engine::new(Adapter::new(&memory));
    let made = engine.create(None, vec![Change::Say("\"hello\"".into())], None).unwrap().ticket;
    let snapshot = engine.snapshot(made.id.clone()).unwrap();
    let say = |text: &str| vec![Change::Say(text.into())];
    let said = engine.apply(made.id.clone(), say("\"more\""), Some(&made.revision), None).unwrap().ticket;
    assert_eq!(said.state.history, "[\"hello\",\"more\"]");
    let late = engine.apply(made.id.clone(), say("\"late\""), Some(&made.revision), None);
    assert!(matches!(late, Err(Error::Conflict(Some(current))) if current.revision == said.revision));
    let back = engine.rollback(made.id.clone(), &snapshot, None, None).unwrap();
    assert_eq!(back.state.history, "[\"hello\"]");
    assert_eq!(engine.list_ids("", None).unwrap().ids.concat(), made.id);
    engine.close(made.id.clone(), None).unwrap();
    assert!(matches!(engine.get(made.id), Err(Error::NotFound(_))));
}
