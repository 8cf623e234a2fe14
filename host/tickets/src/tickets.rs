//! Tickets for a Rust agent: the engine's operations, typed and async, over one store.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;
use crate::ticket::{Change, IdPage, Merged, State, Ticket};
use ticket_fallback::{Fallback, FallbackStore, Merge, Parts};
use ticket_store::clock::{Clock, SystemClock};
use ticket_store::keyed_lock::KeyedLock;
use ticket_store::{self as store, MemoryStore, Primary, RedisStore, SharedStore};

/// Time of one operation: a hundred round trips to a server that is near, and too short for a person to notice.
const DEADLINE_MS: u64 = 150;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time to live that every interaction gives a ticket, in milliseconds; 30 minutes unless set.
    pub ttl_ms: u64,
    /// Most bytes of one message; 64 KiB unless set: a long letter, with room.
    pub message_bytes_max: u32,
    /// Most bytes of one ticket; 1 MiB unless set: what a Redis script handles in about 3 ms. At most 4 MiB,
    /// which an instance of the engine has the memory to merge.
    pub ticket_bytes_max: u32,
    /// Most entries of one history; 10,000 unless set.
    pub history_entries_max: u32,
    /// How long one operation may take, in milliseconds; 150 unless set. So long it waits for a store with a
    /// fallback, and so long it tries again after lost races before it answers `conflict`.
    pub deadline_ms: u64,
    /// Where compiled images of the engine are kept between processes; none unless set. Native code: the
    /// folder is made with mode 0700, and one that others may write is not used.
    pub image_folder: Option<std::path::PathBuf>,
    /// Whether every operation has an instance of the engine of its own, so that nothing of one is in the memory that
    /// the next can read; false unless set: they are kept and used again.
    pub fresh_instances: bool,
    /// The clock that dates changes; tests move it by hand.
    pub clock: Arc<dyn Clock>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl_ms: 30 * 60 * 1_000,
            message_bytes_max: 64 * 1024,
            ticket_bytes_max: 1024 * 1024,
            history_entries_max: 10_000,
            deadline_ms: DEADLINE_MS,
            image_folder: None,
            fresh_instances: false,
            clock: Arc::new(SystemClock),
        }
    }
}

/// The engine's merge for a fallback, by an instance of its own over nothing.
///
/// # Errors
/// As [`Tickets::new`].
pub fn merge(settings: &Settings) -> Result<Merge, Error> {
    let nothing = Arc::new(MemoryStore::new(Arc::clone(&settings.clock)));
    let settings = Settings { fresh_instances: false, ..settings.clone() };
    let engine = Arc::new(Engine::load(nothing, settings)?);
    Ok(Arc::new(move |base: State, ours: State, theirs: State| {
        let engine = Arc::clone(&engine);
        Box::pin(async move { engine.merge(&base, &ours, &theirs).await.map_err(merge_error) })
    }))
}

/// The same refusal as the fallback sees it, which knows the errors of stores alone.
fn merge_error(error: Error) -> store::Error {
    let kind = match error {
        Error::Invalid(_) | Error::TooLarge(_) => store::Kind::Invalid,
        _ => store::Kind::Unavailable,
    };
    store::Error::new(kind, "cannot merge two states of a ticket").caused_by(error)
}

/// Tickets in one store. Cloning gives another handle to the same.
///
/// Every operation is atomic, and a dropped future leaves it done wholly or not at all. Writers of one
/// ticket in this process take turns, first come first served; what makes a ticket under a fresh id or from a
/// snapshot needs none. Other processes and hosts are met by conditional writes.
#[derive(Clone, Debug)]
pub struct Tickets {
    store: SharedStore,
    engine: Arc<Engine>,
    writers: Arc<KeyedLock>,
    fallback: Option<FallbackStore>,
    ttl_ms: u64,
}

impl Tickets {
    /// Tickets in the store of a URL (`memory:`, `sqlite:PATH`, `redis://…`, `rediss://…`), with the
    /// default settings. A Redis server that is away is no error: the memory of this process stands in for it.
    ///
    /// # Errors
    /// As the store's kind says: a wrong URL is `Invalid`, what is no Redis is `Denied`, …
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, &store::Options::default(), Some(Fallback::default()), Settings::default()).await
    }

    /// The same with options and settings of one's own; without a fallback a Redis server that is away is
    /// `Unavailable`. A fallback is for Redis alone: the other stores are never away.
    ///
    /// # Errors
    /// As [`Tickets::open`], and `Invalid` for settings that [`Tickets::new`] does not take.
    pub async fn open_with(
        url: &str,
        options: &store::Options,
        fallback: Option<Fallback>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let Some(fallback) = fallback.filter(|_| store::is_remote(url)) else {
            return Self::new(store::open(url, options).await?, settings);
        };
        let primary = Arc::new(RedisStore::unconnected(url, None, options)?);
        let clock = Arc::clone(&options.clock);
        let recent = options.copies_bytes_max > 0;
        let parts = Parts { fallback, merge: merge(&settings)?, clock, call_ms: settings.deadline_ms, recent };
        Self::over(primary, parts, settings).await
    }

    /// Tickets in a primary and its fallback.
    ///
    /// # Errors
    /// As [`FallbackStore::open`] and [`Tickets::new`].
    pub async fn over(primary: Arc<dyn Primary>, parts: Parts, settings: Settings) -> Result<Self, Error> {
        let fallback = FallbackStore::open(primary, parts).await?;
        Ok(Self { fallback: Some(fallback.clone()), ..Self::new(Arc::new(fallback), settings)? })
    }

    /// Tickets in a store, with these settings.
    ///
    /// # Errors
    /// `Invalid` for a TTL that no store takes, `Internal` where the engine cannot be loaded.
    pub fn new(store: SharedStore, settings: Settings) -> Result<Self, Error> {
        let ttl_ms = settings.ttl_ms;
        let engine = Arc::new(Engine::load(Arc::clone(&store), settings)?);
        Ok(Self { store, engine, writers: Arc::default(), fallback: None, ttl_ms })
    }

    /// What stands in for the store: its state, its events, what it keeps aside; none where nothing does.
    #[must_use]
    pub fn fallback(&self) -> Option<&FallbackStore> {
        self.fallback.as_ref()
    }

    /// The store behind these tickets.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Waits until the ticket that is to be brought home first is with the store, and others as far as `within`
    /// allows; at once where the store is away or nothing waits.
    ///
    /// # Errors
    /// Where the fallback's file cannot be read.
    pub async fn sync(&self, within: Duration) -> Result<(), Error> {
        if let Some(fallback) = &self.fallback {
            fallback.sync(within).await?;
        }
        Ok(())
    }

    /// Puts a state that was kept aside back: merged into its ticket, or as the ticket where that is gone.
    ///
    /// # Errors
    /// `NotFound` for a number that no branch has, `Invalid` for a branch of another life of the ticket or one that
    /// cannot be merged, and what writing may end with. The branch stays then.
    pub async fn apply_branch(&self, number: u64) -> Result<Ticket, Error> {
        let none = || Error::NotFound(format!("there is no branch {number}"));
        let fallback = self.fallback.as_ref().ok_or_else(none)?;
        let branch = fallback.branches().get(number).await?.ok_or_else(none)?;
        {
            let _guard = self.writers.lock(&branch.id).await;
            fallback.apply_branch(&branch, self.ttl_ms).await?;
        }
        self.get(&branch.id).await
    }

    /// Makes a new ticket, under `id` or a fresh UUID.
    ///
    /// # Errors
    /// `Exists` where there is one already.
    pub async fn create(&self, id: Option<&str>, changes: &[Change]) -> Result<Ticket, Error> {
        let _guard = match id {
            Some(id) => Some(self.writers.lock(id).await),
            None => None,
        };
        self.engine.create(id, changes).await
    }

    /// Reads a ticket; its deadline stays.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub async fn get(&self, id: &str) -> Result<Ticket, Error> {
        self.engine.get(id).await
    }

    /// Applies one or more changes in one atomic write and slides the TTL.
    ///
    /// # Errors
    /// `NotFound` where there is no ticket, `Conflict` where `at` names another revision than the present.
    pub async fn apply(&self, id: &str, changes: &[Change], at: Option<&str>) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.apply(id, changes, at).await
    }

    /// Slides the TTL.
    ///
    /// # Errors
    /// `NotFound` where there is no ticket.
    pub async fn touch(&self, id: &str) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.touch(id).await
    }

    /// The whole ticket as one text to keep, for [`Tickets::rollback`] and [`Tickets::restore`].
    ///
    /// # Errors
    /// `NotFound` where there is no ticket.
    pub async fn snapshot(&self, id: &str) -> Result<String, Error> {
        self.engine.snapshot(id).await
    }

    /// Makes a ticket what it was at a snapshot, byte for byte, and slides the TTL.
    ///
    /// # Errors
    /// `Invalid` for a snapshot that is damaged, of another ticket or of another life of this one.
    pub async fn rollback(&self, id: &str, snapshot: &str, at: Option<&str>) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.rollback(id, snapshot, at).await
    }

    /// Makes the ticket of a snapshot again after it is gone.
    ///
    /// # Errors
    /// `Exists` where it is there.
    pub async fn restore(&self, snapshot: &str) -> Result<Ticket, Error> {
        self.engine.restore(snapshot).await
    }

    /// Deletes a ticket.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Conflict` as in [`Tickets::apply`].
    pub async fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.close(id, at).await
    }

    /// One page of ticket ids; `cursor` is none at first, then what the last page gave. A page may be
    /// empty and may repeat an id.
    ///
    /// # Errors
    /// `Invalid` for a cursor that no page gave.
    pub async fn list(&self, cursor: Option<&str>) -> Result<IdPage, Error> {
        self.engine.list(cursor).await
    }

    /// Merges two states that both came from `base`; `tickets.wit` has the rules. Asks no store.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` for texts that are no state of a ticket.
    pub async fn merge(&self, base: &State, ours: &State, theirs: &State) -> Result<Merged, Error> {
        self.engine.merge(base, ours, theirs).await
    }
}
