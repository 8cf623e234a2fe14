//! A store in a file.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{RawClient, TestBackend};
use ticket_host::store::{Error, Namespace, Options, SharedStore, SqliteStore};
use ticket_store::clock::{Clock, ManualClock, SystemClock};

use crate::raw_sqlite::RawSqlite;

/// A SQLite file.
pub struct InFile {
    path: PathBuf,
    clock: Option<ManualClock>,
    raw_client: RawSqlite,
}

impl InFile {
    /// A file that others may use too: its entries end by the machine's time.
    #[must_use]
    pub fn shared(path: PathBuf) -> Self {
        Self { raw_client: RawSqlite::new(path.clone(), Arc::new(SystemClock)), path, clock: None }
    }

    /// A file of the test alone, whose entries end by this clock: what expires by it is dropped from the file.
    #[must_use]
    pub fn private(path: PathBuf, clock: ManualClock) -> Self {
        Self { raw_client: RawSqlite::new(path.clone(), Arc::new(clock.clone())), path, clock: Some(clock) }
    }
}

impl fmt::Debug for InFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InFile({})", self.path.display())
    }
}

#[async_trait]
impl TestBackend for InFile {
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        let clock: Arc<dyn Clock> = match &self.clock {
            Some(clock) => Arc::new(clock.clone()),
            None => Arc::new(SystemClock),
        };
        let options = Options { namespace: namespace.cloned(), clock, ..Options::default() };
        Ok(Arc::new(SqliteStore::open(self.path.clone(), None, &options).await?))
    }

    fn clock(&self) -> Option<&ManualClock> {
        self.clock.as_ref()
    }

    fn is_private(&self) -> bool {
        self.clock.is_some()
    }

    fn raw_client(&self) -> Option<&dyn RawClient> {
        Some(&self.raw_client)
    }
}
