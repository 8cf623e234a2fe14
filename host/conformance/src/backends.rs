//! The grounds of this project's own stores.

use std::path::PathBuf;
use std::sync::Arc;

use super::backend::TestBackend;
use ticket_host::store::{self as store, Error, MemoryStore, SharedStore};
use ticket_store::clock::{Clock, ManualClock, SystemClock};

mod file;
mod process;
mod server;

pub use file::InFile;
pub use process::{InProcess, Open};
pub use server::{OnServer, OpenLater};

/// The ground of a store URL: `memory:`, `sqlite:PATH`, `redis://…` or `rediss://…`. Others may use what is there.
///
/// # Errors
/// `Invalid` for another URL, and what opening a store of that kind may end with.
pub async fn backend(url: &str) -> Result<Arc<dyn TestBackend>, Error> {
    if store::is_remote(url) {
        return Ok(Arc::new(OnServer::shared(url).await?));
    }
    // Whatever is wrong with another URL is said as by the one place that reads URLs, which makes the file too.
    drop(store::open(url, &store::Options::default()).await?);
    Ok(match url.split_once(':') {
        Some(("sqlite", path)) => Arc::new(InFile::shared(PathBuf::from(path.split('?').next().unwrap_or(path)))),
        Some(_) | None => Arc::new(memory(&ManualClock::at(SystemClock.now_ms()))),
    })
}

/// The ground of a memory store.
#[must_use]
pub fn memory(clock: &ManualClock) -> InProcess {
    let plain = MemoryStore::new(Arc::new(clock.clone()));
    let open = move |namespace: Option<&store::Namespace>| -> Result<SharedStore, Error> {
        Ok(match namespace {
            Some(namespace) => Arc::new(plain.in_namespace(namespace)),
            None => Arc::new(plain.clone()),
        })
    };
    InProcess::new(clock.clone(), Box::new(open))
}
