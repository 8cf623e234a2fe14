//! What a fallback needs of the store that it stands in for: single sendings, with a deadline named by the caller.
//!
//! A primary never connects on a caller's way and never repeats a call: that is the supervisor's and the
//! reconciliation's affair. [`super::RedisStore`] is one; the tests have another.

use std::fmt;

use async_trait::async_trait;
use tokio::time::Instant;

use super::deadline::{self, TTL_MS_MIN};
use super::entry::{Condition, Content, Entry, Page, Revision};
use super::error::Error;
use super::health::Health;
use super::key::Key;

/// Why a single sending to a primary gave no answer.
#[derive(Debug)]
pub struct Failure {
    /// The error to show; of kind `Uncertain` where a change may have been made.
    pub error: Error,
    /// What it says about the primary.
    pub cause: Cause,
}

/// What a failed call says about its primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The connection is refused or lost.
    Link,
    /// There was no answer in time.
    Time,
    /// The primary refused to serve: full, read-only, loading, forbidden.
    Refused,
    /// The primary serves; it is this entry or this call that cannot be.
    Data,
}

/// The answer of a primary to a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Made, or found as made by the same call before: the new state.
    Written {
        /// Its revision.
        revision: Revision,
        /// Its deadline.
        expires_at_ms: u64,
        /// The primary's time of the answer.
        now_ms: u64,
    },
    /// The entry is gone.
    Removed,
    /// The condition does not hold; what is there instead.
    Refused(Option<Entry>),
    /// The deadline is in the past or too far ahead by the primary's clock, which shows this.
    Clock(u64),
}

/// The data set that a primary serves: another one where the server started anew or another took over; none where it
/// does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetId(pub Option<String>);

/// Why a primary does not qualify.
#[derive(Debug)]
pub struct HandshakeError {
    /// What is wrong.
    pub error: Error,
    /// Whether waiting cannot mend it: it is no Redis, or too old.
    pub is_incompatible: bool,
}

/// A deadline that the caller names, and what the primary needs to check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The deadline, in milliseconds since the epoch by the primary's clock.
    pub expires_at_ms: u64,
    /// The time to live that it was named for.
    pub ttl_ms: u64,
}

impl Expiry {
    /// The deadline of a change at `now_ms` of an entry that ended at `previous_ms` before; 0 for none.
    pub fn name(now_ms: u64, ttl_ms: u64, previous_ms: u64) -> Self {
        Self { expires_at_ms: deadline::name(now_ms, ttl_ms, previous_ms), ttl_ms }
    }

    /// A deadline that was named before, to be stored as it is.
    pub fn named(expires_at_ms: u64) -> Self {
        Self { expires_at_ms, ttl_ms: TTL_MS_MIN }
    }
}

/// One sending of a write.
#[derive(Clone, Copy, Debug)]
pub struct WriteRequest<'a> {
    /// The entry.
    pub key: &'a Key,
    /// What becomes the whole entry.
    pub content: Content<'a>,
    /// Until when.
    pub expiry: Expiry,
    /// What must hold.
    pub condition: &'a Condition,
    /// Whether this very write was sent before and its answer was lost: if it was applied then, it is found and
    /// acknowledged.
    pub repeated: bool,
}

/// A store behind a link that can be lost; `Display` names it without secrets.
#[async_trait]
pub trait Primary: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Tells this store from any other, without secrets: two primaries of one identity have the same tickets.
    fn identity(&self) -> String;

    /// The primary's time, as it was measured last and has gone on since; none before it was ever heard.
    fn now_ms(&self) -> Option<u64>;

    /// Makes a new link in place of the old one and proves it by a write that leaves nothing.
    async fn handshake(&self) -> Result<DatasetId, HandshakeError>;

    /// Gives the link up.
    fn disconnect(&self);

    /// Ends when the link has ended, at once where there is none.
    async fn disconnected(&self);

    /// Asks for a sign of life, and measures the primary's clock.
    async fn ping(&self, until: Instant) -> Result<(), Failure>;

    /// Reads an entry.
    async fn read(&self, key: &Key, until: Instant) -> Result<Option<Entry>, Failure>;

    /// Makes fields the whole entry up to a deadline, if the condition holds.
    async fn write(&self, request: WriteRequest<'_>, until: Instant) -> Result<Answer, Failure>;

    /// Moves the deadline, if there is an entry, and only from the state `from` where that is given.
    async fn touch(
        &self,
        key: &Key,
        expiry: Expiry,
        from: Option<&Revision>,
        until: Instant,
    ) -> Result<Answer, Failure>;

    /// Removes the entry, if `when` holds. A `repeated` call is content to find nothing.
    async fn remove(&self, key: &Key, when: &Condition, repeated: bool, until: Instant) -> Result<Answer, Failure>;

    /// Lists keys, as [`super::Store::scan`].
    async fn scan(&self, cursor: Option<&str>, limit: u32, until: Instant) -> Result<Page, Failure>;

    /// Looks at the primary as its operator would, over the link there is or one that is given up after.
    async fn health(&self) -> Result<Health, Error>;
}
