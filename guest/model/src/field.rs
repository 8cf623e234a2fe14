//! The names of the fields of a stored ticket.

/// What the agent has learnt: a JSON object.
pub const FACTS: &str = "facts";
/// What the user said: a JSON array.
pub const HISTORY: &str = "history";
/// What the agent decided last: JSON.
pub const LAST_DECISION: &str = "last_decision";
/// When the ticket was created, in decimal Unix seconds.
pub const CREATED_AT: &str = "created_at";
/// When it was changed last, in decimal Unix seconds.
pub const UPDATED_AT: &str = "updated_at";
/// The schema version, a decimal number.
pub const VERSION: &str = "version";

/// All fields of a ticket of the current schema, in the order of snapshots.
pub const ALL: [&str; 6] = [FACTS, HISTORY, LAST_DECISION, CREATED_AT, UPDATED_AT, VERSION];

/// The schema version that is written.
pub const SCHEMA_VERSION: u32 = 1;
/// [`SCHEMA_VERSION`] as it is stored.
pub const SCHEMA_VERSION_TEXT: &str = "1";
