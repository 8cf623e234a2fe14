//! Keeps tickets served while their store is down, and syncs them when it is up again.
//!
//! A [`FallbackStore`] is a [`ticket_store::Store`] around a [`Primary`](ticket_store::Primary). Calls go to the primary
//! while the breaker is closed. What the primary refuses, or does not answer in time, is done on this host's replica
//! of the ticket, and the supervisor syncs it. No caller waits longer than the time of one operation, and no call uses
//! the network while the breaker is open.
//!
//! | module | answers | |
//! |---|---|---|
//! | `options` | where the replica is, and how long calls may take | |
//! | `store` | opening, status, shutdown | |
//! | `calls` | the contract of a store: where a call goes | |
//! | `changes`, `send` | one change for a caller: on the replica, to the primary | |
//! | `link` | may calls use the primary, and until when? | |
//! | `breaker` | does a failure mean that the primary is down? | pure |
//! | `copies` | what this host holds, kept up to date with the answers | |
//! | `replica` | the records, in memory or in a file | |
//! | `record` | what does this host know of one ticket, and what does an event make of it? | pure |
//! | `supervisor`, `pacer` | when to connect, and what to do then | `pacer` is pure |
//! | `sync_batch`, `sync` | syncing all pending tickets, and one | |
//! | `resolve`, `resolution` | what is sent next, and what does an answer mean? | pure |
//! | `merge`, `merge_base` | the function that merges; from which state did two states begin to differ? | pure |
//! | `data_loss`, `after_loss` | what did the primary lose, and what does that mean for a record? | `after_loss` is pure |
//! | `branches`, `apply_branch` | the conflict copies, and merging one into its ticket | |
//! | `status` | what an operator sees: status, events, log lines | |
//!
//! The tables of states are in `breaker`, `record`, `resolve` and `after_loss`. `docs/fallback.md` describes the way of
//! a change through an outage, and the known gaps.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ticket_store::Key;
use ticket_store::clock::{Clock, SystemClock};

mod after_loss;
mod apply_branch;
mod branches;
mod breaker;
mod calls;
mod changes;
mod copies;
mod data_loss;
#[cfg(test)]
mod fixtures;
mod link;
mod merge;
mod merge_base;
mod pacer;
mod record;
mod replica;
mod resolution;
mod resolve;
mod send;
mod status;
mod store;
mod supervisor;
mod sync;
mod sync_batch;

pub use branches::{Branch, Branches};
pub use merge::Merge;
pub use status::{Event, Status, SyncReport};
pub use store::{FallbackStore, ShutdownReport};
pub use ticket_model::ticket::{Merged, Side, State};

/// Most bytes of tickets that are remembered: some hundred thousand usual ones.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// What stands in for a store that is away.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// Where changes are kept that the store has not been told of.
    pub place: ReplicaStorage,
    /// A file for states that find no place in their ticket; in memory unless set.
    pub branches: Option<PathBuf>,
    /// Most bytes of tickets that are remembered; 256 MiB unless set.
    pub bytes_max: usize,
    /// A ticket that is brought home before others.
    pub first: Option<Key>,
}

/// Where a fallback keeps what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaStorage {
    /// In this process, gone with it.
    Memory,
    /// In a SQLite file, which other processes may use at once.
    File(PathBuf),
}

impl Default for Fallback {
    fn default() -> Self {
        Self { place: ReplicaStorage::Memory, branches: None, bytes_max: BYTES_MAX, first: None }
    }
}

/// What a fallback needs besides its primary.
pub struct Parts {
    /// Where and how much it remembers.
    pub fallback: Fallback,
    /// How states are merged.
    pub merge: Merge,
    /// The time, before the primary was ever heard.
    pub clock: Arc<dyn Clock>,
    /// How long one operation may wait for the primary, in milliseconds.
    pub call_ms: u64,
    /// Whether what is remembered of a ticket feeds a change while the primary serves, so that it is one round trip.
    pub recent: bool,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("fallback", &self.fallback)
            .field("call_ms", &self.call_ms)
            .field("recent", &self.recent)
            .finish_non_exhaustive()
    }
}

impl Parts {
    /// The usual parts with a merge: in memory, 150 ms, one round trip.
    #[must_use]
    pub fn new(merge: Merge) -> Self {
        Self { fallback: Fallback::default(), merge, clock: Arc::new(SystemClock), call_ms: 150, recent: true }
    }
}
