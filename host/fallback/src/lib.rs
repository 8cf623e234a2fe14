//! The store that stands in for a primary while that is away, and brings everything back when it returns.
//!
//! Calls go to the primary while the breaker is closed. What it refuses, or does not answer in time, is done on this
//! host's own record of the ticket, and the supervisor brings it home. Nobody who calls waits for more than the
//! time of one operation, and nobody touches the network while the breaker is open.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use breaker::Breaker;
use pacer::Pacer;
use replica::{FileReplica, MemoryReplica, NoteName, Replica};
use status::Reporter;
use ticket_store::clock::{Clock, SystemClock};
use ticket_store::keyed_lock::KeyedLock;
use ticket_store::{Error, Failure, Key, Kind, Primary};

mod after_loss;
mod apply_branch;
mod branches;
mod breaker;
mod calls;
mod changes;
mod data_loss;
#[cfg(test)]
mod fixtures;
mod merge;
mod merge_base;
mod pacer;
mod record;
mod replica;
mod resolution;
mod resolve;
mod status;
mod supervisor;
mod sync;

pub use branches::{Branch, Branches};
pub use merge::{Merge, Merged, Side, State};
pub use status::{Event, Status, SyncReport};

/// Most bytes of tickets that are remembered: some hundred thousand usual ones.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// What stands in for a store that is away.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// Where changes are kept that the store has not been told of.
    pub place: ReplicaStorage,
    /// A file for states that find no place in their ticket; in memory unless set.
    pub branches: Option<PathBuf>,
    /// Most bytes of tickets that are remembered; 256 MiB unless set.
    pub bytes_max: usize,
    /// A ticket that is brought home before others.
    pub first: Option<Key>,
}

/// Where a fallback keeps what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaStorage {
    /// In this process, gone with it.
    Memory,
    /// In a SQLite file, which other processes may use at once.
    File(PathBuf),
}

impl Default for Fallback {
    fn default() -> Self {
        Self { place: ReplicaStorage::Memory, branches: None, bytes_max: BYTES_MAX, first: None }
    }
}

/// What a fallback needs besides its primary.
pub struct Parts {
    /// Where and how much it remembers.
    pub fallback: Fallback,
    /// How states are merged.
    pub merge: Merge,
    /// The time, before the primary was ever heard.
    pub clock: Arc<dyn Clock>,
    /// How long one operation may wait for the primary, in milliseconds.
    pub call_ms: u64,
    /// Whether what is remembered of a ticket feeds a change while the primary serves, so that it is one round trip.
    pub recent: bool,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("fallback", &self.fallback)
            .field("call_ms", &self.call_ms)
            .field("recent", &self.recent)
            .finish_non_exhaustive()
    }
}

impl Parts {
    /// The usual parts with a merge: in memory, 150 ms, one round trip.
    #[must_use]
    pub fn new(merge: Merge) -> Self {
        Self { fallback: Fallback::default(), merge, clock: Arc::new(SystemClock), call_ms: 150, recent: true }
    }
}

/// A store with a fallback. A clone is another handle to the same.
#[derive(Clone)]
pub struct FallbackStore {
    inner: Arc<Inner>,
    _supervisor: Arc<Supervisor>,
}

/// What handles and the supervisor share.
pub(crate) struct Inner {
    primary: Arc<dyn Primary>,
    replica: Replica,
    branches: Branches,
    merge: Merge,
    clock: Arc<dyn Clock>,
    call_time: Duration,
    recent: bool,
    first: Option<Key>,
    writers: KeyedLock,
    breaker: Mutex<Breaker>,
    began: Instant,
    reporter: Reporter,
    /// Comparisons with the primary in a row that what this host knows could not be read for.
    unreadable_attempts: AtomicU32,
    /// When somebody looked at the health of a primary that was away.
    probed_at: Mutex<Option<Instant>>,
    /// Wakes the supervisor: the breaker opened, or something is to be brought home.
    wake: Notify,
    /// Counts the supervisor's rounds.
    rounds: watch::Sender<u64>,
}

/// The supervisor's task; it ends with the last handle.
struct Supervisor {
    task: JoinHandle<()>,
    inner: Arc<Inner>,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
        let lost = self.inner.lost_with_process();
        if !lost.is_empty() {
            tracing::error!(store = %self.inner.primary, tickets = ?lost, "what neither the store nor a file has is lost");
        }
    }
}

/// What a fallback still holds when it is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Ids of the tickets that the store has not been told of.
    pub pending: Vec<String>,
    /// Ids of the tickets of which something ends with this process: unsaved changes or branches that no file keeps.
    pub lost: Vec<String>,
}

impl FallbackStore {
    /// A fallback around a primary. Tries to reach the primary once; where that is away the fallback serves.
    ///
    /// # Errors
    /// Where the primary is none that waiting can mend (no Redis, too old), or the fallback's file cannot be used.
    pub async fn open(primary: Arc<dyn Primary>, parts: Parts) -> Result<Self, Error> {
        let Parts { fallback, merge, clock, call_ms, recent } = parts;
        let replica = match fallback.place {
            ReplicaStorage::Memory => Replica::Memory(MemoryReplica::new(fallback.bytes_max)),
            ReplicaStorage::File(path) => Replica::File(FileReplica::open(path, fallback.bytes_max).await?),
        };
        let identity = primary.identity();
        if replica.claim_note(NoteName::Store, identity.clone()).await? != identity {
            return Err(Error::invalid(format!(
                "fallback {replica} keeps changes for another server, database, user or namespace than those of \
                 {primary}: name another file"
            )));
        }
        let branches = match fallback.branches {
            None => Branches::in_memory(),
            Some(path) => Branches::in_file(path).await?,
        };
        let last = replica.note(NoteName::SyncReport).await?.and_then(|text| SyncReport::from_text(&text));
        let inner = Arc::new(Inner {
            reporter: Reporter::new(primary.to_string(), last),
            primary,
            replica,
            branches,
            merge,
            clock,
            call_time: Duration::from_millis(call_ms),
            recent,
            first: fallback.first,
            writers: KeyedLock::default(),
            breaker: Mutex::new(Breaker::new()),
            began: Instant::now(),
            unreadable_attempts: AtomicU32::new(0),
            probed_at: Mutex::default(),
            wake: Notify::new(),
            rounds: watch::Sender::new(0),
        });
        let mut pacer = Pacer::default();
        pacer.began(Instant::now());
        match inner.attempt().await {
            Ok(()) => pacer.succeeded(Instant::now()),
            Err(error) if error.is_incompatible => return Err(error.error),
            Err(error) => inner.reporter.down(&error.error.chain()),
        }
        let task = tokio::spawn(supervisor::supervise(Arc::clone(&inner), pacer));
        let supervisor = Arc::new(Supervisor { task, inner: Arc::clone(&inner) });
        Ok(Self { inner, _supervisor: supervisor })
    }

    /// How it is.
    ///
    /// # Errors
    /// Where the fallback's file cannot be read.
    pub async fn status(&self) -> Result<Status, Error> {
        let pending = self.inner.replica.pending_count().await?;
        Ok(self.inner.reporter.status(self.inner.link().is_some(), pending))
    }

    /// What happens from now on. A listener that lags behind loses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.reporter.events()
    }

    /// States that found no place in their tickets.
    #[must_use]
    pub fn branches(&self) -> &Branches {
        &self.inner.branches
    }

    /// Waits until everything is with the store, or `within` has passed; what is left.
    ///
    /// # Errors
    /// Where the fallback's file cannot be read.
    pub async fn shutdown(&self, within: Duration) -> Result<ShutdownReport, Error> {
        let inner = &self.inner;
        let _ = timeout(within, self.synced()).await;
        let pending = inner.replica.pending().await?;
        let pending = pending.iter().map(|key| key.ticket_id().to_owned()).collect();
        Ok(ShutdownReport { pending, lost: inner.lost_with_process() })
    }

    /// Gives the supervisor `within` to bring home what is unsaved, while the store serves.
    ///
    /// # Errors
    /// Where the fallback's file cannot be read.
    pub async fn sync(&self, within: Duration) -> Result<(), Error> {
        if self.inner.link().is_some() && self.inner.replica.pending_count().await? > 0 {
            let _ = timeout(within, self.synced()).await;
        }
        Ok(())
    }

    /// Waits until everything is with the store; for ever while it is away.
    async fn synced(&self) {
        let mut rounds = self.inner.rounds.subscribe();
        self.inner.wake.notify_one();
        while self.inner.replica.pending_count().await.ok() != Some(0) {
            if rounds.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Inner {
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ids of the tickets of which this process alone has something.
    fn lost_with_process(&self) -> Vec<String> {
        let pending = self.replica.lost_with_process();
        let mut ids: BTreeSet<String> = pending.iter().map(|key| key.ticket_id().to_owned()).collect();
        ids.extend(self.branches.lost_with_process());
        ids.into_iter().collect()
    }

    /// The link that calls may use; none while the fallback serves.
    fn link(&self) -> Option<u64> {
        self.breaker().link()
    }

    /// The time of deadlines: the primary's where it was ever heard.
    fn now_ms(&self) -> u64 {
        self.primary.now_ms().unwrap_or_else(|| self.clock.now_ms())
    }

    /// Notes how a call over a link ended.
    fn note(&self, link: u64, failure: Option<&Failure>) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let opened = self.breaker().note(link, failure.map(|failure| failure.cause), now_ms);
        let Some(failure) = failure else { return };
        if opened {
            self.opened(&failure.error.chain());
        } else {
            self.reporter.failed(&failure.error.chain());
        }
    }

    /// The link has ended by itself.
    fn lost(&self, why: &str) {
        let Some(link) = self.link() else { return };
        let opened = self.breaker().note(link, Some(ticket_store::Cause::Link), 0);
        if opened {
            self.opened(&format!("{}: {why}", self.primary));
        }
    }

    fn opened(&self, error: &str) {
        self.primary.disconnect();
        self.reporter.down(error);
        self.wake.notify_one();
    }

    /// The error of a call about a ticket of which nothing is known while the primary is away.
    fn down_error(&self) -> Error {
        if self.link().is_some() {
            return Error::new(Kind::Unavailable, format!("there was no time left to ask {}", self.primary));
        }
        let text = format!("{} is away, and its fallback does not know this ticket", self.primary);
        match self.reporter.last_error() {
            Some(error) => Error::new(Kind::Unavailable, text).caused_by(error),
            None => Error::new(Kind::Unavailable, text),
        }
    }
}

impl fmt::Display for FallbackStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.primary.fmt(f)
    }
}

impl fmt::Debug for FallbackStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackStore").field("primary", &self.inner.primary).finish_non_exhaustive()
    }
}
