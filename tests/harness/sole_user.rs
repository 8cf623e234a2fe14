//! A store with a fallback whose only user is this test.
//!
//! While its primary is down, a fallback does not know whether a ticket exists that it has not read, and answers
//! `Unavailable`. The checks of promises need `absent` instead, which is right if no one else creates tickets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ticket_host::clock::{Clock, ManualClock};
use ticket_host::fallback::FallbackStore;
use ticket_host::store::{Condition, Entry, Error, Fields, Freshness, Health, Key, Kind, Outcome, Page, Store};

/// A store with a fallback, and the deadlines of the entries that were created and not removed.
#[derive(Debug)]
pub struct SoleUserStore {
    store: FallbackStore,
    clock: ManualClock,
    deadlines: Mutex<BTreeMap<Key, u64>>,
}

impl SoleUserStore {
    /// Wraps an empty store.
    #[must_use]
    pub fn new(store: FallbackStore, clock: ManualClock) -> Self {
        Self { store, clock, deadlines: Mutex::default() }
    }

    fn deadlines(&self) -> MutexGuard<'_, BTreeMap<Key, u64>> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, key: &Key, answer: &Result<Outcome, Error>) {
        match answer {
            Ok(Outcome::Written { expires_at_ms, .. }) => drop(self.deadlines().insert(key.clone(), *expires_at_ms)),
            Ok(Outcome::Removed) => drop(self.deadlines().remove(key)),
            Ok(Outcome::Refused(_)) | Err(_) => {}
        }
    }

    /// An answer, or `absent` if the fallback does not know the entry and this test did not create it.
    fn answer<T>(&self, key: &Key, answer: Result<T, Error>, absent: T) -> Result<T, Error> {
        let deadline_ms = self.deadlines().get(key).copied();
        let exists = deadline_ms.is_some_and(|deadline_ms| deadline_ms == 0 || self.clock.now_ms() <= deadline_ms);
        match answer {
            Err(error) if error.kind() == Kind::Unavailable && !exists => Ok(absent),
            answer => answer,
        }
    }
}

impl fmt::Display for SoleUserStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl Store for SoleUserStore {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        let answer = self.store.read(key, freshness).await;
        self.answer(key, answer, None)
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        let answer = self.store.write(key, fields, ttl_ms, when).await;
        self.changed(key, &answer);
        if *when == Condition::Absent { answer } else { self.answer(key, answer, Outcome::Refused(None)) }
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        let answer = self.store.touch(key, ttl_ms).await;
        self.changed(key, &answer);
        self.answer(key, answer, Outcome::Refused(None))
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let answer = self.store.remove(key, when).await;
        self.changed(key, &answer);
        let absent = if *when == Condition::Absent { Outcome::Removed } else { Outcome::Refused(None) };
        self.answer(key, answer, absent)
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        self.store.scan(cursor, limit).await
    }

    async fn health(&self) -> Result<Health, Error> {
        self.store.health().await
    }
}
