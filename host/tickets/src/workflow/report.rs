//! What a run did, and what it took.

use std::collections::BTreeSet;
use std::time::Duration;

use super::grants::Grant;
use crate::ticket::{Change, Ticket};

/// A run that succeeded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// The ticket that the run read.
    pub before: Ticket,
    /// The ticket afterwards, none if it was closed. After a dry run, as it would be.
    pub after: Option<Ticket>,
    /// JSON for the caller.
    pub output: String,
    /// What the run recorded. Of a run that closed the ticket, nothing of it was written.
    pub changes: Vec<Change>,
    /// The workflow's own lines: data, not to be trusted.
    pub log: Vec<String>,
    /// Lines that were over the limits of the log.
    pub log_dropped: u64,
    /// The grants that it made use of.
    pub used: BTreeSet<Grant>,
    /// The tools that it asked for and was not granted, as grants: at most 16.
    pub refused: BTreeSet<Grant>,
    /// What the last attempt took.
    pub spent: Spent,
    /// How often the workflow ran: more than once after lost races.
    pub attempts: u32,
}

/// What one attempt took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spent {
    /// Time, calls of the host included, the store's own calls not.
    pub time: Duration,
    /// Instructions, about; none where they are not counted.
    pub fuel: Option<u64>,
    /// Most memory, in bytes.
    pub memory_bytes: usize,
    /// Calls of the host.
    pub host_calls: u64,
}
