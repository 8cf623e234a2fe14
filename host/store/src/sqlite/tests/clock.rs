//! Clocks that are wrong: what a process with one does to its own entries and to those of others.

use super::{Fixture, TTL_MS, fields, key};
use crate::contract::Store;
use crate::entry::{Condition, Freshness, Outcome};
use crate::sqlite::SqliteStore;
use crate::sqlite::worker::CHANGES_PER_CLEANUP;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const START_MS: u64 = 20_000 * DAY_MS;

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.clock.set(START_MS);
    fixture
}

/// Writes an entry whatever there is; its deadline.
async fn put(store: &SqliteStore, id: &str) -> u64 {
    let entry = fields(&[("facts", "{}")]);
    let written = match store.write(&key(id), entry.clone(), TTL_MS, &Condition::Absent).await.expect("write") {
        Outcome::Refused(_) => store.write(&key(id), entry, TTL_MS, &Condition::Present).await.expect("write"),
        outcome => outcome,
    };
    let Outcome::Written { expires_at_ms, .. } = written else { panic!("{written:?}") };
    expires_at_ms
}

async fn is_shown(store: &SqliteStore, id: &str) -> bool {
    let is_read = store.read(&key(id), Freshness::Latest).await.expect("read").is_some();
    let is_listed = store.scan(None, 1_000).await.expect("page").keys.contains(&key(id));
    assert_eq!(is_read, is_listed, "{id}");
    is_read
}

/// The ids of all rows, expired or not.
fn stored(fixture: &Fixture) -> Vec<String> {
    let connection = fixture.other_program();
    let mut select = connection.prepare("SELECT substr(key, 8) FROM entry ORDER BY key").expect("statement");
    let ids = select.query_map([], |row| row.get(0)).expect("query");
    ids.collect::<Result<_, _>>().expect("ids")
}

#[tokio::test]
async fn opening_reading_and_checking_delete_nothing() {
    let fixture = fixture();
    let deadline_ms = put(&fixture.store().await, "a").await;
    for ahead_ms in [HOUR_MS, 3 * DAY_MS, 3_650 * DAY_MS] {
        fixture.clock.set(START_MS + ahead_ms);
        let store = fixture.store().await;
        assert!(!is_shown(&store, "a").await, "past its deadline by this clock");
        let facts = store.health().await.expect("health").facts;
        assert!(
            facts.contains(&("expired_entries", "1".into())) && facts.contains(&("entries", "0".into())),
            "{facts:?}"
        );
        drop(store);
        fixture.clock.set(deadline_ms);
        assert!(is_shown(&fixture.store().await, "a").await, "ahead by {ahead_ms} ms");
    }
}

#[tokio::test]
async fn a_clock_behind_shortens_no_deadline() {
    for behind_ms in [1_000, HOUR_MS, DAY_MS, START_MS] {
        let fixture = fixture();
        let store = fixture.store().await;
        let deadline_ms = put(&store, "a").await;
        fixture.clock.set(START_MS - behind_ms);
        assert!(put(&store, "a").await > deadline_ms, "behind by {behind_ms} ms");
        let Outcome::Written { expires_at_ms, .. } = store.touch(&key("a"), TTL_MS).await.expect("touch") else {
            panic!("no entry");
        };
        assert!(expires_at_ms > deadline_ms);
        // The clock runs on, and another process opens the file.
        fixture.clock.advance(TTL_MS / 2);
        let new_ms = put(&fixture.store().await, "new").await;
        assert!(new_ms >= START_MS + TTL_MS / 2 + TTL_MS - TTL_MS / 2_000 - 1_000, "behind by {behind_ms} ms");
        // No deadline is earlier by more than the jitter.
        fixture.clock.set(START_MS + TTL_MS - TTL_MS / 2_000);
        assert!(is_shown(&store, "a").await && is_shown(&store, "new").await, "behind by {behind_ms} ms");
    }
}

#[tokio::test]
async fn another_ttl_counts_also_by_a_clock_behind() {
    let fixture = fixture();
    let store = fixture.store().await;
    put(&store, "a").await;
    fixture.clock.set(START_MS - DAY_MS);
    store.touch(&key("a"), DAY_MS).await.expect("touch");
    assert!(put(&store, "a").await <= START_MS + TTL_MS + 1_000);
}

#[tokio::test]
async fn a_clock_far_ahead_deletes_no_entries_of_others() {
    let fixture = fixture();
    let store = fixture.store().await;
    put(&store, "a").await;
    for ahead_ms in [HOUR_MS, 2 * DAY_MS, 3_650 * DAY_MS] {
        fixture.clock.set(START_MS + ahead_ms);
        for number in 0..=CHANGES_PER_CLEANUP {
            put(&fixture.store().await, &format!("b{}", number % 2)).await;
        }
        fixture.clock.set(START_MS + 1);
        assert!(is_shown(&fixture.store().await, "a").await, "ahead by {ahead_ms} ms");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_counts_for_an_hour_only() {
    let fixture = fixture();
    let store = fixture.store().await;
    put(&store, "a").await;
    fixture.clock.set(START_MS + 400 * DAY_MS);
    put(&store, "b").await;
    fixture.clock.set(START_MS + 1);
    assert!(put(&store, "a").await > START_MS + 400 * DAY_MS, "which clock was wrong is not known yet");
    fixture.clock.advance(HOUR_MS);
    for id in ["a", "c"] {
        let deadline_ms = put(&store, id).await;
        assert!(deadline_ms.abs_diff(START_MS + HOUR_MS + TTL_MS) < 1_000, "{id}: {deadline_ms}");
    }
}

/// A day in which the file is in use.
async fn a_day_of_changes(fixture: &Fixture) {
    for _ in 0..24 {
        fixture.clock.advance(HOUR_MS);
        put(&fixture.store().await, "hourly").await;
    }
}

#[tokio::test]
async fn expired_entries_are_hidden_and_deleted_a_day_later() {
    let fixture = fixture();
    let store = fixture.store().await;
    for id in 0..300 {
        put(&store, &format!("a{id}")).await;
    }
    fixture.clock.advance(TTL_MS + 1);
    assert_eq!(store.scan(None, 1_000).await.expect("page").keys, []);
    a_day_of_changes(&fixture).await;
    assert_eq!(stored(&fixture).len(), 301, "they had not expired when the first day began");
    assert_eq!(store.scan(None, 1_000).await.expect("page").keys, [key("hourly")]);
    a_day_of_changes(&fixture).await;
    put(&fixture.store().await, "b").await;
    assert_eq!(stored(&fixture), ["b", "hourly"]);
    let count = "SELECT count(*) FROM field";
    let fields: i64 = fixture.other_program().query_row(count, [], |row| row.get(0)).expect("count");
    assert_eq!(fields, 3, "fields of deleted entries are left");
}

#[tokio::test]
async fn a_hidden_entry_is_absent_to_conditions() {
    let fixture = fixture();
    let store = fixture.store().await;
    let old = fields(&[("facts", "{}"), ("old", "1")]);
    let Outcome::Written { revision, .. } =
        store.write(&key("a"), old, TTL_MS, &Condition::Absent).await.expect("written")
    else {
        panic!("refused");
    };
    fixture.clock.advance(TTL_MS + 1);
    let new = fields(&[("facts", "[]")]);
    for when in [Condition::Present, Condition::At(revision)] {
        let refused = store.write(&key("a"), new.clone(), TTL_MS, &when).await.expect("write");
        assert_eq!(refused, Outcome::Refused(None));
        assert_eq!(store.remove(&key("a"), &when).await.expect("remove"), Outcome::Refused(None));
    }
    assert_eq!(store.touch(&key("a"), TTL_MS).await.expect("touch"), Outcome::Refused(None));
    assert_eq!(stored(&fixture), ["a"]);
    store.write(&key("a"), new.clone(), TTL_MS, &Condition::Absent).await.expect("written");
    assert_eq!(*store.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry").fields, new);
}

#[tokio::test]
async fn the_time_of_the_file_is_not_an_entry() {
    let fixture = fixture();
    let store = fixture.store().await;
    put(&store, "a").await;
    store.remove(&key("a"), &Condition::Present).await.expect("removed");
    assert_eq!(store.scan(None, 10).await.expect("page").keys, []);
    assert_eq!(stored(&fixture), [""; 0]);
    // Another program damages it: it begins anew.
    fixture.other_program().execute("UPDATE field SET value = 'x'", []).expect("edit");
    let deadline_ms = put(&store, "a").await;
    assert!(deadline_ms <= START_MS + TTL_MS && is_shown(&store, "a").await);
}

#[tokio::test]
async fn health_compares_the_clock_with_the_file() {
    let fixture = fixture();
    let store = fixture.store().await;
    put(&store, "a").await;
    fixture.clock.advance(DAY_MS);
    assert!(store.health().await.expect("health").findings.is_empty(), "nothing happened for a day");
    fixture.clock.set(START_MS - DAY_MS);
    let findings = store.health().await.expect("health").findings;
    assert!(findings.len() == 1 && findings[0].text.contains("86400 s behind"), "{findings:?}");
    fixture.clock.set(START_MS - 3_650 * DAY_MS);
    let findings = store.health().await.expect("health").findings;
    assert!(findings.len() == 2 && findings[1].text.starts_with("1 ticket has a deadline"), "{findings:?}");
}
