//! The store in memory: what it keeps, and for how long.

use std::sync::Arc;

use super::MemoryStore;
use crate::clock::ManualClock;
use crate::contract::Store;
use crate::entry::{Condition, Freshness, Outcome};
use crate::fields::Fields;
use crate::key::{Key, Namespace};

const TTL_MS: u64 = 10_000;

fn key(id: &str) -> Key {
    Key::parse(&format!("ticket:{id}")).expect("key")
}

fn fields(text: &str) -> Fields {
    vec![("facts".into(), text.into()), ("empty".into(), String::new())]
}

fn store() -> (MemoryStore, ManualClock) {
    let clock = ManualClock::at(1_000_000);
    (MemoryStore::new(Arc::new(clock.clone())), clock)
}

#[tokio::test]
async fn an_entry_is_read_until_its_deadline() {
    let (store, clock) = store();
    let written = store.write(&key("a"), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
    let entry = store.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry");
    let (revision, expires_at_ms) = (entry.revision.clone(), entry.expires_at_ms);
    assert_eq!(*entry.fields, fields("{}"));
    assert_eq!(written, Outcome::Written { revision, expires_at_ms });
    clock.set(expires_at_ms);
    assert!(store.read(&key("a"), Freshness::Latest).await.expect("read").is_some());
    clock.advance(1);
    assert_eq!(store.read(&key("a"), Freshness::Latest).await.expect("read"), None);
    assert_eq!(store.touch(&key("a"), TTL_MS).await.expect("touch"), Outcome::Refused(None));
}

#[tokio::test]
async fn writes_remove_expired_entries() {
    let (store, clock) = store();
    for id in 0..100 {
        store.write(&key(&format!("old{id}")), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
    }
    clock.advance(TTL_MS + 1);
    for id in 0..60 {
        store.write(&key(&format!("new{id}")), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
    }
    assert_eq!(store.entries().slots.len(), 60);
}

#[tokio::test]
async fn pages_follow_each_other_within_a_namespace() {
    let (plain, _) = store();
    let shop = plain.in_namespace(&Namespace::parse("shop").expect("namespace"));
    for id in ["a", "b", "c"] {
        plain.write(&key(id), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
        shop.write(&key(&format!("s{id}")), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
    }
    let first = shop.scan(None, 2).await.expect("page");
    assert_eq!(first.keys, [key("sa"), key("sb")]);
    let second = shop.scan(first.cursor.as_deref(), 2).await.expect("page");
    assert_eq!((second.keys, second.cursor), (vec![key("sc")], None));
    assert_eq!(plain.scan(None, 10).await.expect("page").keys, [key("a"), key("b"), key("c")]);
    assert!(plain.scan(Some("garbled"), 10).await.is_err());
}
