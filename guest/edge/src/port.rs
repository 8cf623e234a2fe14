//! What the routes need of the engine: the functions of `tickets.wit`, where every promise is.

use ticket_model::ticket::{Applied, Change, Fact, IdPage, Messages, Summary, SummaryPage, Ticket};

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
    fn create(&self, id: Option<&str>, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error>;
    /// Makes a ticket or applies changes to it.
    fn ensure(&self, id: &str, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error>;
    /// Applies changes.
    fn apply(&self, id: &str, changes: Vec<Change>, at: Option<&str>, ttl_ms: Option<u64>) -> Result<Applied, Error>;
    /// Moves the deadline.
    fn touch(&self, id: &str, ttl_ms: Option<u64>) -> Result<Ticket, Error>;
    /// Reads a ticket.
    fn get(&self, id: &str) -> Result<Ticket, Error>;
    /// Whether there is an entry.
    fn exists(&self, id: &str) -> Result<bool, Error>;
    /// Sizes and times.
    fn get_summary(&self, id: &str) -> Result<Summary, Error>;
    /// The newest messages.
    fn get_messages(&self, id: &str, entries_max: u32, bytes_max: Option<u32>) -> Result<Messages, Error>;
    /// One value among the facts.
    fn get_fact(&self, id: &str, pointer: &str) -> Result<Fact, Error>;
    /// The whole ticket as a text.
    fn snapshot(&self, id: &str) -> Result<String, Error>;
    /// Brings a snapshot back.
    fn rollback(&self, id: &str, snapshot: &str, at: Option<&str>) -> Result<Ticket, Error>;
    /// Makes the ticket of a snapshot again.
    fn restore(&self, snapshot: &str) -> Result<Ticket, Error>;
    /// Deletes a ticket.
    fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error>;
    /// Lists ids.
    fn list_ids(&self, prefix: &str, cursor: Option<&str>) -> Result<IdPage, Error>;
    /// Lists tickets without their texts.
    fn list_summaries(&self, prefix: &str, cursor: Option<&str>) -> Result<SummaryPage, Error>;
}
