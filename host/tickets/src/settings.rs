//! What the engine is told by its operator: times and limits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::ticket::Bounds;
use ticket_store::clock::{Clock, SystemClock};

/// How long a ticket lives after its last change unless the builder sets another time: 30 minutes.
pub const DEFAULT_TTL: Duration = Duration::from_secs(30 * 60);

/// How long one operation may take unless set: a hundred round trips to a server that is near, and too short for a
/// person to notice.
const DEADLINE: Duration = Duration::from_millis(150);

/// The largest tickets that are accepted. Start from [`Limits::default`].
///
/// What is larger is refused with [`Error::TooLarge`](crate::Error::TooLarge) and nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most bytes of one message; 64 KiB by default: a long letter, with room.
    pub message_bytes_max: u32,
    /// Most bytes of one ticket; 1 MiB by default: what a Redis script handles in about 3 ms. At most 4 MiB, because
    /// an instance of the engine has the memory to merge tickets of that size.
    pub ticket_bytes_max: u32,
    /// Most entries of one history; 10,000 by default.
    pub history_entries_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes_max: 64 * 1024, ticket_bytes_max: 1024 * 1024, history_entries_max: 10_000 }
    }
}

impl Limits {
    /// Most bytes of one message.
    #[must_use]
    pub fn message_bytes_max(mut self, bytes: u32) -> Self {
        self.message_bytes_max = bytes;
        self
    }

    /// Most bytes of one ticket, at most 4 MiB.
    #[must_use]
    pub fn ticket_bytes_max(mut self, bytes: u32) -> Self {
        self.ticket_bytes_max = bytes;
        self
    }

    /// Most entries of one history.
    #[must_use]
    pub fn history_entries_max(mut self, entries: u32) -> Self {
        self.history_entries_max = entries;
        self
    }
}

/// What the engine and its instances need to know.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Time to live that every change gives a ticket.
    pub(crate) ttl: Duration,
    pub(crate) limits: Limits,
    /// What every change trims a history to; without bounds, nothing.
    pub(crate) history_bounds: Bounds,
    /// How long one operation may take: it waits for a store with a fallback, and tries again after lost races.
    pub(crate) deadline: Duration,
    /// Where compiled images of the engine are kept between processes.
    pub(crate) image_folder: Option<PathBuf>,
    /// Whether every operation has an instance of the engine of its own.
    pub(crate) fresh_instances: bool,
    /// The clock that dates changes.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Settings {
    /// The time to live as stores take it.
    pub(crate) fn ttl_ms(&self) -> u64 {
        u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl: DEFAULT_TTL,
            limits: Limits::default(),
            history_bounds: Bounds::default(),
            deadline: DEADLINE,
            image_folder: None,
            fresh_instances: false,
            clock: Arc::new(SystemClock),
        }
    }
}
