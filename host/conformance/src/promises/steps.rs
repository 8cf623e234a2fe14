//! Steps that checks of stores consist of; each panics if the store does not do what its name says.

use std::sync::Arc;

use ticket_host::store::{Condition, Entry, Error, Fields, Freshness, Key, Kind, Outcome, Revision, SharedStore};

use crate::fixture::Fixture;

/// The time to live of the checks: thirty minutes.
pub const TTL_MS: u64 = 1_800_000;

/// The key of a ticket id.
pub fn key(id: &str) -> Key {
    Key::parse(&format!("ticket:{id}")).expect("key")
}

/// Fields from names and texts.
pub fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The six fields of a ticket with the same number in each, so that a mixture of two writes is detected.
pub fn numbered(number: u64) -> Fields {
    fields(&[
        ("facts", &format!("{{\"n\":{number}}}")),
        ("history", &format!("[{number}]")),
        ("last_decision", &number.to_string()),
        ("created_at", &number.to_string()),
        ("updated_at", &number.to_string()),
        ("version", &number.to_string()),
    ])
}

/// The number of an entry written by [`numbered`]; panics if its fields are of different writes.
#[track_caller]
pub fn number_of(entry: &Entry) -> u64 {
    let text = &entry.fields.iter().find(|(name, _)| name == "version").expect("version").1;
    let number = text.parse().expect("number");
    assert_eq!(sorted(entry.clone().into_fields()), sorted(numbered(number)), "fields of different writes");
    number
}

/// Fields sorted by name.
pub fn sorted(mut fields: Fields) -> Fields {
    fields.sort();
    fields
}

/// Revision and deadline of a change that must have been applied.
#[track_caller]
pub fn applied(outcome: Result<Outcome, Error>) -> (Revision, u64) {
    match outcome {
        Ok(Outcome::Written { revision, expires_at_ms }) => (revision, expires_at_ms),
        other => panic!("not written: {other:?}"),
    }
}

/// The entry that refused a change; the change must have been refused.
#[track_caller]
pub fn refused(outcome: Result<Outcome, Error>) -> Option<Entry> {
    match outcome {
        Ok(Outcome::Refused(entry)) => entry,
        other => panic!("not refused: {other:?}"),
    }
}

/// Checks that a removal was applied.
#[track_caller]
pub fn removed(outcome: Result<Outcome, Error>) {
    assert_eq!(outcome.expect("removed"), Outcome::Removed);
}

/// The kind of error of a call that must have failed.
#[track_caller]
pub fn failed<T: std::fmt::Debug>(answer: Result<T, Error>) -> Kind {
    answer.expect_err("an error").kind()
}

/// The entry under a key.
pub async fn read(store: &SharedStore, key: &Key) -> Option<Entry> {
    store.read(key, Freshness::Latest).await.expect("read")
}

/// The entry under a key, which must exist.
pub async fn existing(store: &SharedStore, key: &Key) -> Entry {
    read(store, key).await.expect("an entry")
}

/// Creates an entry and reads it.
pub async fn create(store: &SharedStore, key: &Key, fields: Fields) -> Entry {
    applied(store.write(key, fields, TTL_MS, &Condition::Absent).await);
    existing(store, key).await
}

/// Four handles to the same entries, from two connections.
pub async fn handles(fixture: &Fixture) -> Vec<SharedStore> {
    let second = fixture.second().await;
    vec![Arc::clone(&fixture.store), Arc::clone(&second), Arc::clone(&fixture.store), second]
}

/// All pages of a scan, `limit` keys at a time.
pub async fn scan_all(store: &SharedStore, limit: u32) -> Vec<Key> {
    const PAGES_MAX: u32 = 100_000;
    let (mut keys, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = store.scan(cursor.as_deref(), limit).await.expect("page");
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return keys;
        }
    }
    panic!("the scan does not end");
}
