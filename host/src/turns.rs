//! Turns: writers of one ticket go one after the other, first come first served.
//!
//! Conditional writes make races safe; turns make them rare, so that no writer of a busy ticket starves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// One queue for each ticket that has writers right now.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    queues: Mutex<HashMap<Box<str>, Queue>>,
}

/// A fair lock: waiters get it in the order in which they came.
type Queue = Arc<tokio::sync::Mutex<()>>;

/// The right to write one ticket, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    id: &'a str,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn of a caller who wants to write the ticket `id`.
    pub(crate) async fn take<'a>(&'a self, id: &'a str) -> Turn<'a> {
        let queue = Arc::clone(self.queues().entry(id.into()).or_default());
        // Made before the wait, so that a caller who leaves the queue also tidies up.
        let mut turn = Turn { turns: self, id, held: None };
        turn.held = Some(queue.lock_owned().await);
        turn
    }

    fn queues(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
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
        let turns = Arc::new(Turns::default());
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = turns.take("t").await;
        let mut waiting = Vec::new();
        for number in 0..20 {
            let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let _turn = turns.take("t").await;
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        let _other = turns.take("other").await;
        drop(first);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
        assert_eq!(turns.queues().len(), 1, "only the other ticket's");
    }

    #[tokio::test]
    async fn a_caller_who_leaves_the_queue_blocks_nobody() {
        let turns = Arc::new(Turns::default());
        let first = turns.take("t").await;
        let leaver = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { drop(turns.take("t").await) }
        });
        tokio::task::yield_now().await;
        leaver.abort();
        assert!(leaver.await.is_err());
        drop(first);
        drop(turns.take("t").await);
        assert!(turns.queues().is_empty());
    }
}
