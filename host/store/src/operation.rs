//! One operation on a ticket, as its store calls see it: when its time is up, and who served it.
//!
//! The engine asks its host several times within one operation; the time is that of the whole. It travels with
//! the task and not as an argument, for the interface between engine and store has no place for it.

use std::cell::Cell;

use tokio::time::Instant;

/// Who answered an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServedBy {
    /// The store that was named.
    #[default]
    Store,
    /// What stands in for it while it is away, or until it has been told.
    Fallback,
}

tokio::task_local! {
    static OPERATION: Operation;
}

struct Operation {
    until: Instant,
    served_by: Cell<ServedBy>,
}

/// Runs a store call of an operation whose time is up at `until`, and says who served the call.
pub async fn during<T>(until: Instant, call: impl Future<Output = T>) -> (T, ServedBy) {
    let operation = Operation { until, served_by: Cell::new(ServedBy::Store) };
    OPERATION
        .scope(operation, async {
            let answer = call.await;
            (answer, OPERATION.with(|operation| operation.served_by.get()))
        })
        .await
}

/// When the time of the present operation is up; none for a store call outside of any.
pub fn until() -> Option<Instant> {
    OPERATION.try_with(|operation| operation.until).ok()
}

/// Notes that the present store call is answered by the fallback.
pub fn served_by_fallback() {
    // Outside of an operation nobody asks.
    let _ = OPERATION.try_with(|operation| operation.served_by.set(ServedBy::Fallback));
}
