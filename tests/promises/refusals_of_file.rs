//! P19 on SQLite: files that are locked or cannot grow.

use std::sync::Arc;

use rusqlite::Connection;
use ticket_conformance::steps::{TTL_MS, applied, create, existing, failed, fields, key, numbered, read};
use ticket_host::store::{Condition, Kind, Options};
use ticket_tests::{StoreKind, TestStore};

pub(crate) async fn check() {
    let test = TestStore::new(StoreKind::Sqlite).await;
    create(&test.fixture.store, &key("k"), numbered(1)).await;
    a_locked_file(&test).await;
    a_full_file(&test).await;
}

/// While another process locks the file, changes are `Unavailable`.
async fn a_locked_file(test: &TestStore) {
    let (store, key) = (&test.fixture.store, key("k"));
    let dumped = test.fixture.dump(&key).await;
    let other = Connection::open(test.path()).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let (write, touch) = (store.write(&key, numbered(2), TTL_MS, &Condition::Present), store.touch(&key, TTL_MS));
    let (write, touch) = tokio::join!(write, touch);
    assert_eq!(failed(write), Kind::Unavailable);
    assert_eq!(failed(touch), Kind::Unavailable);
    existing(store, &key).await;
    other.execute_batch("ROLLBACK").expect("no lock");
    assert_eq!(test.fixture.dump(&key).await, dumped);
    applied(store.touch(&key, TTL_MS).await);
}

/// If the file cannot grow, changes that need space are `Unavailable`, and others are applied.
async fn a_full_file(test: &TestStore) {
    let url = format!("sqlite:{}?max_page_count=64", test.path().display());
    let namespace = Some(test.fixture.namespace().clone());
    let options = Options::default().clock(Arc::new(test.fixture.clock.clone())).namespace(namespace);
    let store = ticket_host::store::open(&url, &options).await.expect("a store that cannot grow");
    let (small, large) = (key("k"), key("large"));
    let dumped = test.fixture.dump(&small).await;
    let huge = fields(&[("facts", &"x".repeat(1024 * 1024))]);
    assert_eq!(failed(store.write(&large, huge.clone(), TTL_MS, &Condition::Absent).await), Kind::Unavailable);
    assert_eq!(failed(store.write(&small, huge, TTL_MS, &Condition::Present).await), Kind::Unavailable);
    assert_eq!(read(&store, &large).await, None);
    assert_eq!(test.fixture.dump(&small).await, dumped);
    applied(store.write(&small, numbered(3), TTL_MS, &Condition::Present).await);
}
