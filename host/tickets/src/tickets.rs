//! [`Tickets`]: the operations of the engine over one store, typed and async.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;
use crate::settings::Settings;
use crate::ticket::{Change, Fact, IdPage, Merged, Messages, State, Summary, SummaryPage, Ticket};
use ticket_fallback::FallbackStore;
use ticket_store::SharedStore;
use ticket_store::keyed_lock::KeyedLock;
use tokio::task::JoinSet;

/// Tickets that a listing reads at the same time: a far store is not asked one by one, and few are in memory.
const READS_MAX: usize = 32;

/// The tickets of one store. A clone is another handle to the same.
///
/// Every operation is atomic. Dropping the future of an operation leaves it done wholly or not at all. Operations that
/// write one ticket run one after another within this process, in the order of their calls. Conditional writes protect
/// a ticket against other processes and hosts.
///
/// All operations can also end with `Denied`, `Unavailable`, `Uncertain` or `Internal`: see [`Error`].
#[derive(Clone, Debug)]
pub struct Tickets {
    store: SharedStore,
    engine: Arc<Engine>,
    writers: Arc<KeyedLock>,
    fallback: Option<FallbackStore>,
    /// The time to live of the settings.
    default_ttl_ms: u64,
    /// That of this handle's writes, where it differs.
    ttl_ms: Option<u64>,
}

impl Tickets {
    /// Loads the engine over a store, which is the fallback where there is one.
    pub(crate) fn new(store: SharedStore, fallback: Option<FallbackStore>, settings: Settings) -> Result<Self, Error> {
        let default_ttl_ms = settings.ttl_ms();
        let engine = Arc::new(Engine::load(Arc::clone(&store), settings)?);
        Ok(Self { store, engine, writers: Arc::default(), fallback, default_ttl_ms, ttl_ms: None })
    }

    /// The same tickets by a handle whose writes give this time to live, 1 second to 366 days; else they end with
    /// `Invalid`. The last writer's time counts, also where it is shorter.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ticket_host::{Change, Tickets};
    /// # async fn agent() -> Result<(), ticket_host::Error> {
    /// # let tickets = Tickets::open("memory:").await?;
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// tickets.with_ttl(day).create(Some("order-17"), &[Change::say("Call me tomorrow.")]).await?;
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(agent()).unwrap();
    /// ```
    #[must_use]
    pub fn with_ttl(&self, ttl: Duration) -> Self {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        Self { ttl_ms: Some(ttl_ms), ..self.clone() }
    }

    /// The fallback: its status, its events and its branches. None if nothing serves while the store is down.
    #[must_use]
    pub fn fallback(&self) -> Option<&FallbackStore> {
        self.fallback.as_ref()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The store behind these tickets.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Waits until pending changes are synced, for `within` at most, and returns at once while the store is down, if nothing
    /// is pending, or without a fallback.
    ///
    /// # Errors
    /// If the fallback's file cannot be read.
    pub async fn sync(&self, within: Duration) -> Result<(), Error> {
        if let Some(fallback) = &self.fallback {
            fallback.sync(within).await?;
        }
        Ok(())
    }

    /// Merges a branch, which is a conflict copy, into its ticket. If the ticket is gone, it is created from the branch.
    ///
    /// # Errors
    /// - `NotFound`: there is no branch with this number.
    /// - `Invalid`: the branch is of another incarnation of the ticket, or cannot be merged.
    ///
    /// After an error the branch is kept.
    pub async fn apply_branch(&self, number: u64) -> Result<Ticket, Error> {
        let none = || Error::NotFound(format!("there is no branch {number}").into());
        let fallback = self.fallback.as_ref().ok_or_else(none)?;
        let branch = fallback.branches().get(number).await?.ok_or_else(none)?;
        {
            let _guard = self.writers.lock(&branch.id).await;
            fallback.apply_branch(&branch, self.ttl_ms.unwrap_or(self.default_ttl_ms)).await?;
        }
        self.get(&branch.id).await
    }

    /// Creates a ticket with `id`, or with a fresh UUID, and applies `changes` to it.
    ///
    /// An id has 1 to 128 of the characters `A-Z a-z 0-9 . _ -` and begins with a letter or digit.
    ///
    /// # Errors
    /// `Exists` if there is a ticket with this id. `Invalid` or `TooLarge` for an invalid id or change.
    pub async fn create(&self, id: Option<&str>, changes: &[Change]) -> Result<Ticket, Error> {
        let _guard = match id {
            Some(id) => Some(self.writers.lock(id).await),
            None => None,
        };
        self.engine.create(id, changes, self.ttl_ms).await
    }

    /// Creates the ticket with `changes` if it is absent, else applies them; [`Effect::created`](crate::Effect) tells
    /// which. `changes` may be empty. While the store is down, `Unavailable` for a ticket that this host does not know:
    /// it may exist.
    ///
    /// # Errors
    /// As [`Tickets::apply`], but for `NotFound`.
    pub async fn ensure(&self, id: &str, changes: &[Change]) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.ensure(id, changes, self.ttl_ms).await
    }

    /// Reads a ticket. Its deadline does not move, here and in all reads below.
    ///
    /// # Errors
    /// `NotFound` if there is no ticket. `Corrupt` or `UnsupportedVersion` if the stored data cannot be read.
    pub async fn get(&self, id: &str) -> Result<Ticket, Error> {
        self.engine.get(id).await
    }

    /// Whether there is an entry under this id, even one that is not a ticket.
    ///
    /// # Errors
    /// `Invalid` for an invalid id.
    pub async fn exists(&self, id: &str) -> Result<bool, Error> {
        self.engine.exists(id).await
    }

    /// The sizes and times of a ticket.
    ///
    /// # Errors
    /// As [`Tickets::get`].
    pub async fn get_summary(&self, id: &str) -> Result<Summary, Error> {
        self.engine.get_summary(id).await
    }

    /// The newest messages: `entries_max` of them at most, and no more than have `bytes_max` bytes together.
    ///
    /// # Errors
    /// As [`Tickets::get`].
    pub async fn get_messages(&self, id: &str, entries_max: u32, bytes_max: Option<u32>) -> Result<Messages, Error> {
        self.engine.get_messages(id, entries_max, bytes_max).await
    }

    /// One value among the facts, by a JSON pointer (RFC 6901); the empty one is the facts as a whole.
    ///
    /// # Errors
    /// As [`Tickets::get`]. `Invalid` for an invalid pointer.
    pub async fn get_fact(&self, id: &str, pointer: &str) -> Result<Fact, Error> {
        self.engine.get_fact(id, pointer).await
    }

    /// Applies changes in one atomic write, and moves the deadline to the TTL from now. With `at`, only to the ticket at that
    /// revision; without, changes that other clients make meanwhile are kept. [`Ticket::effect`] has what
    /// [`Change::Retract`] took back and how many messages [`Change::Trim`] dropped.
    ///
    /// # Errors
    /// - `NotFound`: there is no ticket.
    /// - `Conflict`: `at` is not the current revision, or too many races were lost within the deadline of the operation.
    /// - `Invalid`: a change is not strict JSON of its kind, or there is none.
    /// - `TooLarge`: a message, the ticket or its history would be over its limit.
    /// - `Corrupt` or `UnsupportedVersion`: the stored data cannot be read.
    pub async fn apply(&self, id: &str, changes: &[Change], at: Option<&str>) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.apply(id, changes, at, self.ttl_ms).await
    }

    /// Moves the deadline to the TTL from now, and changes nothing else.
    ///
    /// # Errors
    /// `NotFound` if there is no ticket. `Corrupt` or `UnsupportedVersion` if the stored data cannot be read.
    pub async fn touch(&self, id: &str) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.touch(id, self.ttl_ms).await
    }

    /// The whole ticket as one text, for [`Tickets::rollback`] and [`Tickets::restore`]. The deadline does not move.
    ///
    /// # Errors
    /// `NotFound` if there is no ticket. `Corrupt` or `UnsupportedVersion` if the stored data cannot be read.
    pub async fn snapshot(&self, id: &str) -> Result<String, Error> {
        self.engine.snapshot(id).await
    }

    /// Makes a ticket what it was at a snapshot, byte for byte, and moves the deadline to the TTL from now. It also replaces
    /// stored data that is corrupt. `at` is as in [`Tickets::apply`].
    ///
    /// # Errors
    /// - `NotFound`: there is no ticket. [`Tickets::restore`] creates it again.
    /// - `Conflict`: as in [`Tickets::apply`].
    /// - `Invalid`: the snapshot is damaged, or of another ticket or another incarnation of this one.
    /// - `TooLarge`: the snapshot is over a limit.
    pub async fn rollback(&self, id: &str, snapshot: &str, at: Option<&str>) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.rollback(id, snapshot, at, self.ttl_ms).await
    }

    /// Creates the ticket of a snapshot again after it expired or was closed.
    ///
    /// # Errors
    /// `Exists` if there is a ticket with its id. `Invalid` for a damaged snapshot, `TooLarge` for one over a limit.
    pub async fn restore(&self, snapshot: &str) -> Result<Ticket, Error> {
        self.engine.restore(snapshot, self.ttl_ms).await
    }

    /// Deletes a ticket, also one that is corrupt. `at` is as in [`Tickets::apply`].
    ///
    /// # Errors
    /// `NotFound` if there is no ticket, `Conflict` as in [`Tickets::apply`].
    pub async fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.close(id, at).await
    }

    /// One page of the ids that begin with `prefix`, which may be empty. `cursor` is `None` for the first page, then the
    /// cursor of the previous page. A page may be empty although others follow, and may repeat an id. While the fallback
    /// serves, it has the tickets that this host knows.
    ///
    /// # Errors
    /// `Invalid` for a cursor that does not come from a page of this store, or a prefix that no id has.
    pub async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<IdPage, Error> {
        self.engine.list(prefix, cursor).await
    }

    /// One page of tickets without their texts, as [`Tickets::list`]; they are read at the same time, some at once.
    ///
    /// # Errors
    /// As [`Tickets::list`].
    pub async fn list_summaries(&self, prefix: &str, cursor: Option<&str>) -> Result<SummaryPage, Error> {
        let IdPage { ids, cursor, served_by } = self.list(prefix, cursor).await?;
        let mut page =
            SummaryPage { summaries: Vec::with_capacity(ids.len()), unreadable: Vec::new(), cursor, served_by };
        for ids in ids.chunks(READS_MAX) {
            let mut reads = JoinSet::new();
            for id in ids {
                let (tickets, id) = (self.clone(), id.clone());
                reads.spawn(async move { (tickets.get_summary(&id).await, id) });
            }
            while let Some(read) = reads.join_next().await {
                match read.map_err(Error::internal)? {
                    (Ok(summary), _) => page.summaries.push(summary),
                    // It ended since it was listed.
                    (Err(Error::NotFound(_)), _) => {}
                    (Err(Error::Corrupt(_) | Error::TooLarge(_) | Error::UnsupportedVersion(_)), id) => {
                        page.unreadable.push(id);
                    }
                    (Err(error), _) => return Err(error),
                }
            }
        }
        Ok(page)
    }

    /// Merges two states that both descend from `base`, as a fallback does: facts are merged, messages that `ours` added
    /// follow those of `theirs`, and what both changed is taken from the state with the later `updated_at`, on a tie
    /// from `theirs`. If `ours` does not continue `base`, as after a rollback, a retract or a trim, the later state wins as
    /// a whole.
    /// [`Merged::branch`] names the side that is not wholly in the result. No store is asked.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` for a state that is not a ticket within the limits.
    pub async fn merge(&self, base: &State, ours: &State, theirs: &State) -> Result<Merged, Error> {
        self.engine.merge(base, ours, theirs).await
    }
}
