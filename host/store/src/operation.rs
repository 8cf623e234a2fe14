//! One operation on a ticket, as its store calls see it: its deadline, and which store answered.
//!
//! The engine calls its host several times within one operation, and the deadline is that of the whole. It is a
//! task-local value and not an argument, because the interface between engine and store has none for it.

use std::cell::Cell;

use tokio::time::Instant;

/// Which store answered an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServedBy {
    /// The store itself.
    #[default]
    Store,
    /// Its fallback, while the store is down or has not confirmed the change.
    Fallback,
}

tokio::task_local! {
    static OPERATION: Operation;
}

struct Operation {
    until: Instant,
    served_by: Cell<ServedBy>,
}

/// Runs a store call of an operation with this deadline, and says which store answered.
pub async fn during<T>(until: Instant, call: impl Future<Output = T>) -> (T, ServedBy) {
    let operation = Operation { until, served_by: Cell::new(ServedBy::Store) };
    OPERATION
        .scope(operation, async {
            let answer = call.await;
            (answer, OPERATION.with(|operation| operation.served_by.get()))
        })
        .await
}

/// The deadline of the current operation; none for a store call outside of an operation.
pub fn until() -> Option<Instant> {
    OPERATION.try_with(|operation| operation.until).ok()
}

/// Notes that the fallback answers the current store call.
pub fn served_by_fallback() {
    // Outside of an operation there is no one to tell.
    let _ = OPERATION.try_with(|operation| operation.served_by.set(ServedBy::Fallback));
}
