//! Turns: writers of one ticket go one after the other, first come first served.
//!
//! Conditional writes make races safe; lock make them rare, so that no writer of a busy ticket starves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// One queue for each ticket that has writers right now.
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
    /// Waits for the turn of a caller who wants to write the ticket `id`.
    pub async fn lock<'a>(&'a self, id: &'a str) -> KeyGuard<'a> {
        let queue = Arc::clone(self.queues().entry(id.into()).or_default());
        // Made before the wait, so that a caller who leaves the queue also tidies up.
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
        // Only the map holds it: nobody writes and nobody waits.
        if queues.get(self.id).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_of_arrival_and_leave_nothing_behind() {
        let lock = Arc::new(KeyedLock::default());
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = lock.lock("t").await;
        let mut waiting = Vec::new();
        for number in 0..20 {
            let (lock, order) = (Arc::clone(&lock), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _turn = lock.lock("t").await;
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
    async fn a_caller_who_leaves_the_queue_blocks_nobody() {
        let lock = Arc::new(KeyedLock::default());
        let first = lock.lock("t").await;
        let leaver = tokio::spawn({
            let lock = Arc::clone(&lock);
            async move { drop(lock.lock("t").await) }
        });
        tokio::task::yield_now().await;
        leaver.abort();
        assert!(leaver.await.is_err());
        drop(first);
        drop(lock.lock("t").await);
        assert!(lock.queues().is_empty());
    }
}
