//! The port: what the engine asks of a host, word for word `key-value.wit` and `environment.wit`.
//!
//! The engine calls it; a host that runs in a component of its own implements it.

/// Names and texts of an entry, each name once.
pub type Fields = Vec<(String, String)>;

/// One entry as it was at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// All of its fields.
    pub fields: Fields,
    /// Names this state.
    pub revision: String,
    /// Milliseconds since the epoch; 0 for no deadline.
    pub expires_at_ms: u64,
}

/// What must hold for a change to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no entry.
    Absent,
    /// There is an entry, whatever it holds.
    Present,
    /// The entry is at this revision.
    At(String),
}

/// How new the answer to a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// At least as new as every change applied before.
    Latest,
    /// A last known copy is enough.
    Recent,
}

/// The answer to a conditional change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the change was made.
    pub applied: bool,
    /// The new state.
    pub revision: Option<String>,
    /// The new deadline; 0 without a new state.
    pub expires_at_ms: u64,
    /// The current entry, if the change was not made.
    pub current: Option<Entry>,
}

/// One page of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// Why the host has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueError {
    /// An argument is malformed.
    Invalid(String),
    /// More bytes than the host stores; its limit.
    TooLarge(u64),
    /// Forbidden.
    Denied(String),
    /// Not served now; nothing was written.
    Unavailable(String),
    /// No answer: the change was made as a whole or not at all.
    Uncertain(String),
    /// Not an entry of text fields.
    Corrupt(String),
}

/// The limits that the host's operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Time to live that every interaction gives.
    pub ttl_ms: u64,
    /// Most bytes of one message.
    pub message_bytes_max: u32,
    /// Most bytes of the six fields together.
    pub ticket_bytes_max: u32,
    /// Most entries of a history.
    pub history_entries_max: u32,
}

/// What a host implements. The WIT has the promises of each function.
pub trait Port {
    /// Reads an entry.
    fn read(&self, key: &str, freshness: Freshness) -> Result<Option<Entry>, KeyValueError>;
    /// Makes `fields` the whole entry, if `when` holds.
    fn write(
        &self,
        key: &str,
        fields: &[(&str, &str)],
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, KeyValueError>;
    /// Moves the deadline, if there is an entry.
    fn touch(&self, key: &str, ttl_ms: u64) -> Result<Outcome, KeyValueError>;
    /// Removes the entry, if `when` holds.
    fn remove(&self, key: &str, when: &Condition) -> Result<Outcome, KeyValueError>;
    /// Lists keys.
    fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, KeyValueError>;
    /// Milliseconds since the epoch.
    fn now_ms(&self) -> u64;
    /// A ticket id that is not in use.
    fn fresh_id(&self) -> String;
    /// The settings in force.
    fn settings(&self) -> Settings;
    /// Whether there is time for attempt number `attempt`; may wait before it answers.
    fn try_again(&self, attempt: u32) -> bool;
}
