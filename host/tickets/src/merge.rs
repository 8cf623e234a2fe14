//! The engine's merge as a function, for fallbacks.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::Error;
use crate::settings::{Limits, Settings};
use crate::ticket::State;
use ticket_fallback::Merge;
use ticket_store::{self as store, MemoryStore};

/// The engine's merge under these limits, for a [`FallbackStore`](crate::fallback::FallbackStore) that is opened
/// without [`Tickets`](crate::Tickets).
///
/// # Errors
/// `Invalid` for a limit of more than 4 MiB a ticket, `Internal` if the engine cannot be loaded.
pub fn merge(limits: Limits) -> Result<Merge, Error> {
    merge_with(&Settings { limits, ..Settings::default() })
}

/// The same with all settings.
pub(crate) fn merge_with(settings: &Settings) -> Result<Merge, Error> {
    // A merge asks no store, and its instances see nothing but the states that they merge.
    let store = Arc::new(MemoryStore::new(Arc::clone(&settings.clock)));
    let settings = Settings { fresh_instances: false, ..settings.clone() };
    let engine = Arc::new(Engine::load(store, settings)?);
    Ok(Arc::new(move |base: State, ours: State, theirs: State| {
        let engine = Arc::clone(&engine);
        Box::pin(async move { engine.merge(&base, &ours, &theirs).await.map_err(merge_error) })
    }))
}

/// The same refusal for the fallback, which knows the errors of stores alone.
fn merge_error(error: Error) -> store::Error {
    let kind = match error {
        Error::Invalid(_) | Error::TooLarge(_) => store::Kind::Invalid,
        _ => store::Kind::Unavailable,
    };
    store::Error::new(kind, "cannot merge two states of a ticket").caused_by(error)
}
