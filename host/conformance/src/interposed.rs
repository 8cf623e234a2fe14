//! The fault injector of the kit: a store in which other clients write and calls fail.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use ticket_host::store::{
    Condition, Entry, Error, Fields, Freshness, Health, Key, Kind, Outcome, Page, SharedStore, Store,
};

use crate::scenario::StoreCall;

/// How a call of the store fails.
#[derive(Debug)]
pub enum Failure {
    /// It is not executed.
    Refused(Error),
    /// It is executed, and this error replaces its answer. If it is refused, that error is the answer.
    AnswerLost(Error),
}

/// What is done before a call: nothing, an external write, or a failure of the call.
pub type Before = Box<dyn Fn(StoreCall) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> + Send + Sync>;

/// What another client does.
pub type Action = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A wrapper that runs a function before each call of a store except `health`.
pub struct Interposed {
    inner: SharedStore,
    before: Before,
}

impl Interposed {
    /// Wraps a store.
    #[must_use]
    pub fn new(inner: SharedStore, before: Before) -> Self {
        Self { inner, before }
    }

    /// A store that refuses every call with an error of this kind.
    #[must_use]
    pub fn refusing(inner: SharedStore, kind: Kind) -> Self {
        let refusal =
            move |_| Box::pin(ready(Err(Failure::Refused(Error::new(kind, "the test refuses the call"))))) as _;
        Self::new(inner, Box::new(refusal))
    }

    /// A store in which another client acts before each of the next `times` writes and removals; the test sets `times`.
    #[must_use]
    pub fn before_changes(inner: SharedStore, times: Arc<AtomicU32>, action: Action) -> Self {
        let before: Before = Box::new(move |call| {
            let is_change = matches!(call, StoreCall::Write | StoreCall::Remove);
            let is_due =
                || times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1)).is_ok();
            if is_change && is_due() {
                let done = action();
                return Box::pin(async move {
                    done.await;
                    Ok(())
                });
            }
            Box::pin(ready(Ok(())))
        });
        Self::new(inner, before)
    }

    async fn run<T>(&self, call: StoreCall, made: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match (self.before)(call).await {
            Ok(()) => made.await,
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::AnswerLost(error)) => {
                made.await?;
                Err(error)
            }
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
        self.run(StoreCall::Read, self.inner.read(key, freshness)).await
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        self.run(StoreCall::Write, self.inner.write(key, fields, ttl_ms, when)).await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        self.run(StoreCall::Touch, self.inner.touch(key, ttl_ms)).await
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        self.run(StoreCall::Remove, self.inner.remove(key, when)).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        self.run(StoreCall::Scan, self.inner.scan(cursor, limit)).await
    }

    async fn health(&self) -> Result<Health, Error> {
        self.inner.health().await
    }
}
