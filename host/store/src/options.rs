//! What a store needs to know besides its URL.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::key::Namespace;

/// Longest time of one call of a Redis store, connecting included. A healthy server answers in a millisecond. A second
/// is what a person waits without wondering, and leaves time to find out what became of a lost answer.
const CALL_TIME: Duration = Duration::from_secs(1);
/// Most bytes of last known copies: some 50,000 tickets of 5 KB.
const CACHE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a store needs to know besides its URL. Start from [`Options::default`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Keeps these tickets apart from others in the same database or file; none by default.
    pub namespace: Option<Namespace>,
    /// The time, for stores whose deadlines no server keeps; the system's by default.
    pub clock: Arc<dyn Clock>,
    /// Longest time of one call of a Redis store, connecting included; 1 s by default.
    pub call_time: Duration,
    /// Most bytes of last known copies that a Redis store keeps, so that a change is a single round trip; 256 MiB by
    /// default. With 0 every change reads first. Under a fallback the replica serves as this cache.
    pub cache_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { namespace: None, clock: Arc::new(SystemClock), call_time: CALL_TIME, cache_bytes_max: CACHE_BYTES_MAX }
    }
}

impl Options {
    /// Keeps these tickets apart from others in the same database or file.
    #[must_use]
    pub fn namespace(mut self, namespace: Option<Namespace>) -> Self {
        self.namespace = namespace;
        self
    }

    /// The clock of a memory or SQLite store.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Longest time of one call of a Redis store, connecting included.
    #[must_use]
    pub fn call_time(mut self, call_time: Duration) -> Self {
        self.call_time = call_time;
        self
    }

    /// Most bytes of last known copies of a Redis store; 0 keeps none.
    #[must_use]
    pub fn cache_bytes_max(mut self, bytes: usize) -> Self {
        self.cache_bytes_max = bytes;
        self
    }
}
