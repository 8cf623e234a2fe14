//! P17, P18, P19: what stores refuse, and that a refusal changes nothing.

use ticket_host::store::{Condition, ENTRY_BYTES_MAX, Fields, Freshness, Kind, TTL_MS_MAX, TTL_MS_MIN};

use crate::backend::Damage;
use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::steps::{TTL_MS, applied, create, existing, failed, fields, key, numbered, read};

promises![
    p17_ttls_and_sizes_outside_the_limits_are_refused,
    p18_an_unreadable_entry_is_corrupt_and_stays,
    p19_after_a_refusal_nothing_was_written,
];

/// Fields of this many bytes, names and texts together.
fn of_bytes(bytes: usize) -> Fields {
    let half = bytes / 2;
    fields(&[("a", &"x".repeat(half - 1)), ("b", &"y".repeat(bytes - half - 1))])
}

async fn p17_ttls_and_sizes_outside_the_limits_are_refused(fixture: Fixture) {
    let store = &fixture.store;
    let (kept, none) = (key("kept"), key("none"));
    let revision = create(store, &kept, numbered(1)).await.revision;
    let dumped = fixture.dump(&kept).await;
    let conditions = [Condition::Absent, Condition::Present, Condition::At(revision)];
    for when in &conditions {
        for id in [&kept, &none] {
            for ttl_ms in [0, 1, TTL_MS_MIN - 1, TTL_MS_MAX + 1, u64::from(u32::MAX) * 100, u64::MAX] {
                assert_eq!(failed(store.write(id, numbered(2), ttl_ms, when).await), Kind::Invalid, "ttl {ttl_ms}");
                assert_eq!(failed(store.touch(id, ttl_ms).await), Kind::Invalid, "ttl {ttl_ms}");
            }
            let limit = Kind::TooLarge(ENTRY_BYTES_MAX as u64);
            assert_eq!(failed(store.write(id, of_bytes(ENTRY_BYTES_MAX + 1), TTL_MS, when).await), limit);
            let name = "n".repeat(ENTRY_BYTES_MAX + 1);
            assert_eq!(failed(store.write(id, fields(&[(&name, "")]), TTL_MS, when).await), limit);
            for bad in [fields(&[]), fields(&[("a", "1"), ("a", "1")]), fields(&[("", "1"), ("b", ""), ("", "2")])] {
                assert_eq!(failed(store.write(id, bad, TTL_MS, when).await), Kind::Invalid);
            }
        }
    }
    assert_eq!(fixture.dump(&kept).await, dumped);
    assert_eq!(read(store, &none).await, None);

    let (large, long, short) = (key("large"), key("long"), key("short"));
    let entry = create(store, &large, of_bytes(ENTRY_BYTES_MAX)).await;
    let texts: usize = entry.fields.iter().map(|(name, text)| name.len() + text.len()).sum();
    assert_eq!(texts, ENTRY_BYTES_MAX, "an entry at the limit");
    applied(store.write(&short, numbered(1), TTL_MS_MIN, &Condition::Absent).await);
    // Several in a row, so that each deadline is later than the one before.
    applied(store.write(&long, numbered(1), TTL_MS_MAX, &Condition::Absent).await);
    for _ in 0..20 {
        applied(store.touch(&long, TTL_MS_MAX).await);
        applied(store.write(&long, numbered(2), TTL_MS_MAX, &Condition::Present).await);
        let revision = existing(store, &long).await.revision;
        applied(store.write(&long, numbered(3), TTL_MS_MAX, &Condition::At(revision)).await);
    }
}

async fn p18_an_unreadable_entry_is_corrupt_and_stays(fixture: Fixture) {
    let store = &fixture.store;
    for &damage in fixture.damages() {
        let key = key(&format!("damaged-{damage:?}"));
        let revision = create(store, &key, numbered(1)).await.revision;
        fixture.damage(&key, damage).await;
        let dumped = fixture.dump(&key).await;
        let mut errors = Vec::new();
        for freshness in [Freshness::Latest, Freshness::Recent] {
            errors.push(store.read(&key, freshness).await.expect_err("corrupt"));
        }
        for when in [Condition::Absent, Condition::At(revision)] {
            // An error, because a refusal would contain no entry or an unreadable one.
            errors.push(store.write(&key, numbered(2), TTL_MS, &when).await.expect_err("corrupt"));
            errors.push(store.remove(&key, &when).await.expect_err("corrupt"));
        }
        for error in errors {
            assert_eq!(error.kind(), Kind::Corrupt, "{damage:?}: {error}");
            assert!(error.to_string().contains(key.as_str()), "{damage:?}: {error}");
        }
        assert_eq!(fixture.dump(&key).await, dumped, "{damage:?}");
        drop(store.touch(&key, TTL_MS).await);
        let without_deadline = |dumped: &str| dumped.split_once(' ').map(|(_, content)| content.to_owned());
        if damage != Damage::NegativeDeadline {
            assert_eq!(without_deadline(&fixture.dump(&key).await), without_deadline(&dumped), "{damage:?}");
        }
        store.scan(None, 100).await.expect("a listing of a store with a damaged entry");
    }
}

async fn p19_after_a_refusal_nothing_was_written(fixture: Fixture) {
    let store = &fixture.store;
    let key = key("k");
    let entry = create(store, &key, numbered(1)).await;
    let dumped = fixture.dump(&key).await;
    for when in [Condition::Present, Condition::At(entry.revision)] {
        failed(store.write(&key, numbered(2), 1, &when).await);
        failed(store.write(&key, of_bytes(ENTRY_BYTES_MAX + 1), TTL_MS, &when).await);
        failed(store.touch(&key, TTL_MS_MAX + 1).await);
    }
    assert_eq!(fixture.dump(&key).await, dumped);
}
