//! What a fallback needs to know besides its primary.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::merge::Merge;
use ticket_store::Key;
use ticket_store::clock::{Clock, SystemClock};

/// Most bytes of tickets in a replica: some hundred thousand usual ones.
const BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long one operation may wait for the primary: a hundred round trips to a server that is near.
const CALL_TIME: Duration = Duration::from_millis(150);

/// Where a fallback keeps its replica: this host's copies of tickets, and the changes that are pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReplicaStorage {
    /// In the memory of this process. What is pending is lost when the process dies.
    #[default]
    Memory,
    /// In a SQLite file, which several processes may use at once.
    File(PathBuf),
}

/// What a fallback needs to know besides its primary. Start from [`Options::new`] and set fields.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where the replica is; in memory by default.
    pub storage: ReplicaStorage,
    /// A file for branches; in memory by default.
    pub branches: Option<PathBuf>,
    /// Most bytes of tickets in the replica; 256 MiB by default.
    pub bytes_max: usize,
    /// A ticket that is synced before all others; none by default.
    pub sync_first: Option<Key>,
    /// How two states of a ticket become one.
    pub merge: Merge,
    /// The clock until the primary's time is known; the system's by default.
    pub clock: Arc<dyn Clock>,
    /// How long one operation may wait for the primary; 150 ms by default.
    pub call_time: Duration,
    /// Whether the replica feeds a change while the primary is up, so that the change is one round trip; true by default.
    pub feeds_changes: bool,
}

impl Options {
    /// The defaults with a merge, which the crate of the engine provides.
    #[must_use]
    pub fn new(merge: Merge) -> Self {
        Self {
            storage: ReplicaStorage::Memory,
            branches: None,
            bytes_max: BYTES_MAX,
            sync_first: None,
            merge,
            clock: Arc::new(SystemClock),
            call_time: CALL_TIME,
            feeds_changes: true,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { storage, branches, bytes_max, sync_first, merge: _, clock, call_time, feeds_changes } = self;
        f.debug_struct("Options")
            .field("storage", storage)
            .field("branches", branches)
            .field("bytes_max", bytes_max)
            .field("sync_first", sync_first)
            .field("clock", clock)
            .field("call_time", call_time)
            .field("feeds_changes", feeds_changes)
            .finish_non_exhaustive()
    }
}
