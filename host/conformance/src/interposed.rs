//! Stores around a store, for what happens between a read and a write, and for what a store refuses.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use ticket_host::store::{
    Condition, Entry, Error, Fields, Freshness, Health, Key, Kind, Outcome, Page, SharedStore, Store,
};

/// What somebody else does; called each time it is to happen.
pub type ExternalWrites = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A store in which somebody else acts just before each of the next few changes, after what was read for them.
pub struct Interposed {
    inner: SharedStore,
    external_write: ExternalWrites,
    times: AtomicU32,
}

impl Interposed {
    /// Around a store; nothing happens until [`Interposed::arm`].
    #[must_use]
    pub fn new(inner: SharedStore, external_write: ExternalWrites) -> Self {
        Self { inner, external_write, times: AtomicU32::new(0) }
    }

    /// Makes the deed happen before each of the next `times` writes and removals.
    pub fn arm(&self, times: u32) {
        self.times.store(times, Ordering::SeqCst);
    }

    async fn act(&self) {
        let taken = self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1));
        if taken.is_ok() {
            (self.external_write)().await;
        }
    }
}

impl fmt::Debug for Interposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interposed({:?})", self.inner)
    }
}

impl fmt::Display for Interposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Interposed {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        self.inner.read(key, freshness).await
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        self.act().await;
        self.inner.write(key, fields, ttl_ms, when).await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        self.inner.touch(key, ttl_ms).await
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        self.act().await;
        self.inner.remove(key, when).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        self.inner.scan(cursor, limit).await
    }

    async fn health(&self) -> Result<Health, Error> {
        self.inner.health().await
    }
}

/// A store that refuses everything with one kind of error.
#[derive(Debug)]
pub struct Refusing(pub Kind);

impl Refusing {
    fn error(&self) -> Error {
        Error::new(self.0, "the store refuses")
    }
}

impl fmt::Display for Refusing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refusing:")
    }
}

#[async_trait]
impl Store for Refusing {
    async fn read(&self, _key: &Key, _freshness: Freshness) -> Result<Option<Entry>, Error> {
        Err(self.error())
    }

    async fn write(&self, _key: &Key, _fields: Fields, _ttl_ms: u64, _when: &Condition) -> Result<Outcome, Error> {
        Err(self.error())
    }

    async fn touch(&self, _key: &Key, _ttl_ms: u64) -> Result<Outcome, Error> {
        Err(self.error())
    }

    async fn remove(&self, _key: &Key, _when: &Condition) -> Result<Outcome, Error> {
        Err(self.error())
    }

    async fn scan(&self, _cursor: Option<&str>, _limit: u32) -> Result<Page, Error> {
        Err(self.error())
    }

    async fn health(&self) -> Result<Health, Error> {
        Err(self.error())
    }
}
