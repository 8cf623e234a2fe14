//! Tickets as JSON lines, to move them between stores: what `ticket export` writes and `ticket import` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use ticket_host::Error;

use crate::digest;

mod export;
mod import;

pub(crate) use export::run as export;
pub(crate) use import::run as import;

/// One ticket: its deadline, and its snapshot as the engine wrote it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketLine<'a> {
    /// Unix milliseconds; 0 for never.
    expires_at_ms: u64,
    #[serde(borrow)]
    snapshot: &'a RawValue,
}

/// What a snapshot says of itself; the engine checks it.
#[derive(Clone, Deserialize)]
struct Snapshot {
    id: String,
    sha256: String,
}

/// The last line of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TotalLine {
    total: Total,
}

/// How many tickets were written, and a SHA-256 over the digests of their snapshots, sorted by id.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Total {
    tickets: u64,
    sha256: String,
    /// The id after which the export began, if it continued another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// The digests of snapshots by the ids of their tickets.
#[derive(Default)]
struct Digests(BTreeMap<String, String>);

impl Digests {
    fn add(&mut self, snapshot: Snapshot) {
        self.0.insert(snapshot.id, snapshot.sha256);
    }

    fn last_id(&self) -> Option<&str> {
        self.0.last_key_value().map(|(id, _)| id.as_str())
    }

    /// The total of the tickets whose ids come after this one.
    fn total(&self, after: Option<&str>) -> Total {
        let (mut tickets, mut all) = (0, Sha256::new());
        for (_, sha256) in self.0.iter().filter(|(id, _)| after.is_none_or(|after| id.as_str() > after)) {
            tickets += 1;
            all.update(sha256);
        }
        Total { tickets, sha256: digest::hex(all), after: after.map(str::to_owned) }
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(error.into())
}
