//! [`Tickets`]: the operations of the engine over one store, typed and async.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;
use crate::settings::Settings;
use crate::ticket::{Change, IdPage, Merged, State, Ticket};
use ticket_fallback::FallbackStore;
use ticket_store::SharedStore;
use ticket_store::keyed_lock::KeyedLock;

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
    ttl_ms: u64,
}

impl Tickets {
    /// Loads the engine over a store, which is the fallback where there is one.
    pub(crate) fn new(store: SharedStore, fallback: Option<FallbackStore>, settings: Settings) -> Result<Self, Error> {
        let ttl_ms = settings.ttl_ms();
        let engine = Arc::new(Engine::load(Arc::clone(&store), settings)?);
        Ok(Self { store, engine, writers: Arc::default(), fallback, ttl_ms })
    }

    /// The fallback: its status, its events and its branches. None if nothing serves while the store is down.
    #[must_use]
    pub fn fallback(&self) -> Option<&FallbackStore> {
        self.fallback.as_ref()
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
            fallback.apply_branch(&branch, self.ttl_ms).await?;
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
        self.engine.create(id, changes).await
    }

    /// Reads a ticket. Its deadline does not move.
    ///
    /// # Errors
    /// `NotFound` if there is no ticket. `Corrupt` or `UnsupportedVersion` if the stored data cannot be read.
    pub async fn get(&self, id: &str) -> Result<Ticket, Error> {
        self.engine.get(id).await
    }

    /// Applies changes in one atomic write, and moves the deadline to the TTL from now. With `at`, only to the ticket at that
    /// revision; without, changes that other clients make meanwhile are kept.
    ///
    /// # Errors
    /// - `NotFound`: there is no ticket.
    /// - `Conflict`: `at` is not the current revision, or too many races were lost within the deadline of the operation.
    /// - `Invalid`: a change is not strict JSON of its kind, or there is none.
    /// - `TooLarge`: a message, the ticket or its history would be over its limit.
    /// - `Corrupt` or `UnsupportedVersion`: the stored data cannot be read.
    pub async fn apply(&self, id: &str, changes: &[Change], at: Option<&str>) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.apply(id, changes, at).await
    }

    /// Moves the deadline to the TTL from now, and changes nothing else.
    ///
    /// # Errors
    /// `NotFound` if there is no ticket. `Corrupt` or `UnsupportedVersion` if the stored data cannot be read.
    pub async fn touch(&self, id: &str) -> Result<Ticket, Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.touch(id).await
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
        self.engine.rollback(id, snapshot, at).await
    }

    /// Creates the ticket of a snapshot again after it expired or was closed.
    ///
    /// # Errors
    /// `Exists` if there is a ticket with its id. `Invalid` for a damaged snapshot, `TooLarge` for one over a limit.
    pub async fn restore(&self, snapshot: &str) -> Result<Ticket, Error> {
        self.engine.restore(snapshot).await
    }

    /// Deletes a ticket, also one that is corrupt. `at` is as in [`Tickets::apply`].
    ///
    /// # Errors
    /// `NotFound` if there is no ticket, `Conflict` as in [`Tickets::apply`].
    pub async fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error> {
        let _guard = self.writers.lock(id).await;
        self.engine.close(id, at).await
    }

    /// One page of ticket ids. `cursor` is `None` for the first page, then the cursor of the previous page. A page may be
    /// empty although others follow, and may repeat an id. While the fallback serves, it has the tickets that this host
    /// knows.
    ///
    /// # Errors
    /// `Invalid` for a cursor that does not come from a page of this store.
    pub async fn list(&self, cursor: Option<&str>) -> Result<IdPage, Error> {
        self.engine.list(cursor).await
    }

    /// Merges two states that both descend from `base`, as a fallback does: facts are merged, messages that `ours` added
    /// follow those of `theirs`, and what both changed is taken from the state with the later `updated_at`, on a tie
    /// from `theirs`. If `ours` does not continue `base`, as after a rollback, the later state wins as a whole.
    /// [`Merged::branch`] names the side that is not wholly in the result. No store is asked.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` for a state that is not a ticket within the limits.
    pub async fn merge(&self, base: &State, ours: &State, theirs: &State) -> Result<Merged, Error> {
        self.engine.merge(base, ours, theirs).await
    }
}
