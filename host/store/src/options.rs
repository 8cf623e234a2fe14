//! What a store needs to know besides its URL.

use std::sync::Arc;

use super::key::Namespace;
use crate::clock::{Clock, SystemClock};

/// Longest time of one call of a Redis store in milliseconds, connecting included. A server that is well answers
/// in one; a second is what a person waits without wondering, and leaves time to settle a lost answer.
const CALL_MS: u64 = 1_000;
/// Most bytes of last known copies: some 50,000 tickets of 5 KB.
const COPIES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What a store needs to know besides its URL.
#[derive(Clone, Debug)]
pub struct Options {
    /// Keeps these tickets apart from others in the same place.
    pub namespace: Option<Namespace>,
    /// The time, for stores whose deadlines no server keeps.
    pub clock: Arc<dyn Clock>,
    /// Longest time of one call of a Redis store in milliseconds, connecting included; 1,000 unless set.
    pub call_ms: u64,
    /// Most bytes of last known copies that a Redis store keeps of its entries, so that a change of one is a single round
    /// trip; 256 MiB unless set. With a fallback, what that remembers serves for it. 0: every change asks first.
    pub copies_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { namespace: None, clock: Arc::new(SystemClock), call_ms: CALL_MS, copies_bytes_max: COPIES_BYTES_MAX }
    }
}
