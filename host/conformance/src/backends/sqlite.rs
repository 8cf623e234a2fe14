//! A store in a SQLite file.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ticket_host::store::{Error, Namespace, Options, SharedStore, SqliteStore};
use ticket_store::clock::{Clock, ManualClock, SystemClock};

use crate::backend::{RawClient, TestBackend};
use crate::raw_sqlite::RawSqlite;

/// A SQLite file.
pub struct SqliteBackend {
    path: PathBuf,
    clock: Option<ManualClock>,
    raw_client: RawSqlite,
}

impl SqliteBackend {
    /// A file that other processes may use too; its entries end by the system clock.
    #[must_use]
    pub fn shared(path: PathBuf) -> Self {
        Self { raw_client: RawSqlite::new(path.clone(), Arc::new(SystemClock)), path, clock: None }
    }

    /// A file of the test alone, whose entries end by `clock`. No other store may open it: it would hide entries by
    /// the system clock.
    #[must_use]
    pub fn private(path: PathBuf, clock: ManualClock) -> Self {
        Self { raw_client: RawSqlite::new(path.clone(), Arc::new(clock.clone())), path, clock: Some(clock) }
    }
}

impl fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteBackend({})", self.path.display())
    }
}

#[async_trait]
impl TestBackend for SqliteBackend {
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        let clock: Arc<dyn Clock> = match &self.clock {
            Some(clock) => Arc::new(clock.clone()),
            None => Arc::new(SystemClock),
        };
        let options = Options::default().namespace(namespace.cloned()).clock(clock);
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
