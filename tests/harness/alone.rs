//! A store with a fallback, used by somebody who knows that nobody else uses it.
//!
//! While its primary is away, a fallback cannot know whether a ticket exists that it has not met, and says so. The
//! promises are about what a store knows; here that means that what nobody made is not there.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use ticket_host::store::{
    Condition, Entry, Error, FallbackStore, Fields, Freshness, Health, Key, Kind, Outcome, Page, Store,
};

/// A store with a fallback, and the keys under which something was made and not removed.
#[derive(Debug)]
pub struct Alone {
    store: FallbackStore,
    made: Mutex<BTreeSet<Key>>,
}

impl Alone {
    /// Around a store that is empty.
    #[must_use]
    pub fn new(store: FallbackStore) -> Self {
        Self { store, made: Mutex::default() }
    }

    /// An answer, or `absent` where the fallback does not know what was never made.
    fn answer<T>(&self, key: &Key, answer: Result<T, Error>, absent: T) -> Result<T, Error> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(key);
        match answer {
            Err(error) if error.kind() == Kind::Unavailable && !made => Ok(absent),
            answer => answer,
        }
    }
}

impl fmt::Display for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl Store for Alone {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        let answer = self.store.read(key, freshness).await;
        self.answer(key, answer, None)
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        let answer = self.store.write(key, fields, ttl_ms, when).await;
        if let Ok(Outcome::Written { .. }) = &answer {
            self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        }
        if *when == Condition::Absent { answer } else { self.answer(key, answer, Outcome::Refused(None)) }
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        let answer = self.store.touch(key, ttl_ms).await;
        self.answer(key, answer, Outcome::Refused(None))
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let answer = self.store.remove(key, when).await;
        if let Ok(Outcome::Removed) = &answer {
            self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
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
