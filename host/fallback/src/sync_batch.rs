//! Tickets that are synced at the same time: as many as leave room for callers.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::status::SyncReport;
use super::sync::{Synced, TicketSync};
use ticket_store::Key;

/// Least time of the primary per ticket: ten thousand tickets take about a second, and callers hardly wait. Measured on
/// loopback with two cores: one ticket at a time takes 1.3 s and makes callers wait less than twice as long, two at a
/// time take 0.8 s and make them wait 2.4 times as long, four 3 times, sixteen 10 times.
const PACE: Duration = Duration::from_micros(100);
/// Most tickets at once, however slow the primary is.
const AT_ONCE_MAX: usize = 32;

/// Tickets that are being synced.
pub(super) struct SyncBatch {
    running: JoinSet<(Synced, Duration)>,
    /// Most that may run at once.
    limit: usize,
    /// How long the quickest ticket took for which the primary was called.
    quickest: Option<Duration>,
    total: SyncReport,
    /// Why some are not complete; none if all are.
    pub(super) pending: Option<Pending>,
}

/// Why tickets are still pending after a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// They could not be synced this time.
    Incomplete,
    /// The primary refuses changes for now.
    Refused,
}

impl SyncBatch {
    pub(super) fn new() -> Self {
        let total = SyncReport::default();
        Self { running: JoinSet::new(), limit: AT_ONCE_MAX, quickest: None, total, pending: None }
    }

    pub(super) fn begin(&mut self, sync: Arc<TicketSync>, key: Key) {
        self.running.spawn(async move {
            let begun = Instant::now();
            (sync.sync(&key).await, begun.elapsed())
        });
    }

    /// Waits until one more may begin.
    pub(super) async fn make_room(&mut self) {
        while self.running.len() >= at_once(self.quickest).min(self.limit) {
            self.take_one().await;
        }
    }

    async fn take_one(&mut self) {
        match self.running.join_next().await {
            Some(Ok((Synced { complete, refused, asked, branches }, took))) => {
                if asked {
                    self.quickest = Some(self.quickest.map_or(took, |quickest| quickest.min(took)));
                }
                if refused {
                    self.pending = Some(Pending::Refused);
                } else if !complete {
                    self.pending.get_or_insert(Pending::Incomplete);
                }
                // It may have been too much at once.
                self.limit = if complete { self.limit } else { (self.limit / 2).max(1) };
                self.total.tickets += u64::from(complete);
                self.total.branches += branches;
            }
            Some(Err(defect)) => {
                tracing::error!(%defect, "the sync of a ticket ended by a defect");
                self.pending.get_or_insert(Pending::Incomplete);
            }
            None => {}
        }
    }

    /// Waits for all; what was synced, and why some are not complete.
    pub(super) async fn end(mut self) -> (SyncReport, Option<Pending>) {
        while !self.running.is_empty() {
            self.take_one().await;
        }
        (self.total, self.pending)
    }
}

/// How many tickets run at once. A slow primary is given more, so that it syncs as many in a second as a quick one.
fn at_once(quickest: Option<Duration>) -> usize {
    let paces = quickest.map_or(1, |quickest| quickest.as_micros() / PACE.as_micros());
    usize::try_from(paces).unwrap_or(AT_ONCE_MAX).clamp(1, AT_ONCE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_primary_is_given_more_at_once() {
        let at_once = |micros| at_once(Some(Duration::from_micros(micros)));
        assert_eq!([0, 80, 199, 500, 3_000, 1_000_000].map(at_once), [1, 1, 1, 5, 30, 32]);
    }
}
