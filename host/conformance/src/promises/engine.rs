//! E1 to E36: what the ticket engine guarantees over every store.

use crate::promise::Promise;

mod changes;
mod concurrency;
mod editing;
mod ensuring;
mod input;
mod lifecycle;
mod merging;
mod old_and_damaged;
mod parts;
mod snapshots;
mod steps;

/// The promises that the modules below test, in the order of their numbers.
pub(crate) fn promises() -> Vec<Promise> {
    let mut promises = [
        lifecycle::promises(),
        changes::promises(),
        concurrency::promises(),
        snapshots::promises(),
        old_and_damaged::promises(),
        input::promises(),
        merging::promises(),
        editing::promises(),
        ensuring::promises(),
        parts::promises(),
    ]
    .concat();
    promises.sort_by_key(|promise| promise.name);
    promises
}
