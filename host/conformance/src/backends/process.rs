//! A store in this process, which nothing reaches but itself.

use std::fmt;

use async_trait::async_trait;

use crate::backend::{RawClient, TestBackend};
use ticket_host::store::{Error, Namespace, SharedStore};
use ticket_store::clock::ManualClock;

/// Gives the store of a namespace: the same entries for the same name, as long as the ground lives.
pub type Open = Box<dyn Fn(Option<&Namespace>) -> Result<SharedStore, Error> + Send + Sync>;

/// A store in this process whose entries end by a clock that tests move.
pub struct InProcess {
    clock: ManualClock,
    open: Open,
}

impl InProcess {
    /// A store that goes by this clock, and how it is opened.
    #[must_use]
    pub fn new(clock: ManualClock, open: Open) -> Self {
        Self { clock, open }
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

#[async_trait]
impl TestBackend for InProcess {
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        (self.open)(namespace)
    }

    fn clock(&self) -> Option<&ManualClock> {
        Some(&self.clock)
    }

    fn is_private(&self) -> bool {
        true
    }

    fn raw_client(&self) -> Option<&dyn RawClient> {
        None
    }
}
