//! What a store is: the contract that memory, SQLite, Redis and every wrapper keep.
//!
//! The trait is `key-value.wit` seen from the host, and its promises are numbered. The test of promise
//! P7 is called `p07_…` and runs on every store. There are no default methods: every store does everything.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub mod clock;
pub mod deadline;
mod entry;
mod error;
mod health;
mod key;
pub mod keyed_lock;
mod memory;
mod open;
pub mod operation;
mod options;
mod primary;
mod promises;
mod recently_used;
mod redis;
mod sqlite;

pub use deadline::{TTL_MS_MAX, TTL_MS_MIN};
pub use entry::{Condition, Content, Entry, Fields, Freshness, Outcome, Page, Revision, check_fields};
pub use error::{Error, Kind};
pub use health::{Finding, Health, Severity};
pub use key::{Key, KeyNames, Namespace, excerpt, printable};
pub use memory::MemoryStore;
pub use open::{is_remote, open};
pub use options::Options;
pub use primary::{Answer, Cause, DatasetId, Expiry, Failure, HandshakeError, Primary, WriteRequest};
pub use promises::PROMISES;
pub use recently_used::RecentlyUsed;
pub use redis::{Connector, RedisStore, Stream};
pub use sqlite::{SqliteStore, database};

/// A store behind the trait; cloning it gives another handle to the same entries.
pub type SharedStore = Arc<dyn Store>;

/// Most bytes of one entry that any store takes: names and texts together.
///
/// Four times what a ticket may be at most: room for what a foreign client added, to be seen and named, and
/// still far below what one Redis value or one SQLite row holds.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A key-value store with deadlines and conditional changes; `Display` names it without secrets.
///
#[doc = promises::promises_table!()]
#[async_trait]
pub trait Store: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Reads an entry.
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error>;

    /// Makes `fields` the whole entry for `ttl_ms` milliseconds, if `when` holds.
    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error>;

    /// Moves the deadline to `ttl_ms` milliseconds from now, if there is an entry.
    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error>;

    /// Removes the entry, if `when` holds.
    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error>;

    /// Lists about `limit` keys, from `cursor` on.
    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error>;

    /// Looks at the store as an operator would: what it is, how fast, and what is wrong with it.
    async fn health(&self) -> Result<Health, Error>;
}

/// The page size of a listing, refused outside 1 to 10,000.
pub fn check_limit(limit: u32) -> Result<usize, Error> {
    const LIMIT_MAX: usize = 10_000;
    match usize::try_from(limit) {
        Ok(keys) if (1..=LIMIT_MAX).contains(&keys) => Ok(keys),
        Ok(_) | Err(_) => Err(Error::invalid(format!("limit of {limit} keys is not between 1 and {LIMIT_MAX}"))),
    }
}
