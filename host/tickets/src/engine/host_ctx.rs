//! What the engine imports: `key-value` and `environment`, over a store, a clock and the settings.
//!
//! The only file that knows both the generated interfaces and the trait of stores. It converts and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::ResourceLimiter;

use super::bindings::agent::tickets0_1_0::{environment, key_value as wit};
use super::entry::{Lookup, Outcome};
use crate::settings::{Limits, Settings};
use crate::ticket::ServedBy;
use ticket_store::operation;
use ticket_store::{Error, Key, Kind, Revision, SharedStore};

/// Most memory of one instance. A merge of three tickets of 1 MiB takes about 16 MiB.
pub(super) const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most elements of the engine's one table, its function pointers; the component has some hundreds.
pub(super) const TABLE_ELEMENTS_MAX: usize = 10_000;
/// Longest wait after a lost race, in milliseconds: a few round trips, so that one writer wins.
const PAUSE_MS_MAX: u64 = 8;
/// Largest page that the engine may ask for.
const PAGE_KEYS_MAX: u32 = 10_000;

/// The host context of one instance.
pub(super) struct HostCtx {
    store: SharedStore,
    settings: Arc<Settings>,
    /// When the time of the present call is up.
    deadline: Instant,
    /// Who served the present call: the fallback, if it served any store call of it.
    served_by: ServedBy,
    /// The last error of the store in the present call. Only its text crosses into the engine and back.
    store_error: Option<Error>,
    memory_bytes: usize,
}

impl HostCtx {
    pub(super) fn new(store: SharedStore, settings: Arc<Settings>) -> Self {
        Self {
            store,
            settings,
            deadline: Instant::now(),
            served_by: ServedBy::Store,
            store_error: None,
            memory_bytes: 0,
        }
    }

    /// Begins a call on this store, whose time is up at `deadline`.
    pub(super) fn begin_call(&mut self, store: &SharedStore, deadline: Instant) {
        if !Arc::ptr_eq(&self.store, store) {
            self.store = Arc::clone(store);
        }
        self.deadline = deadline;
        self.served_by = ServedBy::Store;
        self.store_error = None;
    }

    /// Who served the present call so far.
    pub(super) fn served_by(&self) -> ServedBy {
        self.served_by
    }

    /// The last error of the store in the present call.
    pub(super) fn take_store_error(&mut self) -> Option<Error> {
        self.store_error.take()
    }

    /// Waits for a store call within the time of the present call.
    async fn ask<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, wit::Error> {
        let (answer, served_by) = operation::during(self.deadline, call).await;
        if served_by == ServedBy::Fallback {
            self.served_by = served_by;
        }
        answer.map_err(|error| self.refusal(error))
    }

    /// An error as it crosses into the engine.
    fn refusal(&mut self, error: Error) -> wit::Error {
        let refusal = (&error).into();
        self.store_error = Some(error);
        refusal
    }

    fn key(&mut self, key: &str) -> Result<Key, wit::Error> {
        Key::parse(key).map_err(|error| self.refusal(error))
    }

    /// How large the instance's memory has grown.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

/// The functions of `key-value`.
impl HostCtx {
    pub(super) async fn read(&mut self, key: &str, freshness: wit::Freshness) -> Result<Lookup, wit::Error> {
        let (store, key) = (Arc::clone(&self.store), self.key(key)?);
        let entry = self.ask(store.read(&key, freshness.into())).await?;
        Ok(Lookup { entry: entry.map(Into::into) })
    }

    pub(super) async fn write(
        &mut self,
        key: &str,
        fields: Vec<(String, String)>,
        ttl_ms: u64,
        when: wit::Condition,
    ) -> Result<Outcome, wit::Error> {
        let (store, key, when) = (Arc::clone(&self.store), self.key(key)?, when.into());
        Ok(self.ask(store.write(&key, fields, ttl_ms, &when)).await?.into())
    }

    pub(super) async fn touch(&mut self, key: &str, ttl_ms: u64) -> Result<Outcome, wit::Error> {
        let (store, key) = (Arc::clone(&self.store), self.key(key)?);
        Ok(self.ask(store.touch(&key, ttl_ms)).await?.into())
    }

    pub(super) async fn remove(&mut self, key: &str, when: wit::Condition) -> Result<Outcome, wit::Error> {
        let (store, key, when) = (Arc::clone(&self.store), self.key(key)?, when.into());
        Ok(self.ask(store.remove(&key, &when)).await?.into())
    }

    pub(super) async fn scan(&mut self, cursor: Option<String>, limit: u32) -> Result<wit::Page, wit::Error> {
        if limit == 0 || limit > PAGE_KEYS_MAX {
            let text = format!("limit of {limit} keys a page is not between 1 and {PAGE_KEYS_MAX}");
            return Err(self.refusal(Error::new(Kind::Invalid, text)));
        }
        let store = Arc::clone(&self.store);
        let page = self.ask(store.scan(cursor.as_deref(), limit)).await?;
        let keys = page.keys.iter().map(ToString::to_string).collect();
        Ok(wit::Page { keys, cursor: page.cursor })
    }
}

impl environment::Host for HostCtx {
    async fn now_ms(&mut self) -> u64 {
        self.settings.clock.now_ms()
    }

    async fn fresh_id(&mut self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    async fn current_settings(&mut self) -> environment::Settings {
        let Limits { message_bytes_max, ticket_bytes_max, history_entries_max } = self.settings.limits;
        environment::Settings {
            ttl_ms: self.settings.ttl_ms(),
            message_bytes_max,
            ticket_bytes_max,
            history_entries_max,
        }
    }

    async fn try_again(&mut self, attempt: u32) -> bool {
        let pause_ms = fastrand::u64(0..=u64::from(attempt).min(PAUSE_MS_MAX));
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        Instant::now() < self.deadline
    }
}

impl ResourceLimiter for HostCtx {
    fn memory_growing(&mut self, _current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= MEMORY_BYTES_MAX;
        if allowed {
            self.memory_bytes = desired;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

impl From<wit::Condition> for ticket_store::Condition {
    fn from(when: wit::Condition) -> Self {
        match when {
            wit::Condition::Absent => Self::Absent,
            wit::Condition::Present => Self::Present,
            wit::Condition::At(revision) => Self::At(Revision::from(revision)),
        }
    }
}

impl From<wit::Freshness> for ticket_store::Freshness {
    fn from(freshness: wit::Freshness) -> Self {
        match freshness {
            wit::Freshness::Latest => Self::Latest,
            wit::Freshness::Recent => Self::Recent,
        }
    }
}
