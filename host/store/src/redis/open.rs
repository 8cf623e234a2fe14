//! The Redis store that people open by a URL.

use super::handshake::Role;
use super::primary::RedisPrimary;
use crate::error::Error;
use crate::options::Options;
use crate::retrying::RetryingStore;

/// Entries in a Redis or Valkey server. A clone is another handle to the same connection.
pub type RedisStore = RetryingStore<RedisPrimary>;

impl RetryingStore<RedisPrimary> {
    /// Connects, and checks that the server is compatible: its version, and a write that leaves nothing. A server that
    /// refuses writes (a replica, memory full, saving fails) is opened for reads.
    ///
    /// # Errors
    /// - `Invalid`: the URL is not a Redis URL.
    /// - `Denied`: the server is not Redis, is older than 7.0, or forbids a command that the store needs.
    /// - `Unavailable`: the server cannot be reached or does not serve now.
    pub async fn open(url: &str, options: &Options) -> Result<Self, Error> {
        let primary = RedisPrimary::new(url, None, options)?;
        primary.shake_hands(Role::Any).await.map_err(|handshake| handshake.error)?;
        Ok(Self::new(primary, options))
    }
}
