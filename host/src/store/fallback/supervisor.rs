//! The supervisor: the task that owns the link to the primary, brings unsaved changes home, and closes the breaker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::Inner;
use super::pacer::Pacer;
use super::reconcile::Brought;
use super::shadow::NoteName;
use super::status::Reconciliation;
use crate::store::primary::Unfit;

/// How often an idle link is asked for a sign of life: a dead one is found before the next caller finds it.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Tickets that are brought home at once: ten thousand of 4 KiB in a second, and callers hardly wait. Measured: 16 take
/// 0.7 s and make callers wait ten times as long, 2 take 1.7 s and are no better for callers than 4.
const AT_ONCE: usize = 4;
/// Pause before what could not be brought home is tried again while the store serves.
const ROUND_PAUSE: Duration = Duration::from_millis(100);

/// Runs until it is aborted.
pub(super) async fn supervise(inner: Arc<Inner>, mut pacer: Pacer) {
    loop {
        while inner.link().is_none() {
            sleep_until(pacer.next(Instant::now())).await;
            pacer.began(Instant::now());
            match inner.attempt().await {
                Ok(()) => pacer.succeeded(Instant::now()),
                Err(unfit) => inner.board.failed(&unfit.error.chain()),
            }
        }
        let left = inner.bring_home().await;
        inner.rounds.send_modify(|rounds| *rounds += 1);
        tokio::select! {
            biased;
            () = inner.primary.disconnected() => inner.lost("the connection ended"),
            () = inner.wake.notified() => {}
            () = sleep(ROUND_PAUSE), if left => {}
            () = sleep(PING_EVERY) => inner.ping().await,
        }
    }
}

impl Inner {
    /// Makes a new link, finds out what the server has lost, and closes the breaker.
    pub(super) async fn attempt(self: &Arc<Self>) -> Result<(), Unfit> {
        let origin = self.primary.qualify().await?;
        if let Err(error) = self.adopt(origin).await {
            self.primary.disconnect();
            return Err(Unfit { error, permanent: false });
        }
        self.breaker().close();
        self.board.back();
        Ok(())
    }

    async fn ping(&self) {
        let Some(link) = self.link() else { return };
        let answer = self.primary.ping(Instant::now() + self.call_time).await;
        self.note(link, answer.as_ref().err());
    }

    /// Brings every unsaved ticket home, the one that is waited for first, then in order of age; whether some are
    /// left.
    pub(super) async fn bring_home(self: &Arc<Self>) -> bool {
        let keys = match self.shadow.unsaved().await {
            Ok(keys) if keys.is_empty() => return false,
            Ok(keys) => keys,
            Err(error) => {
                self.board.failed(&error.chain());
                return true;
            }
        };
        let lock = match self.shadow.lock() {
            Ok(Some(lock)) => lock,
            // Another process is at it.
            Ok(None) => return true,
            Err(error) => {
                self.board.failed(&error.chain());
                return true;
            }
        };
        let first = self.first.clone();
        let ordered = first.iter().filter(|first| keys.contains(first)).chain(&keys);
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut at_work = JoinSet::new();
        let (mut total, mut left) = (Reconciliation::default(), false);
        let mut begun = BTreeSet::new();
        for key in ordered {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
            if self.link().is_none() {
                left = true;
                break;
            }
            if begun.insert(key.clone()) {
                let (inner, key) = (Arc::clone(self), key.clone());
                at_work.spawn(async move {
                    let brought = inner.reconcile(&key).await;
                    drop(place);
                    brought
                });
            }
        }
        while let Some(brought) = at_work.join_next().await {
            match brought {
                Ok(Brought { home, branches }) => {
                    left |= !home;
                    total.tickets += u64::from(home);
                    total.branches += branches;
                }
                Err(_) => left = true,
            }
        }
        drop(lock);
        if total.tickets + total.branches > 0 {
            let last = Reconciliation { at_ms: self.now_ms(), ..total };
            self.board.reconciled(last);
            let noted = self.shadow.set_note(NoteName::Reconciliation, last.to_text()).await;
            // It is for people to look at, and the next one is noted too.
            drop(noted);
        }
        left
    }
}
