//! A branch, and how many are kept.

use serde::{Deserialize, Serialize};

use ticket_store::Entry;

/// How long a branch is kept, in milliseconds: 30 days.
pub(super) const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Most branches that are kept.
pub(super) const BRANCHES_MAX: usize = 10_000;
/// Most bytes of all branches: as much as a fallback has for tickets.
pub(super) const BRANCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A conflict copy of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Identifies it among the branches.
    pub number: u64,
    /// The ticket's id.
    pub id: String,
    /// Why it is not in its ticket.
    pub why: String,
    /// When it was kept, in milliseconds since the epoch.
    pub at_ms: u64,
    /// The state.
    pub entry: Entry,
}
