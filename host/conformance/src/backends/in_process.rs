//! A store in this process, without a raw client.

use std::fmt;

use async_trait::async_trait;
use ticket_host::store::{Error, Namespace, SharedStore};
use ticket_store::clock::ManualClock;

use crate::backend::{RawClient, TestBackend};

/// Opens the store of a namespace: the same entries for the same name, as long as the backend lives.
pub type OpenStore = Box<dyn Fn(Option<&Namespace>) -> Result<SharedStore, Error> + Send + Sync>;

/// A store in this process whose entries end by a clock that the checks move.
pub struct InProcessBackend {
    clock: ManualClock,
    open: OpenStore,
}

impl InProcessBackend {
    /// A backend from the clock that the store uses and the function that opens it.
    #[must_use]
    pub fn new(clock: ManualClock, open: OpenStore) -> Self {
        Self { clock, open }
    }
}

impl fmt::Debug for InProcessBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcessBackend")
    }
}

#[async_trait]
impl TestBackend for InProcessBackend {
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
