//! The limits of every store.

use crate::error::{Error, Kind};

/// Most bytes of one entry that a store accepts, names and texts together.
///
/// Four times the limit of a ticket: an entry to which another client added fields can still be read, and its size is
/// far below what one Redis value or one SQLite row can hold.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Shortest TTL: clocks differ, and an agent cannot keep a conversation in less than a second.
pub const TTL_MS_MIN: u64 = 1_000;
/// Longest TTL, 366 days; a deadline further ahead is taken for a mistake.
pub const TTL_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;
/// Most keys that one page of a listing is asked for.
pub const PAGE_KEYS_MAX: usize = 10_000;

/// Refuses a TTL outside [`TTL_MS_MIN`] to [`TTL_MS_MAX`].
///
/// # Errors
/// `Invalid`, with the value and the limits.
pub fn check_ttl(ttl_ms: u64) -> Result<(), Error> {
    if (TTL_MS_MIN..=TTL_MS_MAX).contains(&ttl_ms) {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("ttl of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms")))
}

/// The page size of a listing as a `usize`.
///
/// # Errors
/// `Invalid` for less than 1 or more than [`PAGE_KEYS_MAX`] keys.
pub fn check_limit(limit: u32) -> Result<usize, Error> {
    match usize::try_from(limit) {
        Ok(keys) if (1..=PAGE_KEYS_MAX).contains(&keys) => Ok(keys),
        Ok(_) | Err(_) => Err(Error::invalid(format!("limit of {limit} keys is not between 1 and {PAGE_KEYS_MAX}"))),
    }
}
