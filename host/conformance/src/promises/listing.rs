//! P15, P16: listings, and namespaces.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ticket_host::store::{Condition, Key, Kind, SharedStore};

use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::steps::{
    TTL_MS, applied, create, existing, failed, key, number_of, numbered, read, refused, removed, scan_all,
};

promises![p15_a_scan_returns_every_key_that_existed_throughout, p16_namespaces_never_see_each_other];

const KEYS: usize = 300;

async fn p15_a_scan_returns_every_key_that_existed_throughout(fixture: Fixture) {
    let all: BTreeSet<Key> = (0..KEYS).map(|number| key(&format!("stays-{number}"))).collect();
    for key in &all {
        create(&fixture.store, key, numbered(1)).await;
    }
    for limit in [1, 7, 100, 299, 300, 301, 10_000] {
        let scanned: BTreeSet<Key> = scan_all(&fixture.store, limit).await.into_iter().collect();
        assert_eq!(scanned, all, "limit {limit}");
    }
    scan_during_changes(&fixture, &all).await;
    invalid_cursors(&fixture, &all).await;
}

async fn scan_during_changes(fixture: &Fixture, all: &BTreeSet<Key>) {
    let ended = Arc::new(AtomicBool::new(false));
    let changes = tokio::spawn({
        let (store, ended) = (fixture.second().await, Arc::clone(&ended));
        async move {
            let mut number: u32 = 0;
            while !ended.load(Ordering::SeqCst) {
                number += 1;
                let key = key(&format!("goes-{}", number % 500));
                drop(store.write(&key, numbered(2), TTL_MS, &Condition::Absent).await);
                drop(store.remove(&key, &Condition::Present).await);
            }
        }
    });
    for limit in [3, 50, 3, 50] {
        let scanned: BTreeSet<Key> = scan_all(&fixture.store, limit).await.into_iter().collect();
        let missing: Vec<&Key> = all.difference(&scanned).collect();
        assert!(missing.is_empty(), "missing: {missing:?}");
    }
    ended.store(true, Ordering::SeqCst);
    changes.await.expect("the other client");
}

/// Cursors of other stores and invalid ones are refused, or give a page of our own keys.
async fn invalid_cursors(fixture: &Fixture, all: &BTreeSet<Key>) {
    let long = "9".repeat(10_000);
    let cursors = [
        "",
        " ",
        "0",
        "-1",
        "+1",
        "1",
        "17",
        "18446744073709551615",
        "18446744073709551616",
        "0x10",
        "1e3",
        "x",
        "\0",
        "ticket:",
        "ticket:a",
        "ticket:zzzz",
        "ticket:*",
        "other:ticket:a",
        "a' OR 1=1 --",
        "0\r\nFLUSHALL",
        "日本",
        &long,
    ];
    for cursor in cursors {
        match fixture.store.scan(Some(cursor), 10).await {
            Ok(page) => {
                let of_others =
                    page.keys.iter().any(|key| !all.contains(key) && !key.as_str().starts_with("ticket:goes-"));
                assert!(!of_others, "{cursor:?}: {:?}", page.keys);
            }
            Err(error) => assert_eq!(error.kind(), Kind::Invalid, "{cursor:?}: {error}"),
        }
    }
    for limit in [0, 10_001, u32::MAX] {
        assert_eq!(failed(fixture.store.scan(None, limit).await), Kind::Invalid, "limit {limit}");
    }
    let scanned: BTreeSet<Key> = scan_all(&fixture.store, 100).await.into_iter().collect();
    assert!(all.is_subset(&scanned), "an invalid cursor did damage");
}

async fn p16_namespaces_never_see_each_other(fixture: Fixture) {
    let id = fixture.own_namespace("id");
    // One name is a prefix of another, and one looks like a key.
    let mut stores: Vec<SharedStore> = vec![Arc::clone(&fixture.store)];
    for name in ["x", "x1", "x.ticket", "X"] {
        stores.push(fixture.in_namespace(Some(&fixture.own_namespace(name))).await);
    }
    if fixture.backend().is_private() {
        stores.push(fixture.in_namespace(None).await);
    }
    let key = key(&id);
    for (number, store) in (0..).zip(&stores) {
        assert_eq!(read(store, &key).await, None);
        assert_eq!(refused(store.write(&key, numbered(9), TTL_MS, &Condition::Present).await), None);
        assert_eq!(refused(store.touch(&key, TTL_MS).await), None);
        assert_eq!(refused(store.remove(&key, &Condition::Present).await), None);
        create(store, &key, numbered(number)).await;
        create(store, &super::steps::key(&format!("{id}-{number}")), numbered(number)).await;
    }
    for (number, store) in (0..).zip(&stores) {
        assert_eq!(number_of(&existing(store, &key).await), number);
        // Without a namespace, the scan returns entries of other fixtures too.
        let ours = |key: &Key| key.ticket_id().starts_with(&id);
        let scanned: BTreeSet<Key> = scan_all(store, 50).await.into_iter().filter(ours).collect();
        assert_eq!(scanned, BTreeSet::from([key.clone(), super::steps::key(&format!("{id}-{number}"))]), "{store:?}");
    }
    for (number, store) in (0..).zip(&stores) {
        applied(store.touch(&key, TTL_MS).await);
        removed(store.remove(&key, &Condition::Present).await);
        removed(store.remove(&super::steps::key(&format!("{id}-{number}")), &Condition::Present).await);
        for (other, store) in (0..).zip(&stores) {
            assert_eq!(read(store, &key).await.is_some(), other > number);
        }
    }
}
