//! P9 to P12: when entries expire, and what moves their deadline.

use std::time::{Duration, Instant};

use ticket_host::store::{Condition, Freshness, Outcome, TTL_MS_MAX, TTL_MS_MIN};

use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::steps::{TTL_MS, applied, create, existing, key, numbered, read, refused, removed, scan_all};

promises![
    p09_an_outcome_is_what_the_next_read_returns,
    p10_a_change_sets_the_deadline_to_its_ttl_from_now,
    p11_an_entry_exists_until_its_deadline,
    p12_reading_and_listing_change_nothing,
];

async fn p09_an_outcome_is_what_the_next_read_returns(fixture: Fixture) {
    let second = fixture.second().await;
    let key = key("k");
    let check = async |outcome: Result<Outcome, _>| {
        let (revision, expires_at_ms) = applied(outcome);
        for store in [&fixture.store, &second] {
            let entry = existing(store, &key).await;
            assert_eq!((&entry.revision, entry.expires_at_ms), (&revision, expires_at_ms));
        }
        revision
    };
    let mut revision = check(fixture.store.write(&key, numbered(1), TTL_MS, &Condition::Absent).await).await;
    for number in 2..60 {
        // Texts and times of many lengths.
        let fields = numbered(number * number * number * number * number);
        let ttl_ms = TTL_MS_MIN + number * 20_000;
        check(second.write(&key, fields.clone(), ttl_ms, &Condition::At(revision)).await).await;
        check(fixture.store.touch(&key, ttl_ms).await).await;
        check(second.touch(&key, TTL_MS).await).await;
        revision = check(fixture.store.write(&key, fields, TTL_MS, &Condition::Present).await).await;
        if number % 10 == 0 {
            fixture.pass(7).await;
            revision = existing(&second, &key).await.revision;
        }
    }
    assert_eq!(existing(&second, &key).await.revision, revision);
}

async fn p10_a_change_sets_the_deadline_to_its_ttl_from_now(fixture: Fixture) {
    let store = &fixture.store;
    let slack_ms = fixture.clock_slack_ms();
    let mut number = 0;
    // If the clock of the store keeps running, the shortest TTL must outlast delays of a slow machine.
    let shortest_ms = if fixture.has_manual_clock() { TTL_MS_MIN } else { 30_000 };
    for ttl_ms in [shortest_ms, shortest_ms + 999, 60_000, TTL_MS, 86_400_000, TTL_MS_MAX] {
        for _ in 0..5 {
            number += 1;
            let key = key(&format!("k{number}"));
            // Each change with a TTL of its own, longer or shorter: the last one counts.
            for change in 0..4 {
                let ttl_ms = if change == 1 { 2 * TTL_MS } else { ttl_ms };
                let before_ms = fixture.now_ms().await;
                let (_, expires_at_ms) = applied(match change {
                    0 => store.write(&key, numbered(1), ttl_ms, &Condition::Absent).await,
                    1 => store.write(&key, numbered(2), ttl_ms, &Condition::Present).await,
                    2 => store.touch(&key, ttl_ms).await,
                    _ => {
                        let revision = existing(store, &key).await.revision;
                        store.write(&key, numbered(3), ttl_ms, &Condition::At(revision)).await
                    }
                });
                let after_ms = fixture.now_ms().await;
                let earliest = before_ms + ttl_ms - ttl_ms / 2_000;
                let latest = after_ms + ttl_ms + 250;
                assert!(expires_at_ms + slack_ms >= earliest, "{expires_at_ms} is before {earliest}, ttl {ttl_ms}");
                assert!(expires_at_ms <= latest + slack_ms, "{expires_at_ms} is after {latest}, ttl {ttl_ms}");
                fixture.pass(3).await;
            }
        }
    }
    let entry = create(store, &key("late"), numbered(1)).await;
    fixture.pass(TTL_MS / 2).await;
    let (_, expires_at_ms) = applied(store.touch(&key("late"), TTL_MS).await);
    // If the clock cannot be moved, `pass` made the deadline earlier instead.
    let advanced_ms = if fixture.has_manual_clock() { 0 } else { TTL_MS / 2 };
    let moved_ms = expires_at_ms + advanced_ms - entry.expires_at_ms;
    assert!(moved_ms.abs_diff(TTL_MS / 2) <= TTL_MS / 2_000 + slack_ms, "moved by {moved_ms} ms");
}

async fn p11_an_entry_exists_until_its_deadline(fixture: Fixture) {
    if fixture.has_manual_clock() {
        expires_at_the_millisecond(&fixture).await;
    } else {
        expires_by_the_clock_of_the_store(&fixture).await;
    }
    let store = &fixture.store;
    let ids = ["read", "absent", "present", "at", "touch", "remove-present", "remove-at", "remove-absent"];
    let mut revision = None;
    for id in ids {
        revision = Some(create(store, &key(id), numbered(1)).await.revision);
    }
    let at = Condition::At(revision.expect("revision"));
    fixture.pass(TTL_MS - TTL_MS / 10).await;
    for id in ids {
        assert!(read(store, &key(id)).await.is_some(), "{id} expired too early");
    }
    fixture.pass(TTL_MS / 10 + 1).await;
    assert_eq!(read(store, &key("read")).await, None);
    assert_eq!(store.read(&key("read"), Freshness::Recent).await.expect("read"), None);
    assert_eq!(refused(store.write(&key("present"), numbered(2), TTL_MS, &Condition::Present).await), None);
    assert_eq!(refused(store.write(&key("at"), numbered(2), TTL_MS, &at).await), None);
    assert_eq!(refused(store.touch(&key("touch"), TTL_MS).await), None);
    assert_eq!(refused(store.remove(&key("remove-present"), &Condition::Present).await), None);
    assert_eq!(refused(store.remove(&key("remove-at"), &at).await), None);
    removed(store.remove(&key("remove-absent"), &Condition::Absent).await);
    assert_eq!(scan_all(store, 100).await, []);
    applied(store.write(&key("absent"), numbered(2), TTL_MS, &Condition::Absent).await);
    for id in ids {
        assert_eq!(read(store, &key(id)).await.is_some(), id == "absent", "{id}");
    }
}

/// With a manual clock: an entry exists at its deadline and is gone one millisecond later.
async fn expires_at_the_millisecond(fixture: &Fixture) {
    for ttl_ms in [TTL_MS_MIN, TTL_MS] {
        applied(fixture.store.write(&key("edge"), numbered(1), ttl_ms, &Condition::Absent).await);
        let entry = existing(&fixture.store, &key("edge")).await;
        fixture.pass(entry.expires_at_ms - fixture.now_ms().await).await;
        assert_eq!(existing(&fixture.store, &key("edge")).await, entry);
        refused(fixture.store.write(&key("edge"), numbered(1), ttl_ms, &Condition::Absent).await).expect("current");
        fixture.pass(1).await;
        assert_eq!(read(&fixture.store, &key("edge")).await, None);
    }
}

/// With a clock of the store: every read agrees with that clock before and after the read.
async fn expires_by_the_clock_of_the_store(fixture: &Fixture) {
    let outcome = fixture.store.write(&key("edge"), numbered(1), TTL_MS_MIN, &Condition::Absent).await;
    let (_, deadline_ms) = applied(outcome);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let before_ms = fixture.now_ms().await;
        let entry = read(&fixture.store, &key("edge")).await;
        let after_ms = fixture.now_ms().await;
        match entry {
            Some(entry) => {
                assert_eq!(entry.expires_at_ms, deadline_ms);
                assert!(before_ms <= deadline_ms, "exists at {before_ms}, after its deadline {deadline_ms}");
            }
            None => {
                assert!(after_ms > deadline_ms, "gone by {after_ms}, before its deadline {deadline_ms}");
                break;
            }
        }
        assert!(Instant::now() < until, "still exists at {after_ms}, deadline {deadline_ms}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn p12_reading_and_listing_change_nothing(fixture: Fixture) {
    let second = fixture.second().await;
    let keys = [key("a"), key("b"), key("c")];
    for key in &keys {
        create(&fixture.store, key, numbered(1)).await;
    }
    for elapsed_ms in [0, 1, 60_000, TTL_MS / 2] {
        fixture.pass(elapsed_ms).await;
        let mut before = Vec::new();
        for key in &keys {
            before.push((existing(&fixture.store, key).await, fixture.dump(key).await));
        }
        for store in [&fixture.store, &second] {
            for freshness in [Freshness::Latest, Freshness::Recent] {
                for key in keys.iter().chain([&key("none")]) {
                    store.read(key, freshness).await.expect("read");
                }
            }
            scan_all(store, 1).await;
            scan_all(store, 1_000).await;
            drop(store.scan(Some("invalid"), 10).await);
            store.health().await.expect("health");
        }
        let mut after = Vec::new();
        for key in &keys {
            after.push((existing(&fixture.store, key).await, fixture.dump(key).await));
        }
        assert_eq!(after, before);
    }
    assert_eq!(read(&fixture.store, &key("none")).await, None);
}
