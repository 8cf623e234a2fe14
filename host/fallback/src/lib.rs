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
//! | `record` | what does this host know of one ticket, and how does an event change it? | pure |
//! | `supervisor`, `pacer` | when to connect, and what to do then | `pacer` is pure |
//! | `sync_batch`, `sync` | syncing all pending tickets, and one | |
//! | `resolve`, `resolution` | what is sent next, and what does an answer mean? | pure |
//! | `merge`, `merge_base` | the function that merges; from which state did two states begin to differ? | pure |
//! | `data_loss`, `after_loss` | what did the primary lose, and what does that mean for a record? | `after_loss` is pure |
//! | `branches`, `apply_branch` | the conflict copies, and merging one into its ticket | |
//! | `outage` | is the primary down, or misconfigured? | pure |
//! | `evictions` | has the primary evicted entries? | |
//! | `status` | what an operator sees: status, events, log lines | |
//!
//! The tables of states are in `breaker`, `record`, `resolve` and `after_loss`. `docs/fallback.md` describes the way of
//! a change through an outage, and the known gaps.

mod after_loss;
mod apply_branch;
mod branches;
mod breaker;
mod calls;
mod changes;
mod copies;
mod data_loss;
mod evictions;
#[cfg(test)]
mod fixtures;
mod link;
mod merge;
mod merge_base;
mod options;
mod outage;
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
pub use options::{Options, ReplicaStorage};
pub use outage::Outage;
pub use status::{Event, Status, SyncReport};
pub use store::{FallbackStore, ShutdownReport};
pub use ticket_model::ticket::{Merged, Side, State};
