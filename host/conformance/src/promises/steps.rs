//! The few steps that checks of stores are made of; each panics where the store does otherwise.

use std::sync::Arc;

use crate::Fixture;
use ticket_host::store::{Condition, Entry, Error, Fields, Freshness, Key, Kind, Outcome, Revision, SharedStore};

/// The usual time to live: thirty minutes.
pub const TTL_MS: u64 = 1_800_000;

/// The key of a ticket id.
pub fn key(id: &str) -> Key {
    Key::parse(&format!("ticket:{id}")).expect("key")
}

/// Fields of these names and texts.
pub fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The six fields of a ticket, each with the same number in it, so that a mixture of two shows.
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

/// The number of an entry whose every field has it.
#[track_caller]
pub fn number_of(entry: &Entry) -> u64 {
    let text = &entry.fields.iter().find(|(name, _)| name == "version").expect("version").1;
    let number = text.parse().expect("number");
    assert_eq!(sorted(entry.clone().into_fields()), sorted(numbered(number)), "an entry is of one write");
    number
}

/// Fields by name.
pub fn sorted(mut fields: Fields) -> Fields {
    fields.sort();
    fields
}

/// The new state of a change that must have been applied.
#[track_caller]
pub fn applied(outcome: Result<Outcome, Error>) -> (Revision, u64) {
    match outcome {
        Ok(Outcome::Written { revision, expires_at_ms }) => (revision, expires_at_ms),
        other => panic!("not written: {other:?}"),
    }
}

/// What a change that must have been refused found there.
#[track_caller]
pub fn refused(outcome: Result<Outcome, Error>) -> Option<Entry> {
    match outcome {
        Ok(Outcome::Refused(entry)) => entry,
        other => panic!("not refused: {other:?}"),
    }
}

/// A removal that must have been applied.
#[track_caller]
pub fn removed(outcome: Result<Outcome, Error>) {
    assert_eq!(outcome.expect("removed"), Outcome::Removed);
}

/// The kind of a call that must have failed.
#[track_caller]
pub fn failed<T: std::fmt::Debug>(answer: Result<T, Error>) -> Kind {
    answer.expect_err("an error").kind()
}

/// What is under a key.
pub async fn read(store: &SharedStore, key: &Key) -> Option<Entry> {
    store.read(key, Freshness::Latest).await.expect("read")
}

/// What must be under a key.
pub async fn there(store: &SharedStore, key: &Key) -> Entry {
    read(store, key).await.expect("an entry")
}

/// Makes a new entry of the usual time to live, and gives it as it is read.
pub async fn create(store: &SharedStore, key: &Key, fields: Fields) -> Entry {
    applied(store.write(key, fields, TTL_MS, &Condition::Absent).await);
    there(store, key).await
}

/// Four handles to the same entries, two of them of their own.
pub async fn handles(fixture: &Fixture) -> Vec<SharedStore> {
    let second = fixture.second().await;
    vec![Arc::clone(&fixture.store), Arc::clone(&second), Arc::clone(&fixture.store), second]
}

/// Every page of a listing, `limit` keys at a time.
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
    panic!("a listing without end");
}
