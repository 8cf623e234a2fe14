//! P4 to P8: concurrent writers, which of them is applied, and what the others are told.

use std::collections::HashSet;
use std::sync::Arc;

use ticket_host::store::{Condition, Entry, Outcome, SharedStore};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::steps::{
    TTL_MS, applied, create, existing, fields, handles, key, number_of, numbered, read, refused, removed,
};

promises![
    p04_of_writers_with_absent_exactly_one_is_applied,
    p05_of_writers_at_one_revision_exactly_one_is_applied,
    p06_present_is_applied_to_any_existing_entry,
    p07_a_refused_change_changes_nothing_and_returns_the_entry,
    p08_every_write_and_touch_gives_a_new_revision,
];

const RACERS: u64 = 16;

/// Starts concurrent writers, numbered from 1, on several handles, and returns their outcomes by number.
async fn race(fixture: &Fixture, id: &'static str, when: Condition) -> Vec<(u64, Outcome)> {
    let start = Arc::new(Barrier::new(usize::try_from(RACERS).expect("racers")));
    let mut racers = JoinSet::new();
    for (number, store) in (1..=RACERS).zip(handles(fixture).await.into_iter().cycle()) {
        let (start, when) = (Arc::clone(&start), when.clone());
        racers.spawn(async move {
            start.wait().await;
            (number, change(&store, id, number, &when).await)
        });
    }
    racers.join_all().await
}

/// Every fourth racer at a revision removes; all others write.
async fn change(store: &SharedStore, id: &str, number: u64, when: &Condition) -> Outcome {
    match when {
        Condition::At(_) if number.is_multiple_of(4) => store.remove(&key(id), when).await,
        _ => store.write(&key(id), numbered(number), TTL_MS, when).await,
    }
    .expect("an outcome")
}

/// The number of the only writer that was applied, and the entries that the others got.
fn the_winner(outcomes: Vec<(u64, Outcome)>) -> (u64, Vec<Option<Entry>>) {
    let (mut winners, mut found) = (Vec::new(), Vec::new());
    for (number, outcome) in outcomes {
        match outcome {
            Outcome::Written { .. } | Outcome::Removed => winners.push(number),
            Outcome::Refused(entry) => found.push(entry),
        }
    }
    assert_eq!(winners.len(), 1, "applied: {winners:?}");
    (winners[0], found)
}

async fn p04_of_writers_with_absent_exactly_one_is_applied(fixture: Fixture) {
    for round in 0..10 {
        let (winner, found) = the_winner(race(&fixture, "k", Condition::Absent).await);
        let entry = existing(&fixture.store, &key("k")).await;
        assert_eq!(number_of(&entry), winner);
        assert!(found.iter().all(|found| found.as_ref() == Some(&entry)), "{found:?} is not {entry:?}");
        if round % 2 == 0 {
            removed(fixture.store.remove(&key("k"), &Condition::Present).await);
        } else {
            fixture.pass(TTL_MS + 1_000).await;
        }
    }
}

async fn p05_of_writers_at_one_revision_exactly_one_is_applied(fixture: Fixture) {
    let store = &fixture.store;
    for _ in 0..10 {
        let first = create(store, &key("k"), numbered(0)).await;
        let (winner, found) = the_winner(race(&fixture, "k", Condition::At(first.revision.clone())).await);
        let now = read(store, &key("k")).await;
        assert_eq!(now.as_ref().map(number_of), (winner % 4 != 0).then_some(winner));
        assert!(found.iter().all(|found| *found == now), "{found:?} is not {now:?}");
        refused(store.write(&key("k"), numbered(9), TTL_MS, &Condition::At(first.revision.clone())).await);
        refused(store.remove(&key("k"), &Condition::At(first.revision)).await);
        assert_eq!(read(store, &key("k")).await, now);
        if now.is_some() {
            removed(store.remove(&key("k"), &Condition::Present).await);
        }
    }

    create(store, &key("sum"), numbered(0)).await;
    let mut adders = JoinSet::new();
    for store in handles(&fixture).await.into_iter().cycle().take(8) {
        adders.spawn(async move {
            for _ in 0..25 {
                add_one(&store).await
            }
        });
    }
    adders.join_all().await;
    assert_eq!(number_of(&existing(store, &key("sum")).await), 8 * 25, "an addition was lost");
}

/// Reads, adds one and writes at the revision read, until the write is applied.
async fn add_one(store: &SharedStore) {
    let mut entry = existing(store, &key("sum")).await;
    loop {
        let more = numbered(number_of(&entry) + 1);
        match store.write(&key("sum"), more, TTL_MS, &Condition::At(entry.revision)).await.expect("an outcome") {
            Outcome::Refused(current) => entry = current.expect("current"),
            Outcome::Written { .. } | Outcome::Removed => return,
        }
    }
}

async fn p06_present_is_applied_to_any_existing_entry(fixture: Fixture) {
    let store = &fixture.store;
    for (index, odd) in [fields(&[("x", "")]), fields(&[("version", "99")]), numbered(1)].into_iter().enumerate() {
        let key = key(&format!("odd-{index}"));
        create(store, &key, odd).await;
        applied(store.write(&key, numbered(2), TTL_MS, &Condition::Present).await);
        assert_eq!(number_of(&existing(store, &key).await), 2);
        removed(store.remove(&key, &Condition::Present).await);
        assert_eq!(read(store, &key).await, None);
    }
    for &damage in fixture.damages() {
        let key = key(&format!("damaged-{damage:?}"));
        fixture.damage(&key, damage).await;
        applied(store.write(&key, numbered(3), TTL_MS, &Condition::Present).await);
        let entry = existing(store, &key).await;
        assert_eq!(number_of(&entry), 3, "{damage:?}");
        assert!(entry.expires_at_ms > fixture.now_ms().await, "{damage:?}");
        fixture.damage(&key, damage).await;
        removed(store.remove(&key, &Condition::Present).await);
        assert_eq!(read(store, &key).await, None, "{damage:?}");
    }

    create(store, &key("ended"), numbered(4)).await;
    create(store, &key("removed"), numbered(4)).await;
    removed(store.remove(&key("removed"), &Condition::Present).await);
    fixture.pass(TTL_MS + 1_000).await;
    for id in ["never", "ended", "removed"] {
        assert_eq!(refused(store.write(&key(id), numbered(5), TTL_MS, &Condition::Present).await), None, "{id}");
        assert_eq!(refused(store.remove(&key(id), &Condition::Present).await), None, "{id}");
        assert_eq!(read(store, &key(id)).await, None, "{id}");
    }
}

async fn p07_a_refused_change_changes_nothing_and_returns_the_entry(fixture: Fixture) {
    let second = fixture.second().await;
    let (store, key) = (&fixture.store, key("k"));
    let old = create(store, &key, numbered(1)).await.revision;
    applied(store.write(&key, numbered(2), TTL_MS, &Condition::Present).await);
    let (current, dumped) = (existing(store, &key).await, fixture.dump(&key).await);
    for when in [Condition::Absent, Condition::At(old.clone())] {
        for handle in [store, &second] {
            for ttl_ms in [1_000, TTL_MS, 2 * TTL_MS] {
                let found = refused(handle.write(&key, numbered(3), ttl_ms, &when).await);
                assert_eq!(found.as_ref(), Some(&current), "{when:?}");
            }
            assert_eq!(refused(handle.remove(&key, &when).await).as_ref(), Some(&current), "{when:?}");
        }
    }
    assert_eq!((existing(store, &key).await, fixture.dump(&key).await), (current, dumped));

    let none = super::steps::key("none");
    for when in [Condition::Present, Condition::At(old)] {
        assert_eq!(refused(store.write(&none, numbered(1), TTL_MS, &when).await), None, "{when:?}");
        assert_eq!(refused(store.remove(&none, &when).await), None, "{when:?}");
    }
    assert_eq!(refused(store.touch(&none, TTL_MS).await), None);
    assert_eq!(read(store, &none).await, None);
}

async fn p08_every_write_and_touch_gives_a_new_revision(fixture: Fixture) {
    let mut seen = HashSet::new();
    seen.insert(create(&fixture.store, &key("k"), numbered(1)).await.revision);
    let handles = handles(&fixture).await;
    for (round, store) in (0..300).zip(handles.iter().cycle()) {
        let outcome = match round % 3 {
            0 => store.touch(&key("k"), TTL_MS).await,
            1 => store.write(&key("k"), numbered(1), TTL_MS, &Condition::Present).await,
            _ => {
                let revision = existing(store, &key("k")).await.revision;
                store.write(&key("k"), numbered(1), TTL_MS, &Condition::At(revision)).await
            }
        };
        assert!(seen.insert(applied(outcome).0), "a revision was used twice, in round {round}");
    }
    let mut writers = JoinSet::new();
    for (number, store) in (0..8).zip(handles.into_iter().cycle()) {
        writers.spawn(async move {
            let mut revisions = Vec::new();
            for round in 0..40 {
                let outcome = match (number + round) % 2 {
                    0 => store.touch(&key("k"), TTL_MS).await,
                    _ => store.write(&key("k"), numbered(1), TTL_MS, &Condition::Present).await,
                };
                revisions.push(applied(outcome).0);
            }
            revisions
        });
    }
    for revision in writers.join_all().await.concat() {
        assert!(seen.insert(revision.clone()), "revision {revision} was used twice");
    }
}
