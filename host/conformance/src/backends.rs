//! Backends of this project's own stores.

use std::path::PathBuf;
use std::sync::Arc;

use ticket_host::store::{self as store, Error, MemoryStore, SharedStore};
use ticket_store::clock::{Clock, ManualClock, SystemClock};

use crate::backend::TestBackend;

mod in_process;
mod redis;
mod sqlite;

pub use in_process::{InProcessBackend, OpenStore};
pub use redis::{OpenStoreAsync, RedisBackend};
pub use sqlite::SqliteBackend;

/// The backend of a store URL: `memory:`, `sqlite:PATH`, `redis://…` or `rediss://…`. Other clients may use it too.
///
/// # Errors
/// `Invalid` for another URL, and any error of opening such a store.
pub async fn backend(url: &str) -> Result<Arc<dyn TestBackend>, Error> {
    if store::is_remote(url) {
        return Ok(Arc::new(RedisBackend::shared(url).await?));
    }
    // Opening the store reports an invalid URL with the usual message, and creates the file.
    drop(store::open(url, &store::Options::default()).await?);
    Ok(match url.split_once(':') {
        Some(("sqlite", path)) => {
            Arc::new(SqliteBackend::shared(PathBuf::from(path.split('?').next().unwrap_or(path))))
        }
        Some(_) | None => Arc::new(memory(&ManualClock::at(SystemClock.now_ms()))),
    })
}

/// The backend of a memory store.
#[must_use]
pub fn memory(clock: &ManualClock) -> InProcessBackend {
    let plain = MemoryStore::new(Arc::new(clock.clone()));
    let open = move |namespace: Option<&store::Namespace>| -> Result<SharedStore, Error> {
        Ok(match namespace {
            Some(namespace) => Arc::new(plain.in_namespace(namespace)),
            None => Arc::new(plain.clone()),
        })
    };
    InProcessBackend::new(clock.clone(), Box::new(open))
}
