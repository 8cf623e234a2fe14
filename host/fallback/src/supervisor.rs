//! The supervisor: the task that owns the connection, closes the breaker and syncs what is pending.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::copies::Copies;
use super::data_loss::DataLoss;
use super::evictions::EvictionWatch;
use super::link::PrimaryLink;
use super::pacer::Pacer;
use super::replica::NoteName;
use super::status::SyncReport;
use super::sync::TicketSync;
use super::sync_batch::{Pending, SyncBatch};
use ticket_store::{HandshakeError, Key};

/// How often an idle connection is pinged: a dead one is found before the next caller finds it.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Pause before what could not be synced is tried again while the primary is up.
const ROUND_PAUSE: Duration = Duration::from_millis(100);
/// The same while the primary refuses changes: one ticket is tried each time.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Supervisor {
    pub(super) link: Arc<PrimaryLink>,
    pub(super) copies: Arc<Copies>,
    pub(super) data_loss: DataLoss,
    pub(super) sync: Arc<TicketSync>,
    /// A ticket that is synced before others.
    pub(super) sync_first: Option<Key>,
    /// Counts the rounds.
    pub(super) rounds: watch::Sender<u64>,
    pub(super) pacer: Pacer,
    pub(super) evictions: EvictionWatch,
}

impl Supervisor {
    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        loop {
            while !self.link.is_up() {
                sleep_until(self.pacer.next(Instant::now())).await;
                if let Err(refused) = self.connect().await {
                    self.link.reporter.still_down(&refused.error);
                }
            }
            let pause = self.sync_all().await;
            self.rounds.send_modify(|rounds| *rounds += 1);
            tokio::select! {
                biased;
                () = self.link.primary.disconnected() => self.link.ended(),
                () = self.link.wake.notified() => {
                    // Each change that is refused wakes it.
                    if self.link.reporter.refuses_writes() {
                        sleep(REFUSED_PAUSE).await;
                    }
                }
                // Before the pauses, which begin anew with each round. The ping is due too: this one takes its turn.
                () = sleep_until(self.evictions.due()) => {
                    self.link.ping().await;
                    self.evictions.ask(&self.link).await;
                }
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
                () = sleep(PING_EVERY) => self.link.ping().await,
            }
        }
    }

    /// Makes a new connection, finds out what the server has lost, and closes the breaker.
    pub(super) async fn connect(&mut self) -> Result<(), HandshakeError> {
        let began_at = Instant::now();
        self.pacer.began(began_at);
        let dataset = self.link.primary.handshake().await.inspect_err(|_| {
            if began_at.elapsed() >= self.link.call_time {
                self.link.waited_in_vain();
            }
        })?;
        if let Err(error) = self.data_loss.compare(&dataset).await {
            self.link.primary.disconnect();
            return Err(error.into());
        }
        self.link.close_breaker();
        self.pacer.succeeded(Instant::now());
        Ok(())
    }

    /// Syncs every pending ticket, `sync_first` before others, then the oldest first; how long to pause if some are still
    /// pending.
    async fn sync_all(&self) -> Option<Duration> {
        let keys = match self.copies.replica.pending().await {
            Ok(keys) if keys.is_empty() => {
                self.link.reporter.writes_accepted();
                return None;
            }
            Ok(keys) => keys,
            Err(error) => {
                self.link.reporter.failed(&error.chain());
                return Some(ROUND_PAUSE);
            }
        };
        let lock = match self.copies.replica.lock() {
            Ok(Some(lock)) => lock,
            // Another process syncs.
            Ok(None) => return Some(ROUND_PAUSE),
            Err(error) => {
                self.link.reporter.failed(&error.chain());
                return Some(ROUND_PAUSE);
            }
        };
        let ordered = self.sync_first.iter().filter(|first| keys.contains(first)).chain(&keys);
        let mut batch = SyncBatch::new();
        let mut begun = BTreeSet::new();
        for key in ordered {
            if begun.insert(key) {
                batch.make_room().await;
                // What is refused for one ticket is refused for the others.
                if !self.link.is_up() || batch.pending == Some(Pending::Refused) {
                    batch.pending.get_or_insert(Pending::Incomplete);
                    break;
                }
                batch.begin(Arc::clone(&self.sync), key.clone());
            }
        }
        let (total, pending) = batch.end().await;
        drop(lock);
        if total.tickets + total.branches > 0 {
            let report = SyncReport { at_ms: self.link.now_ms(), ..total };
            self.link.reporter.synced(report);
            // For people to read. If it cannot be noted, the next one is.
            let _ = self.copies.replica.set_note(NoteName::SyncReport, report.to_text()).await;
        }
        match pending {
            None => {
                self.link.reporter.writes_accepted();
                None
            }
            Some(Pending::Refused) => Some(REFUSED_PAUSE),
            Some(Pending::Incomplete) => Some(ROUND_PAUSE),
        }
    }
}
