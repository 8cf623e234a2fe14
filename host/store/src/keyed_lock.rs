//! A lock per ticket: the writers of one ticket run one after the other, in the order in which they came.
//!
//! Conditional writes make races safe. The lock makes them rare, so that no writer of a busy ticket starves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// One queue for each ticket that has writers now.
#[derive(Debug, Default)]
pub struct KeyedLock {
    queues: Mutex<HashMap<Box<str>, Queue>>,
}

/// A fair lock: waiters get it in the order in which they came.
type Queue = Arc<tokio::sync::Mutex<()>>;

/// The right to write one ticket, until it is dropped.
#[derive(Debug)]
pub struct KeyGuard<'a> {
    lock: &'a KeyedLock,
    id: &'a str,
    held: Option<OwnedMutexGuard<()>>,
}

impl KeyedLock {
    /// Waits until the caller may write the ticket `id`.
    pub async fn lock<'a>(&'a self, id: &'a str) -> KeyGuard<'a> {
        let queue = Arc::clone(self.queues().entry(id.into()).or_default());
        // Created before the wait, so that a caller who gives up also removes an empty queue.
        let mut guard = KeyGuard { lock: self, id, held: None };
        guard.held = Some(queue.lock_owned().await);
        guard
    }

    fn queues(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyGuard<'_> {
    fn drop(&mut self) {
        let mut queues = self.lock.queues();
        self.held = None;
        // Only the map holds it: there is no writer, and none waits.
        if queues.get(self.id).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn callers_are_served_in_order_and_leave_no_queue() {
        let lock = Arc::new(KeyedLock::default());
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = lock.lock("t").await;
        let mut waiting = Vec::new();
        for number in 0..20 {
            let (lock, order) = (Arc::clone(&lock), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _guard = lock.lock("t").await;
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        let _other = lock.lock("other").await;
        drop(first);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
        assert_eq!(lock.queues().len(), 1, "only the other ticket's");
    }

    #[tokio::test]
    async fn a_caller_who_gives_up_blocks_no_other() {
        let lock = Arc::new(KeyedLock::default());
        let first = lock.lock("t").await;
        let cancelled = tokio::spawn({
            let lock = Arc::clone(&lock);
            async move { drop(lock.lock("t").await) }
        });
        tokio::task::yield_now().await;
        cancelled.abort();
        assert!(cancelled.await.is_err());
        drop(first);
        drop(lock.lock("t").await);
        assert!(lock.queues().is_empty());
    }
}
