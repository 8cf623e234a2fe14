//! States that were changed on two sides, and what merges them.

use std::pin::Pin;
use std::sync::Arc;

use ticket_store::Error;

/// The mergeable part of a ticket: stored texts and its two times in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// A JSON object.
    pub facts: String,
    /// A JSON array.
    pub history: String,
    /// JSON.
    pub last_decision: String,
    /// When this life of the ticket began.
    pub created_at: u64,
    /// When this state was made.
    pub updated_at: u64,
}

impl State {
    /// The three JSON texts.
    #[must_use]
    pub fn texts(&self) -> [&str; 3] {
        [&self.facts, &self.history, &self.last_decision]
    }
}

/// One of the two states that a merge was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Changed here.
    Ours,
    /// Changed elsewhere.
    Theirs,
}

/// The answer to a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// What the ticket should be.
    pub state: State,
    /// The side of which something is not in `state`; the caller keeps it elsewhere.
    pub branch: Option<Side>,
}

/// Merges two states that came from one: base, ours, theirs. The engine's own function.
pub type Merge =
    Arc<dyn Fn(State, State, State) -> Pin<Box<dyn Future<Output = Result<Merged, Error>> + Send>> + Send + Sync>;
