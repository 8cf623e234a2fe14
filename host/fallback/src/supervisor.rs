//! The supervisor: the task that owns the link to the primary, brings unsaved changes home, and closes the breaker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::Inner;
use super::pacer::Pacer;
use super::replica::NoteName;
use super::status::SyncReport;
use super::sync::Synced;
use ticket_store::HandshakeError;
use ticket_store::Key;

/// How often an idle link is asked for a sign of life: a dead one is found before the next caller finds it.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Time that one ticket on its way home takes of the store at most: ten thousand are home in about a second, and callers
/// hardly wait. Measured on loopback, two cores: one at a time takes 1.3 s and makes callers wait less than twice as long,
/// two at a time take 0.8 s and make them wait 2.4 times as long, four 3 times, sixteen 10 times.
const PACE: Duration = Duration::from_micros(100);
/// Most tickets that are on their way home at once, however far the store is.
const AT_ONCE_MAX: usize = 32;
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
                Err(error) => inner.reporter.failed(&error.error.chain()),
            }
        }
        let left = inner.sync_all().await;
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
    pub(super) async fn attempt(self: &Arc<Self>) -> Result<(), HandshakeError> {
        let dataset = self.primary.handshake().await?;
        if let Err(error) = self.accept_dataset(dataset).await {
            self.primary.disconnect();
            return Err(HandshakeError { error, is_incompatible: false });
        }
        self.breaker().close();
        self.reporter.up();
        Ok(())
    }

    async fn ping(&self) {
        let Some(link) = self.link() else { return };
        let answer = self.primary.ping(Instant::now() + self.call_time).await;
        self.note(link, answer.as_ref().err());
    }

    /// Brings every unsaved ticket home, the one that is waited for first, then in order of age; whether some are
    /// left.
    pub(super) async fn sync_all(self: &Arc<Self>) -> bool {
        let keys = match self.replica.pending().await {
            Ok(keys) if keys.is_empty() => return false,
            Ok(keys) => keys,
            Err(error) => {
                self.reporter.failed(&error.chain());
                return true;
            }
        };
        let lock = match self.replica.lock() {
            Ok(Some(lock)) => lock,
            // Another process is at it.
            Ok(None) => return true,
            Err(error) => {
                self.reporter.failed(&error.chain());
                return true;
            }
        };
        let first = self.first.clone();
        let ordered = first.iter().filter(|first| keys.contains(first)).chain(&keys);
        let mut batch = SyncBatch::new();
        let mut begun = BTreeSet::new();
        for key in ordered {
            if begun.insert(key.clone()) {
                batch.make_room().await;
                if self.link().is_none() {
                    batch.left = true;
                    break;
                }
                batch.begin(Arc::clone(self), key.clone());
            }
        }
        let SyncBatch { total, left, .. } = batch.end().await;
        drop(lock);
        if total.tickets + total.branches > 0 {
            let last = SyncReport { at_ms: self.now_ms(), ..total };
            self.reporter.synced(last);
            let noted = self.replica.set_note(NoteName::SyncReport, last.to_text()).await;
            // It is for people to look at, and the next one is noted too.
            drop(noted);
        }
        left
    }
}

/// Tickets on their way home.
struct SyncBatch {
    at_work: JoinSet<(Synced, Duration)>,
    /// Most that may be on their way.
    most: usize,
    /// How long the quickest one took for which the store was asked.
    quickest: Option<Duration>,
    total: SyncReport,
    /// Whether some did not arrive.
    left: bool,
}

impl SyncBatch {
    fn new() -> Self {
        let total = SyncReport::default();
        Self { at_work: JoinSet::new(), most: AT_ONCE_MAX, quickest: None, total, left: false }
    }

    fn begin(&mut self, inner: Arc<Inner>, key: Key) {
        self.at_work.spawn(async move {
            let begun = Instant::now();
            (inner.sync_ticket(&key).await, begun.elapsed())
        });
    }

    /// Waits until one more may be on its way.
    async fn make_room(&mut self) {
        while self.at_work.len() >= at_once(self.quickest).min(self.most) {
            self.take_one().await;
        }
    }

    async fn take_one(&mut self) {
        match self.at_work.join_next().await {
            Some(Ok((Synced { complete, asked, branches }, took))) => {
                if asked {
                    self.quickest = Some(self.quickest.map_or(took, |quickest| quickest.min(took)));
                }
                self.left |= !complete;
                // Perhaps it was too much at once.
                self.most = if complete { self.most } else { (self.most / 2).max(1) };
                self.total.tickets += u64::from(complete);
                self.total.branches += branches;
            }
            Some(Err(_)) => self.left = true,
            None => {}
        }
    }

    async fn end(mut self) -> Self {
        while !self.at_work.is_empty() {
            self.take_one().await;
        }
        self
    }
}

/// How many go home at once: a store that is far is given more, so that it has as many in a second as one that is near.
fn at_once(quickest: Option<Duration>) -> usize {
    let paces = quickest.map_or(1, |quickest| quickest.as_micros() / PACE.as_micros());
    usize::try_from(paces).unwrap_or(AT_ONCE_MAX).clamp(1, AT_ONCE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_far_is_given_more_at_once() {
        let at_once = |micros| at_once(Some(Duration::from_micros(micros)));
        assert_eq!([0, 80, 199, 500, 3_000, 1_000_000].map(at_once), [1, 1, 1, 5, 30, 32]);
    }
}
