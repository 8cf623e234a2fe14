//! The limits of every store.

pub use ticket_model::limits::{TTL_MS_MAX, TTL_MS_MIN};

use crate::error::{Error, Kind};

/// Most bytes of one entry that a store accepts, names and texts together, as in [`ticket_model::limits`].
pub const ENTRY_BYTES_MAX: usize = ticket_model::limits::ENTRY_BYTES_MAX as usize;
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
