//! The entries that a store answers with, lowered into the engine from where they are, without a copy in between.
//!
//! The generated types would have every entry copied first, with all its texts, for each read.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lower};

use ticket_store::{self as store, Fields};

/// As in `key-value.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Entry {
    fields: Arc<Fields>,
    revision: Arc<str>,
    #[component(name = "expires-at-ms")]
    expires_at_ms: u64,
}

/// As in `key-value.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Lookup {
    pub(super) entry: Option<Entry>,
}

/// As in `key-value.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Outcome {
    applied: bool,
    revision: Option<Arc<str>>,
    #[component(name = "expires-at-ms")]
    expires_at_ms: u64,
    current: Option<Entry>,
}

impl From<store::Entry> for Entry {
    fn from(entry: store::Entry) -> Self {
        Self { fields: entry.fields, revision: entry.revision.into(), expires_at_ms: entry.expires_at_ms }
    }
}

impl From<store::Outcome> for Outcome {
    fn from(outcome: store::Outcome) -> Self {
        let (applied, written, current) = match outcome {
            store::Outcome::Written { revision, expires_at_ms } => (true, Some((revision, expires_at_ms)), None),
            store::Outcome::Removed => (true, None, None),
            store::Outcome::Refused(current) => (false, None, current.map(Into::into)),
        };
        let (revision, expires_at_ms) = written.map_or((None, 0), |(revision, at)| (Some(revision.into()), at));
        Self { applied, revision, expires_at_ms, current }
    }
}
