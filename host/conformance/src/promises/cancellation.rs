//! P20: callers that drop a call before it ends.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use ticket_host::store::{Condition, Outcome, SharedStore};
use tokio::task::JoinSet;

use crate::fixture::Fixture;
use crate::promise::promises;
use crate::promises::steps::{TTL_MS, create, existing, handles, key, number_of, numbered, read};

promises![p20_a_cancelled_change_is_made_completely_or_not_at_all];

/// More polls than any call needs to end.
const POLLS_MAX: u32 = 12;

/// Polls a call at most this many times, then drops it.
async fn drop_after<T>(polls: u32, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        if let Poll::Ready(answer) = polled {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}

async fn p20_a_cancelled_change_is_made_completely_or_not_at_all(fixture: Fixture) {
    let numbers = Arc::new(AtomicU64::new(0));
    create(&fixture.store, &key("k"), numbered(0)).await;
    let mut callers = JoinSet::new();
    for (index, store) in (0..8).zip(handles(&fixture).await.into_iter().cycle()) {
        callers.spawn(call_and_drop(store, fixture.rng(&format!("p20-{index}")), Arc::clone(&numbers)));
    }
    callers.join_all().await;

    // Dropped changes are applied or not; the entry works as before.
    for when in [Condition::Present, Condition::Absent].iter().cycle().take(20) {
        let written = fixture.store.write(&key("k"), numbered(u64::from(u32::MAX)), TTL_MS, when).await;
        match written.expect("outcome") {
            Outcome::Written { .. } => break,
            Outcome::Refused(found) => drop(found.as_ref().map(number_of)),
            Outcome::Removed => panic!("a write cannot remove"),
        }
    }
    number_of(&existing(&fixture.store, &key("k")).await);
}

/// Makes changes, drops most of them before they end, and checks the entry between them.
async fn call_and_drop(store: SharedStore, mut rng: fastrand::Rng, numbers: Arc<AtomicU64>) {
    for _ in 0..120 {
        let polls = rng.u32(1..=POLLS_MAX);
        let entry = drop_after(polls, read(&store, &key("k"))).await;
        let entry = match entry {
            Some(entry) => entry,
            None => read(&store, &key("k")).await,
        };
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        let (change, when) = match entry {
            None => (0, Condition::Absent),
            Some(entry) => {
                number_of(&entry);
                assert_ne!(entry.expires_at_ms, 0, "a complete change has a deadline");
                (rng.u32(0..8), Condition::At(entry.revision))
            }
        };
        match change {
            0..=4 => drop(drop_after(polls, store.write(&key("k"), numbered(number), TTL_MS, &when)).await),
            5 => drop(drop_after(polls, store.write(&key("k"), numbered(number), TTL_MS, &Condition::Present)).await),
            6 => drop(drop_after(polls, store.touch(&key("k"), TTL_MS)).await),
            _ => drop(drop_after(polls, store.remove(&key("k"), &when)).await),
        }
    }
}
