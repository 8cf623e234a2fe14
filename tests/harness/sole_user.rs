//! A store with a fallback, used by somebody who knows that nobody else uses it.
//!
//! While its primary is away, a fallback cannot know whether a ticket exists that it has not met, and says so. The
//! promises are about what a store knows; here that means that what nobody made is not there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ticket_host::clock::{Clock, ManualClock};
use ticket_host::fallback::FallbackStore;
use ticket_host::store::{Condition, Entry, Error, Fields, Freshness, Health, Key, Kind, Outcome, Page, Store};

/// A store with a fallback, and until when that lives which was made and not removed: what ended long ago its
/// fallback has forgotten.
#[derive(Debug)]
pub struct SoleUserStore {
    store: FallbackStore,
    clock: ManualClock,
    made: Mutex<BTreeMap<Key, u64>>,
}

impl SoleUserStore {
    /// Around a store that is empty.
    #[must_use]
    pub fn new(store: FallbackStore, clock: ManualClock) -> Self {
        Self { store, clock, made: Mutex::default() }
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<Key, u64>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, key: &Key, answer: &Result<Outcome, Error>) {
        match answer {
            Ok(Outcome::Written { expires_at_ms, .. }) => drop(self.made().insert(key.clone(), *expires_at_ms)),
            Ok(Outcome::Removed) => drop(self.made().remove(key)),
            Ok(Outcome::Refused(_)) | Err(_) => {}
        }
    }

    /// An answer, or `absent` where the fallback does not know what is not there.
    fn answer<T>(&self, key: &Key, answer: Result<T, Error>, absent: T) -> Result<T, Error> {
        let ends_ms = self.made().get(key).copied();
        let is_there = ends_ms.is_some_and(|ends_ms| ends_ms == 0 || self.clock.now_ms() <= ends_ms);
        match answer {
            Err(error) if error.kind() == Kind::Unavailable && !is_there => Ok(absent),
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
