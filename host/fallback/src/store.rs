//! The store with a fallback: opening, status and shutdown.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::branches::Branches;
use super::changes::Changes;
use super::copies::Copies;
use super::data_loss::DataLoss;
use super::evictions::EvictionWatch;
use super::link::PrimaryLink;
use super::options::{Options, ReplicaStorage};
use super::pacer::Pacer;
use super::replica::{FileReplica, MemoryReplica, NoteName, Replica};
use super::status::{Event, Reporter, Status, SyncReport};
use super::supervisor::Supervisor;
use super::sync::TicketSync;
use crate::merge::Merge;
use ticket_store::{Error, Primary};

/// A store with a fallback. A clone is another handle to the same; the supervisor ends with the last one.
#[derive(Clone)]
pub struct FallbackStore {
    pub(super) inner: Arc<Inner>,
}

/// What the handles share.
pub(super) struct Inner {
    pub(super) link: Arc<PrimaryLink>,
    pub(super) copies: Arc<Copies>,
    pub(super) changes: Changes,
    pub(super) merge: Merge,
    /// Whether a copy may answer a recent read while the primary is up.
    pub(super) feeds_changes: bool,
    /// The rounds of the supervisor.
    rounds: watch::Receiver<u64>,
    supervisor: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.supervisor.abort();
        let lost = self.copies.lost_with_process();
        if !lost.is_empty() {
            tracing::error!(store = %self.link.primary, tickets = ?lost, "pending changes or branches are lost");
        }
    }
}

/// What a fallback still holds at a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Ids of the tickets with changes that the primary has not confirmed.
    pub pending: Vec<String>,
    /// Ids of the tickets of which something is lost with this process: pending changes or branches in memory.
    pub lost: Vec<String>,
}

impl FallbackStore {
    /// A fallback around a primary. Tries to connect once; if that fails, the fallback serves.
    ///
    /// # Errors
    /// If the primary is incompatible (not Redis, too old), or the fallback's file cannot be used.
    pub async fn open(primary: Arc<dyn Primary>, options: Options) -> Result<Self, Error> {
        let Options { storage, branches, bytes_max, sync_first, merge, clock, call_time, feeds_changes } = options;
        let replica = match storage {
            ReplicaStorage::Memory => Replica::Memory(MemoryReplica::new(bytes_max)),
            ReplicaStorage::File(path) => Replica::File(FileReplica::open(path, bytes_max).await?),
        };
        let identity = primary.identity();
        if replica.claim_note(NoteName::Store, identity.clone()).await? != identity {
            return Err(Error::invalid(format!(
                "the fallback {replica} belongs to another server, database, user or namespace than {primary}: name \
                 another file"
            )));
        }
        let branches = match branches {
            None => Branches::in_memory(),
            Some(path) => Branches::in_file(path).await?,
        };
        let last_sync = replica.note(NoteName::SyncReport).await?.and_then(|text| SyncReport::from_text(&text));
        let reporter = Reporter::new(primary.to_string(), last_sync);
        let link = Arc::new(PrimaryLink::new(primary, reporter, clock, call_time));
        let copies = Arc::new(Copies::new(replica, branches, Arc::clone(&link)));
        let (round_ended, rounds) = watch::channel(0);
        let mut supervisor = Supervisor {
            link: Arc::clone(&link),
            copies: Arc::clone(&copies),
            data_loss: DataLoss::new(Arc::clone(&link), Arc::clone(&copies)),
            sync: Arc::new(TicketSync::new(Arc::clone(&link), Arc::clone(&copies), Arc::clone(&merge))),
            sync_first,
            rounds: round_ended,
            pacer: Pacer::default(),
            evictions: EvictionWatch::new(),
        };
        match supervisor.connect().await {
            Err(refused) if refused.is_incompatible => return Err(refused.error),
            Err(refused) => link.reporter.down(&refused.error),
            Ok(()) => {}
        }
        let changes = Changes::new(Arc::clone(&link), Arc::clone(&copies));
        let supervisor = tokio::spawn(supervisor.run());
        Ok(Self { inner: Arc::new(Inner { link, copies, changes, merge, feeds_changes, rounds, supervisor }) })
    }

    /// Whether the primary is up and why not, what is pending, and what happened last.
    ///
    /// # Errors
    /// If the fallback's file cannot be read.
    pub async fn status(&self) -> Result<Status, Error> {
        let pending = self.inner.copies.replica.pending_count().await?;
        Ok(self.inner.link.reporter.status(pending))
    }

    /// The events from now on. A receiver that lags behind loses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.link.reporter.events()
    }

    /// The conflict copies.
    #[must_use]
    pub fn branches(&self) -> &Branches {
        &self.inner.copies.branches
    }

    /// Waits until nothing is pending, for `within` at most; what is left then.
    ///
    /// # Errors
    /// If the fallback's file cannot be read.
    pub async fn shutdown(&self, within: Duration) -> Result<ShutdownReport, Error> {
        let copies = &self.inner.copies;
        let _ = timeout(within, self.synced()).await;
        let pending = copies.replica.pending().await?;
        let pending = pending.iter().map(|key| key.ticket_id().to_owned()).collect();
        Ok(ShutdownReport { pending, lost: copies.lost_with_process() })
    }

    /// Waits until nothing is pending, for `within` at most; returns at once if the primary is down or refuses changes.
    ///
    /// # Errors
    /// If the fallback's file cannot be read.
    pub async fn sync(&self, within: Duration) -> Result<(), Error> {
        if self.inner.link.is_up() && self.inner.copies.replica.pending_count().await? > 0 {
            let refused = async {
                let mut rounds = self.inner.rounds.clone();
                rounds.mark_unchanged();
                while rounds.changed().await.is_ok() && !self.inner.link.reporter.refuses_writes() {}
            };
            let _ = timeout(within, async {
                tokio::select! {
                    () = self.synced() => {}
                    () = refused => {}
                }
            })
            .await;
        }
        Ok(())
    }

    /// Waits until nothing is pending; for ever if the primary stays down.
    async fn synced(&self) {
        let mut rounds = self.inner.rounds.clone();
        rounds.mark_unchanged();
        self.inner.link.wake.notify_one();
        while self.inner.copies.replica.pending_count().await.ok() != Some(0) {
            if rounds.changed().await.is_err() {
                return;
            }
        }
    }
}

impl fmt::Display for FallbackStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.link.primary.fmt(f)
    }
}

impl fmt::Debug for FallbackStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackStore").field("primary", &self.inner.link.primary).finish_non_exhaustive()
    }
}
