//! The engine component, run by Wasmtime: one method for each operation on tickets.

mod bindings;
mod entry;
mod host_ctx;
mod image;
mod instance;
mod key_value;
mod pool;
mod wire;

use std::sync::Arc;

use self::instance::Answer;
use self::pool::Pool;
use crate::error::Error;
use crate::settings::Settings;
use crate::ticket::{Bounds, Change, Fact, IdPage, Merged, Messages, State, Summary, Ticket};
use ticket_store::{self as store, SharedStore};

/// Largest limit of a ticket in bytes: a merge holds some twelve copies of a ticket, and an instance may have 64 MiB.
const TICKET_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// Most bytes of the arguments of one call: twice a snapshot of the largest ticket.
const INPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The engine over one store.
#[derive(Debug)]
pub(crate) struct Engine {
    pool: Arc<Pool>,
    store: SharedStore,
    /// What every change trims a history to.
    history_bounds: Bounds,
}

impl Engine {
    /// Loads the embedded component; compiles it once in a process.
    pub(crate) fn load(store: SharedStore, settings: Settings) -> Result<Self, Error> {
        let (ttl_ms, min, max) = (settings.ttl_ms(), store::TTL_MS_MIN, store::TTL_MS_MAX);
        if !(min..=max).contains(&ttl_ms) {
            return Err(Error::Invalid(format!("ttl of {ttl_ms} ms is not between {min} ms and {max} ms").into()));
        }
        if settings.limits.ticket_bytes_max > TICKET_BYTES_MAX {
            let bytes = settings.limits.ticket_bytes_max;
            return Err(Error::Invalid(format!("ticket limit of {bytes} bytes is over {TICKET_BYTES_MAX}").into()));
        }
        let image = image::load(settings.image_folder.as_deref(), settings.fresh_instances).map_err(Error::internal)?;
        let history_bounds = settings.history_bounds;
        let pool = Arc::new(Pool::new(&image, Arc::new(settings)).map_err(Error::internal)?);
        Ok(Self { pool, store, history_bounds })
    }

    /// The same engine over another store.
    pub(crate) fn over(&self, store: SharedStore) -> Self {
        Self { pool: Arc::clone(&self.pool), store, history_bounds: self.history_bounds }
    }

    pub(crate) async fn create(
        &self,
        id: Option<&str>,
        changes: &[Change],
        ttl_ms: Option<u64>,
    ) -> Result<Ticket, Error> {
        bounded(changes.iter().flat_map(Change::texts).chain(id))?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.create((id, &wire::changes(changes, self.history_bounds), ttl_ms)).await;
        self.finish_changes(instance, answer)
    }

    pub(crate) async fn ensure(&self, id: &str, changes: &[Change], ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        bounded(changes.iter().flat_map(Change::texts).chain([id]))?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.ensure((id, &wire::changes(changes, self.history_bounds), ttl_ms)).await;
        self.finish_changes(instance, answer)
    }

    pub(crate) async fn apply(
        &self,
        id: &str,
        changes: &[Change],
        at: Option<&str>,
        ttl_ms: Option<u64>,
    ) -> Result<Ticket, Error> {
        bounded(changes.iter().flat_map(Change::texts).chain([id]).chain(at))?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.apply((id, &wire::changes(changes, self.history_bounds), at, ttl_ms)).await;
        self.finish_changes(instance, answer)
    }

    pub(crate) async fn touch(&self, id: &str, ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        bounded([id])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.touch((id, ttl_ms)).await;
        self.finish_ticket(instance, answer)
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Ticket, Error> {
        bounded([id])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.get((id,)).await;
        self.finish_ticket(instance, answer)
    }

    pub(crate) async fn exists(&self, id: &str) -> Result<bool, Error> {
        bounded([id])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.exists((id,)).await;
        self.finish(instance, answer)
    }

    pub(crate) async fn get_summary(&self, id: &str) -> Result<Summary, Error> {
        bounded([id])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.get_summary((id,)).await;
        self.finish(instance, answer).map(wire::summary)
    }

    pub(crate) async fn get_messages(
        &self,
        id: &str,
        entries_max: u32,
        bytes_max: Option<u32>,
    ) -> Result<Messages, Error> {
        bounded([id])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.get_messages((id, entries_max, bytes_max)).await;
        self.finish(instance, answer).map(wire::messages)
    }

    pub(crate) async fn get_fact(&self, id: &str, pointer: &str) -> Result<Fact, Error> {
        bounded([id, pointer])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.get_fact((id, pointer)).await;
        self.finish(instance, answer).map(wire::fact)
    }

    pub(crate) async fn snapshot(&self, id: &str) -> Result<String, Error> {
        bounded([id])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.snapshot((id,)).await;
        self.finish(instance, answer)
    }

    pub(crate) async fn rollback(
        &self,
        id: &str,
        snapshot: &str,
        at: Option<&str>,
        ttl_ms: Option<u64>,
    ) -> Result<Ticket, Error> {
        bounded([id, snapshot].into_iter().chain(at))?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.rollback((id, snapshot, at, ttl_ms)).await;
        self.finish_ticket(instance, answer)
    }

    pub(crate) async fn restore(&self, snapshot: &str, ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        bounded([snapshot])?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.restore((snapshot, ttl_ms)).await;
        self.finish_ticket(instance, answer)
    }

    pub(crate) async fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error> {
        bounded([id].into_iter().chain(at))?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.close((id, at)).await;
        self.finish(instance, answer)
    }

    pub(crate) async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<IdPage, Error> {
        bounded([prefix].into_iter().chain(cursor))?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.list_ids((prefix, cursor)).await;
        let served_by = instance.ctx().served_by();
        self.finish(instance, answer).map(|page| wire::page(page, served_by))
    }

    pub(crate) async fn merge(&self, base: &State, ours: &State, theirs: &State) -> Result<Merged, Error> {
        bounded([base, ours, theirs].into_iter().flat_map(texts))?;
        let mut instance = self.pool.borrow(&self.store).await?;
        let answer = instance.merge((base.into(), ours.into(), theirs.into())).await;
        self.finish(instance, answer).map(Into::into)
    }

    fn finish_ticket(&self, instance: pool::Borrowed, answer: Answer<wire::WireTicket>) -> Result<Ticket, Error> {
        let served_by = instance.ctx().served_by();
        self.finish(instance, answer).map(|ticket| wire::ticket(ticket, served_by))
    }

    fn finish_changes(&self, instance: pool::Borrowed, answer: Answer<wire::WireApplied>) -> Result<Ticket, Error> {
        let served_by = instance.ctx().served_by();
        self.finish(instance, answer).map(|applied| wire::applied(applied, served_by))
    }

    /// Gives an instance back after an answer. One that trapped is dropped.
    fn finish<T>(&self, mut instance: pool::Borrowed, answer: Answer<T>) -> Result<T, Error> {
        match answer {
            Ok(answer) => {
                let store_error = instance.ctx_mut().take_store_error();
                self.pool.give_back(instance);
                answer.map_err(|error| wire::error(error, store_error))
            }
            Err(trap) => {
                tracing::error!(error = %format_args!("{trap:#}"), "the engine trapped; its instance is replaced");
                Err(Error::internal(trap))
            }
        }
    }
}

fn texts(state: &State) -> [&str; 3] {
    [&state.facts, &state.history, &state.last_decision]
}

/// Refuses arguments for which an instance has not enough memory, before they are copied into it.
fn bounded<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    let bytes: usize = texts.into_iter().map(str::len).sum();
    if bytes > INPUT_BYTES_MAX {
        let text = format!("a call with {bytes} bytes of text is over the limit of {INPUT_BYTES_MAX}");
        return Err(Error::TooLarge(text.into()));
    }
    Ok(())
}
