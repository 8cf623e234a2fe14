//! Plain types of a ticket, without behaviour; JSON is text.

/// One ticket, as it was at `revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// What it holds.
    pub state: State,
    /// Names this state.
    pub revision: String,
    /// Milliseconds since the epoch; 0 for no deadline.
    pub expires_at_ms: u64,
}

/// One page of ticket ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPage {
    /// The ids.
    pub ids: Vec<String>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// What a ticket is, apart from its id and its place in a store: stored texts and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// A JSON object.
    pub facts: String,
    /// A JSON array.
    pub history: String,
    /// JSON.
    pub last_decision: String,
    /// Unix seconds; never changes after creation.
    pub created_at: u64,
    /// Unix seconds of the last change.
    pub updated_at: u64,
}

/// One change to a ticket; each holds JSON text from the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Appends a message, a string or an object.
    Say(String),
    /// Merges facts by a merge patch.
    Learn(String),
    /// Replaces the last decision.
    Decide(String),
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
    /// The new state of the ticket.
    pub state: State,
    /// The side with content that is not in `state`; the caller keeps it as a conflict copy.
    pub branch: Option<Side>,
}
