//! What the routes need of the engine: the functions of `tickets.wit`, where every promise is.

/// One ticket, as it was at `revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// A JSON object.
    pub facts: String,
    /// A JSON array.
    pub history: String,
    /// JSON.
    pub last_decision: String,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
    /// Schema version.
    pub version: u32,
    /// Names this state.
    pub revision: String,
    /// Milliseconds since the epoch; 0 for no deadline.
    pub expires_at_ms: u64,
}

/// One change to a ticket; each holds JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Appends a message.
    Say(String),
    /// Merges facts.
    Learn(String),
    /// Replaces the last decision.
    Decide(String),
}

/// One page of ticket ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPage {
    /// The ids.
    pub ids: Vec<String>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// Why an operation was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input is wrong.
    Invalid(String),
    /// Past a limit.
    TooLarge(String),
    /// The ticket exists already.
    Exists(String),
    /// The ticket does not exist.
    NotFound(String),
    /// Another client was first; the current ticket.
    Conflict(Option<Box<Ticket>>),
    /// What is stored is not a ticket.
    Corrupt(String),
    /// A newer schema version.
    UnsupportedVersion(String),
    /// Forbidden.
    Denied(String),
    /// Not served now; nothing was written.
    Unavailable(String),
    /// The change was made as a whole or not at all.
    Uncertain(String),
}

/// The engine. See the WIT for what each function promises.
pub trait Tickets {
    /// Makes a new ticket.
    fn create(&self, id: Option<&str>, changes: Vec<Change>) -> Result<Ticket, Error>;
    /// Reads a ticket.
    fn get(&self, id: &str) -> Result<Ticket, Error>;
    /// Applies changes.
    fn apply(&self, id: &str, changes: Vec<Change>, at: Option<&str>) -> Result<Ticket, Error>;
    /// Moves the deadline.
    fn touch(&self, id: &str) -> Result<Ticket, Error>;
    /// The whole ticket as a text.
    fn snapshot(&self, id: &str) -> Result<String, Error>;
    /// Brings a snapshot back.
    fn rollback(&self, id: &str, snapshot: &str, at: Option<&str>) -> Result<Ticket, Error>;
    /// Makes the ticket of a snapshot again.
    fn restore(&self, snapshot: &str) -> Result<Ticket, Error>;
    /// Deletes a ticket.
    fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error>;
    /// Lists ids.
    fn list_ids(&self, cursor: Option<&str>) -> Result<IdPage, Error>;
}
