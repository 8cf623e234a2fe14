//! P1, P2, P3, P13, P14: the content of an entry, in all handles, and its absence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ticket_host::store::{Condition, Fields, Freshness, Outcome};

use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::steps::{
    TTL_MS, applied, create, existing, fields, key, number_of, numbered, read, refused, removed, scan_all, sorted,
};

promises![
    p01_a_read_returns_what_was_written,
    p02_a_write_leaves_exactly_the_given_fields,
    p03_a_read_returns_every_change_applied_before,
    p13_touch_moves_the_deadline_and_keeps_the_fields,
    p14_remove_leaves_nothing,
];

/// Names and texts that a store may store wrongly.
fn unusual_fields() -> Fields {
    let long = "x".repeat(300);
    let large = "é\0 \u{10ffff}".repeat(120_000);
    assert!(large.len() > 1024 * 1024 / 2);
    let mebibyte = "m".repeat(1024 * 1024);
    fields(&[
        ("facts", "{ \"a\" : 1.0, \"big\": 123456789012345678901234567890, \"\\ud800\": \"\\u00e9\" }"),
        ("history", "[]"),
        ("empty", ""),
        ("", "empty name"),
        (" ", " \t\r\n "),
        ("\0", "\0"),
        ("a\0b", "a\0b\0"),
        ("a", "a"),
        ("A", "not a"),
        ("名前", "日本語 🎫 e\u{301} \u{feff} \u{200f}"),
        ("quotes'\"`\\", "'; DROP TABLE entry; -- \" \\ %s {} $1 ?1"),
        ("number", "007"),
        ("real", "1.0"),
        ("huge", "99999999999999999999999999999999"),
        ("null", "NULL"),
        ("true", "true"),
        ("nan", "NaN"),
        ("created_at", "17"),
        ("expires_at_ms", "1"),
        ("key", "ticket:other"),
        ("*", "?[a-z]"),
        ("line\r\nbreak", "$5\r\nhello\r\n"),
        (&long, &long),
        ("large", &large),
        ("mebibyte", &mebibyte),
    ])
}

async fn p01_a_read_returns_what_was_written(fixture: Fixture) {
    let second = fixture.second().await;
    let (key, odd) = (key("odd"), unusual_fields());
    let entry = create(&fixture.store, &key, odd.clone()).await;
    assert_eq!(sorted(entry.clone().into_fields()), sorted(odd.clone()));
    assert_eq!(second.read(&key, Freshness::Recent).await.expect("read"), Some(entry.clone()));
    let current = refused(second.write(&key, numbered(1), TTL_MS, &Condition::Absent).await).expect("current");
    assert_eq!(sorted(current.into_fields()), sorted(odd.clone()));

    let reversed: Fields =
        odd.iter().zip(odd.iter().rev()).map(|((name, _), (_, text))| (name.clone(), text.clone())).collect();
    applied(second.write(&key, reversed.clone(), TTL_MS, &Condition::At(entry.revision)).await);
    assert_eq!(sorted(existing(&fixture.store, &key).await.into_fields()), sorted(reversed));

    for (index, field) in odd.into_iter().enumerate() {
        let alone = super::steps::key(&format!("alone-{index}"));
        assert_eq!(create(&fixture.store, &alone, vec![field.clone()]).await.into_fields(), [field]);
    }
}

async fn p02_a_write_leaves_exactly_the_given_fields(fixture: Fixture) {
    let (store, key) = (&fixture.store, key("k"));
    let first = fields(&[("a", "1"), ("b", "2"), ("B", "3"), ("", "4"), ("\0", "5"), ("ü", "6")]);
    let entry = create(store, &key, first).await;
    let second = fields(&[("b", "2"), ("c", "")]);
    applied(store.write(&key, second.clone(), TTL_MS, &Condition::At(entry.revision)).await);
    assert_eq!(sorted(existing(store, &key).await.into_fields()), second);
    let third = fields(&[("B", "2")]);
    applied(store.write(&key, third.clone(), TTL_MS, &Condition::Present).await);
    assert_eq!(existing(store, &key).await.into_fields(), third);
    let many: Fields = (0..3_000).map(|n| (format!("field {n:04}"), n.to_string())).collect();
    applied(store.write(&key, many.clone(), TTL_MS, &Condition::Present).await);
    assert_eq!(sorted(existing(store, &key).await.into_fields()), many);
    applied(store.write(&key, third.clone(), TTL_MS, &Condition::Present).await);
    assert_eq!(existing(store, &key).await.into_fields(), third);

    fixture.pass(TTL_MS + 1_000).await;
    let after = create(store, &key, second.clone()).await;
    assert_eq!(sorted(after.clone().into_fields()), second, "fields of the earlier incarnation");
    removed(store.remove(&key, &Condition::Present).await);
    assert_eq!(create(store, &key, third.clone()).await.into_fields(), third);
}

async fn p03_a_read_returns_every_change_applied_before(fixture: Fixture) {
    let second = fixture.second().await;
    let key = key("k");
    create(&fixture.store, &key, numbered(0)).await;
    for number in 1..=100 {
        let (writer, reader) = if number % 2 == 0 { (&fixture.store, &second) } else { (&second, &fixture.store) };
        let before = existing(writer, &key).await;
        let (revision, _) =
            applied(writer.write(&key, numbered(number), TTL_MS, &Condition::At(before.revision)).await);
        let after = existing(reader, &key).await;
        assert_eq!((number_of(&after), after.revision), (number, revision));
        let (revision, _) = applied(reader.touch(&key, TTL_MS).await);
        assert_eq!(existing(writer, &key).await.revision, revision);
    }
    if let Some(dumped) = fixture.raw_fields(&key).await {
        assert_eq!(sorted(dumped), sorted(numbered(100)), "the fields as another client reads them");
    }
    read_while_another_writes(&fixture, 100).await;
    removed(second.remove(&key, &Condition::Present).await);
    assert_eq!(read(&fixture.store, &key).await, None);
}

/// A read must never return less than what was acknowledged before it began.
async fn read_while_another_writes(fixture: &Fixture, from: u64) {
    let acknowledged = Arc::new(AtomicU64::new(from));
    let ended = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for store in [fixture.second().await, fixture.second().await, Arc::clone(&fixture.store)] {
        let (acknowledged, ended) = (Arc::clone(&acknowledged), Arc::clone(&ended));
        readers.push(tokio::spawn(async move {
            while !ended.load(Ordering::SeqCst) {
                let at_least = acknowledged.load(Ordering::SeqCst);
                let entry = existing(&store, &key("k")).await;
                assert!(number_of(&entry) >= at_least, "{} after {at_least}", number_of(&entry));
                tokio::task::yield_now().await;
            }
        }));
    }
    for number in from + 1..from + 300 {
        applied(fixture.store.write(&key("k"), numbered(number), TTL_MS, &Condition::Present).await);
        acknowledged.store(number, Ordering::SeqCst);
    }
    ended.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.expect("a reader");
    }
}

async fn p13_touch_moves_the_deadline_and_keeps_the_fields(fixture: Fixture) {
    let (store, key) = (&fixture.store, key("k"));
    let entry = create(store, &key, unusual_fields()).await;
    fixture.pass(60_000).await;
    let before = existing(store, &key).await;
    let (_, expires_at_ms) = applied(fixture.second().await.touch(&key, TTL_MS).await);
    assert!(expires_at_ms > before.expires_at_ms + 50_000, "{expires_at_ms} after {}", before.expires_at_ms);
    let touched = existing(store, &key).await;
    assert_eq!(
        (sorted(touched.clone().into_fields()), touched.expires_at_ms),
        (sorted(entry.clone().into_fields()), expires_at_ms)
    );
    applied(store.touch(&key, 60_000).await);
    assert!(existing(store, &key).await.expires_at_ms < expires_at_ms, "the last TTL counts, even a shorter one");

    let none = super::steps::key("none");
    assert_eq!(refused(store.touch(&none, TTL_MS).await), None);
    fixture.pass(61_000).await;
    assert_eq!(refused(store.touch(&key, TTL_MS).await), None, "a touch after the deadline");
    for gone in [&none, &key] {
        assert_eq!(read(store, gone).await, None);
    }
    assert_eq!(scan_all(store, 100).await, []);
}

async fn p14_remove_leaves_nothing(fixture: Fixture) {
    let second = fixture.second().await;
    let (store, key) = (&fixture.store, key("k"));
    assert_eq!(store.remove(&key, &Condition::Absent).await.expect("absent"), Outcome::Removed);
    for round in 0..3 {
        let entry = create(store, &key, unusual_fields()).await;
        if let Some(names) = fixture.names().await {
            assert_eq!(names, [fixture.stored_name(&key)], "another name in the store");
        }
        let when = if round == 0 { Condition::Present } else { Condition::At(entry.revision) };
        removed(second.remove(&key, &when).await);
        assert_eq!(read(store, &key).await, None);
        assert_eq!(scan_all(store, 10).await, []);
        assert_eq!(fixture.names().await.unwrap_or_default(), Vec::<String>::new());
        assert_eq!(refused(store.remove(&key, &Condition::Present).await), None);
        assert_eq!(refused(store.remove(&key, &when).await), None);
    }
    let again = fields(&[("facts", "{}")]);
    assert_eq!(create(store, &key, again.clone()).await.into_fields(), again, "fields of the entry before");
}
