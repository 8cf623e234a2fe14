//! P20: callers who go away in the middle of a call.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tokio::task::JoinSet;

use crate::Fixture;
use ticket_host::store::{Condition, Outcome, SharedStore};

use crate::promise::promises;
use crate::promises::steps::{TTL_MS, create, handles, key, number_of, numbered, read, there};

promises![p20_a_caller_who_goes_away_leaves_a_change_whole_or_none];

/// More polls than any call needs.
const POLLS_MAX: u32 = 12;

/// Polls a call so many times and goes away, if it is not done by then.
async fn leave_after<T>(polls: u32, call: impl Future<Output = T>) -> Option<T> {
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

async fn p20_a_caller_who_goes_away_leaves_a_change_whole_or_none(fixture: Fixture) {
    let numbers = Arc::new(AtomicU64::new(0));
    create(&fixture.store, &key("k"), numbered(0)).await;
    let mut leavers = JoinSet::new();
    for (index, store) in (0..8).zip(handles(&fixture).await.into_iter().cycle()) {
        leavers.spawn(come_and_go(store, fixture.rng(&format!("p20-{index}")), Arc::clone(&numbers)));
    }
    leavers.join_all().await;

    // What was left on its way lands or not; then the entry serves as ever.
    for when in [Condition::Present, Condition::Absent].iter().cycle().take(20) {
        let written = fixture.store.write(&key("k"), numbered(u64::from(u32::MAX)), TTL_MS, when).await;
        match written.expect("outcome") {
            Outcome::Written { .. } => break,
            Outcome::Refused(found) => drop(found.as_ref().map(number_of)),
            Outcome::Removed => panic!("a write removes nothing"),
        }
    }
    number_of(&there(&fixture.store, &key("k")).await);
}

/// Makes changes, goes away in the middle of most, and looks at what is there between them.
async fn come_and_go(store: SharedStore, mut rng: fastrand::Rng, numbers: Arc<AtomicU64>) {
    for _ in 0..120 {
        let polls = rng.u32(1..=POLLS_MAX);
        let entry = leave_after(polls, read(&store, &key("k"))).await;
        let entry = match entry {
            Some(entry) => entry,
            None => read(&store, &key("k")).await,
        };
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        let (change, when) = match entry {
            None => (0, Condition::Absent),
            Some(entry) => {
                number_of(&entry);
                assert_ne!(entry.expires_at_ms, 0, "a whole change has a deadline");
                (rng.u32(0..8), Condition::At(entry.revision))
            }
        };
        match change {
            0..=4 => drop(leave_after(polls, store.write(&key("k"), numbered(number), TTL_MS, &when)).await),
            5 => drop(leave_after(polls, store.write(&key("k"), numbered(number), TTL_MS, &Condition::Present)).await),
            6 => drop(leave_after(polls, store.touch(&key("k"), TTL_MS)).await),
            _ => drop(leave_after(polls, store.remove(&key("k"), &when)).await),
        }
    }
}
