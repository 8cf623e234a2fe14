//! How [`Tickets`] are opened: one builder for a store URL, a store of one's own, or a primary with a fallback.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::merge::merge_with;
use crate::settings::{Limits, Settings};
use crate::ticket::Bounds;
use crate::tickets::Tickets;
use ticket_fallback::{FallbackStore, Merge, ReplicaStorage};
use ticket_store::clock::Clock;
use ticket_store::{self as store, Key, Namespace, Primary, RedisPrimary, SharedStore};

impl Tickets {
    /// Opens the tickets of a store URL (`memory:`, `sqlite:PATH`, `redis://…`, `rediss://…`) with the defaults of
    /// [`Tickets::builder`]. A Redis server that is down is not an error: the fallback in memory serves.
    ///
    /// # Errors
    /// As [`TicketsBuilder::open`].
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::builder(url).open().await
    }

    /// Sets options, then opens the tickets of a store URL.
    pub fn builder(url: &str) -> TicketsBuilder<StoreUrl> {
        let fallback = Fallback::memory();
        TicketsBuilder::new(StoreUrl { url: url.to_owned(), namespace: None, cache_bytes_max: None, fallback })
    }

    /// Sets options, then builds tickets over a store of one's own.
    pub fn builder_over(store: SharedStore) -> TicketsBuilder<SharedStore> {
        TicketsBuilder::new(store)
    }

    /// Sets options, then opens tickets over a primary of one's own, with a fallback.
    pub fn builder_over_primary(primary: Arc<dyn Primary>) -> TicketsBuilder<OverPrimary> {
        TicketsBuilder::new(OverPrimary { primary, fallback: Fallback::memory(), merge: None })
    }
}

/// Longest deadline: more is taken as this, so that no sum of times overflows.
const DEADLINE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What serves while a Redis server is down. Other stores have no fallback, because they are in this process.
#[derive(Clone, Debug)]
pub struct Fallback {
    storage: Option<ReplicaStorage>,
    branches: Option<PathBuf>,
    bytes_max: Option<usize>,
    sync_first: Option<Key>,
}

impl Fallback {
    fn new(storage: Option<ReplicaStorage>) -> Self {
        Self { storage, branches: None, bytes_max: None, sync_first: None }
    }

    /// Nothing: while the server is down, operations are [`Error::Unavailable`].
    #[must_use]
    pub fn none() -> Self {
        Self::new(None)
    }

    /// The memory of this process. Pending changes are lost when the process dies.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Some(ReplicaStorage::Memory))
    }

    /// A SQLite file, which is created if it is missing. It keeps pending changes for the next process, and several
    /// processes may use it at once.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Some(ReplicaStorage::File(path.into())))
    }

    /// The file for branches, which are conflict copies; in memory unless set.
    #[must_use]
    pub fn branches(mut self, file: impl Into<PathBuf>) -> Self {
        self.branches = Some(file.into());
        self
    }

    /// Most bytes of tickets that are kept; 256 MiB unless set. Only synced tickets are dropped to make room: when all
    /// of it is pending, new tickets are [`Error::Unavailable`].
    #[must_use]
    pub fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = Some(bytes);
        self
    }

    /// A ticket that is synced before all others.
    #[must_use]
    pub fn sync_first(mut self, key: Key) -> Self {
        self.sync_first = Some(key);
        self
    }
}

/// A store URL, and how its store is opened.
#[derive(Clone, Debug)]
pub struct StoreUrl {
    url: String,
    namespace: Option<Namespace>,
    cache_bytes_max: Option<usize>,
    fallback: Fallback,
}

/// A primary of one's own, and its fallback.
#[derive(Clone)]
pub struct OverPrimary {
    primary: Arc<dyn Primary>,
    fallback: Fallback,
    merge: Option<Merge>,
}

impl fmt::Debug for OverPrimary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { primary, fallback, merge: _ } = self;
        f.debug_struct("OverPrimary").field("primary", primary).field("fallback", fallback).finish_non_exhaustive()
    }
}

/// Options of [`Tickets`], and where the tickets are: a [`StoreUrl`], a store of one's own ([`SharedStore`]) or a
/// primary of one's own ([`OverPrimary`]).
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until its tickets are opened"]
pub struct TicketsBuilder<Source> {
    source: Source,
    settings: Settings,
    /// One time for an operation and for the calls to its store, if set.
    deadline: Option<Duration>,
}

/// Options of all tickets.
impl<Source> TicketsBuilder<Source> {
    fn new(source: Source) -> Self {
        Self { source, settings: Settings::default(), deadline: None }
    }

    /// How long a ticket lives after its last change, from 1 s to 366 days; 30 minutes unless set.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.settings.ttl = ttl;
        self
    }

    /// How long one operation may take, at most a day; 150 ms unless set. So long it waits for a store with a fallback before the
    /// fallback answers, and so long it tries again after lost races before it answers
    /// [`Error::Conflict`]. A call to a Redis server without a fallback, for which nothing else can answer, takes
    /// at most 1 s unless set.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        let deadline = deadline.min(DEADLINE_MAX);
        self.deadline = Some(deadline);
        self.settings.deadline = deadline;
        self
    }

    /// The largest tickets that are accepted.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Drops the oldest messages past these bounds in the same write as each change, for endless conversations; without
    /// bounds unless set. [`Effect::trimmed`](crate::Effect) says how many. A host that trims during an outage merges
    /// with the changes of other hosts as after a rollback.
    pub fn history_bounds(mut self, bounds: Bounds) -> Self {
        self.settings.history_bounds = bounds;
        self
    }

    /// The clock that dates changes, and that ends tickets in memory and in SQLite files; the system's unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Where compiled images of the engine are kept between processes; none unless set. Images are native code: the
    /// folder is created with mode 0700, and one that others may write is not used.
    pub fn image_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.image_folder = Some(folder.into());
        self
    }

    /// Whether every operation has an instance of the engine of its own, so that the memory of one operation cannot be
    /// read by the next; false unless set: instances are kept and used again.
    pub fn fresh_instances(mut self, fresh: bool) -> Self {
        self.settings.fresh_instances = fresh;
        self
    }
}

/// Options of a store URL.
impl TicketsBuilder<StoreUrl> {
    /// Keeps these tickets apart from others in the same database or file; none unless set.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.source.namespace = Some(namespace);
        self
    }

    /// What serves while a Redis server is down; [`Fallback::memory`] unless set. Other stores ignore it.
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.source.fallback = fallback;
        self
    }

    /// Most bytes of last known copies of tickets in Redis, so that a change is a single round trip; 256 MiB unless
    /// set. With a fallback its own copies serve, within [`Fallback::bytes_max`]. 0: every change reads first.
    pub fn cache_bytes_max(mut self, bytes: usize) -> Self {
        self.source.cache_bytes_max = Some(bytes);
        self
    }

    /// Opens the store and loads the engine.
    ///
    /// # Errors
    /// - `Invalid`: the URL, the TTL or a limit is not valid, or the fallback's file belongs to another store.
    /// - `Denied`: the server is not Redis or Valkey 7.0 or newer, or it or a file refuses access.
    /// - `Unavailable`: there is no fallback and the server is down, or a file cannot be opened now.
    /// - `Corrupt`: a file is not a database.
    /// - `Internal`: the engine cannot be loaded.
    pub async fn open(self) -> Result<Tickets, Error> {
        let Self { source: StoreUrl { url, namespace, cache_bytes_max, fallback }, settings, deadline } = self;
        let mut options = store::Options::default().namespace(namespace).clock(Arc::clone(&settings.clock));
        if let Some(bytes) = cache_bytes_max {
            options = options.cache_bytes_max(bytes);
        }
        if fallback.storage.is_none() || !store::is_remote(&url) {
            if let Some(deadline) = deadline {
                options = options.call_time(deadline);
            }
            return Tickets::new(store::open(&url, &options).await?, None, settings);
        }
        // The supervisor connects in the background, where no caller waits for it.
        let connect_time = options.call_time.max(settings.deadline);
        let options = options.call_time(connect_time);
        let primary = Arc::new(RedisPrimary::new(&url, None, &options)?);
        let merge = merge_with(&settings)?;
        open_with_fallback(primary, fallback, merge, options.cache_bytes_max > 0, settings).await
    }
}

/// Tickets over a store of one's own.
impl TicketsBuilder<SharedStore> {
    /// Loads the engine.
    ///
    /// # Errors
    /// `Invalid` for a TTL or limit that is not valid, `Internal` if the engine cannot be loaded.
    pub fn build(self) -> Result<Tickets, Error> {
        Tickets::new(self.source, None, self.settings)
    }
}

/// Options of a primary of one's own.
impl TicketsBuilder<OverPrimary> {
    /// What serves while the primary is down; [`Fallback::memory`] unless set.
    pub fn fallback(mut self, fallback: Fallback) -> Self {
        self.source.fallback = fallback;
        self
    }

    /// How two states of a ticket become one; the engine's merge unless set.
    pub fn merge(mut self, merge: Merge) -> Self {
        self.source.merge = Some(merge);
        self
    }

    /// Tries to reach the primary once, and loads the engine.
    ///
    /// # Errors
    /// As [`TicketsBuilder::open`] of a URL, and `Invalid` for [`Fallback::none`], because a primary alone is not a
    /// store.
    pub async fn open(self) -> Result<Tickets, Error> {
        let Self { source: OverPrimary { primary, fallback, merge }, settings, deadline: _ } = self;
        let merge = merge.map_or_else(|| merge_with(&settings), Ok)?;
        open_with_fallback(primary, fallback, merge, true, settings).await
    }
}

async fn open_with_fallback(
    primary: Arc<dyn Primary>,
    fallback: Fallback,
    merge: Merge,
    feeds_changes: bool,
    settings: Settings,
) -> Result<Tickets, Error> {
    let Fallback { storage, branches, bytes_max, sync_first } = fallback;
    let storage = storage.ok_or_else(|| Error::Invalid("a primary needs a fallback: name memory or a file".into()))?;
    let mut options = ticket_fallback::Options::new(merge);
    options.storage = storage;
    options.branches = branches;
    options.sync_first = sync_first;
    options.clock = Arc::clone(&settings.clock);
    options.call_time = settings.deadline;
    options.feeds_changes = feeds_changes;
    options.bytes_max = bytes_max.unwrap_or(options.bytes_max);
    let fallback = FallbackStore::open(primary, options).await?;
    Tickets::new(Arc::new(fallback.clone()), Some(fallback), settings)
}
