//! The limits of a ticket, and their defaults where an operator may set them.

/// Deepest nesting of stored JSON. A conversation's JSON rarely passes ten.
pub const JSON_DEPTH_MAX: u32 = 64;

/// Shortest TTL in milliseconds: below a second an agent cannot keep a conversation, and clocks differ by more.
pub const TTL_MS_MIN: u64 = 1_000;
/// Longest TTL in milliseconds, 366 days; a deadline further ahead is taken for a mistake.
pub const TTL_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;
/// Default TTL in milliseconds: 30 minutes.
pub const TTL_MS: u64 = 30 * 60 * 1_000;

/// Default limit of one message in bytes: a long letter, with room.
pub const MESSAGE_BYTES_MAX: u32 = 64 * 1024;
/// Default limit of the six fields of one ticket in bytes.
pub const TICKET_BYTES_MAX: u32 = 1024 * 1024;
/// Default limit of the entries of one history.
pub const HISTORY_ENTRIES_MAX: u32 = 10_000;

/// Most bytes of one entry, names and texts together, that any store takes: room for what another client added, to be
/// read and named in an error, and far below what one Redis value or one SQLite row holds.
pub const ENTRY_BYTES_MAX: u32 = 16 * 1024 * 1024;
