//! P19 on SQLite: files that are locked or may not grow.

use std::sync::Arc;

use rusqlite::Connection;
use ticket_conformance::steps::{TTL_MS, applied, create, failed, fields, key, numbered, read, there};
use ticket_host::store::{Condition, Kind, Options};
use ticket_tests::{Fixture, StoreKind};

pub(crate) async fn check() {
    let fixture = Fixture::new(StoreKind::Sqlite).await;
    create(&fixture.store, &key("k"), numbered(1)).await;
    a_locked_file(&fixture).await;
    a_full_file(&fixture).await;
}

/// While another process keeps the file locked, changes are `Unavailable`.
async fn a_locked_file(fixture: &Fixture) {
    let (store, key) = (&fixture.store, key("k"));
    let seen = fixture.seen(&key).await;
    let other = Connection::open(fixture.path()).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let (write, touch) = (store.write(&key, numbered(2), TTL_MS, &Condition::Present), store.touch(&key, TTL_MS));
    let (write, touch) = tokio::join!(write, touch);
    assert_eq!(failed(write), Kind::Unavailable);
    assert_eq!(failed(touch), Kind::Unavailable);
    there(store, &key).await;
    other.execute_batch("ROLLBACK").expect("no lock");
    assert_eq!(fixture.seen(&key).await, seen);
    applied(store.touch(&key, TTL_MS).await);
}

/// When the file may not grow, changes that need room are `Unavailable`, and the others go on.
async fn a_full_file(fixture: &Fixture) {
    let url = format!("sqlite:{}?max_page_count=64", fixture.path().display());
    let options = Options {
        clock: Arc::new(fixture.clock.clone()),
        namespace: Some(fixture.namespace().clone()),
        ..Options::default()
    };
    let store = ticket_host::store::open(&url, &options).await.expect("a store that may not grow");
    let (small, large) = (key("k"), key("large"));
    let seen = fixture.seen(&small).await;
    let huge = fields(&[("facts", &"x".repeat(1024 * 1024))]);
    assert_eq!(failed(store.write(&large, huge.clone(), TTL_MS, &Condition::Absent).await), Kind::Unavailable);
    assert_eq!(failed(store.write(&small, huge, TTL_MS, &Condition::Present).await), Kind::Unavailable);
    assert_eq!(read(&store, &large).await, None);
    assert_eq!(fixture.seen(&small).await, seen);
    applied(store.write(&small, numbered(3), TTL_MS, &Condition::Present).await);
}
