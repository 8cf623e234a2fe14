//! What a connection knows of staged writes.

use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
pub(super) struct Staging {
    mark: String,
    is_refused: AtomicBool,
}

impl Default for Staging {
    fn default() -> Self {
        Self { mark: format!("{:016x}", fastrand::u64(..)), is_refused: AtomicBool::new(false) }
    }
}

impl Staging {
    /// A text of this connection alone: it ends the names under which it stages, and names the field that shows that the
    /// others were set.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Whether the user may not, or the server cannot, run one of the commands.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// One of the commands was refused.
    pub(super) fn refuse(&self) {
        self.is_refused.store(true, Ordering::Relaxed);
    }
}
