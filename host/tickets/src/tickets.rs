//! Tickets for a Rust agent: the engine's operations, typed and async, over one store.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::Error;
use crate::settings::Settings;
use crate::ticket::{Change, IdPage, Merged, State, Ticket};
use ticket_fallback::FallbackStore;
use ticket_store::SharedStore;
use ticket_store::keyed_lock::KeyedLock;

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
    /// Loads the engine over a store, which is the fallback where there is one.
    pub(crate) fn new(store: SharedStore, fallback: Option<FallbackStore>, settings: Settings) -> Result<Self, Error> {
        let ttl_ms = settings.ttl_ms();
        let engine = Arc::new(Engine::load(Arc::clone(&store), settings)?);
        Ok(Self { store, engine, writers: Arc::default(), fallback, ttl_ms })
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
        let none = || Error::NotFound(format!("there is no branch {number}").into());
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
