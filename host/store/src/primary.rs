//! What a fallback, or a store with retries, needs of the store below it: calls that are sent once, with a deadline
//! chosen by the caller.
//!
//! A call of a [`Primary`] never connects and is never repeated. [`RedisPrimary`](crate::RedisPrimary) is one.

use std::fmt;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::deadline;
use crate::entry::{Condition, Entry, Page};
use crate::error::Error;
use crate::fields::Fields;
use crate::health::Health;
use crate::key::Key;
use crate::limits::TTL_MS_MIN;
use crate::misconfiguration::Misconfiguration;
use crate::revision::Revision;

/// Why a call of a primary has no answer.
#[derive(Debug)]
pub struct Failure {
    /// The error; of kind `Uncertain` if a change may have been applied.
    pub error: Error,
    /// What it says about the primary.
    pub cause: Cause,
}

/// What a failed call says about its primary.
///
/// Exhaustive on purpose: callers must decide for every cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no link, or it was lost before the answer.
    Link,
    /// There was no answer in time.
    Time,
    /// The primary answered, but a new link may lead to one that serves: it is read-only, asks for a login, is a node of
    /// a cluster, or gives unexpected replies.
    Reconnect,
    /// The primary refused the call: it is loading, or forbids it.
    Refused,
    /// The primary refused a change and answers reads: its memory is full, or it cannot save.
    Unwritable,
    /// The primary serves, but this call or the stored entry is invalid.
    Data,
}

/// The answer of a primary to a change.
///
/// Exhaustive on purpose: callers must handle every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Applied now, or by the same call when it was sent before.
    Written {
        /// The new revision.
        revision: Revision,
        /// The new deadline.
        expires_at_ms: u64,
        /// The primary's time of the answer.
        now_ms: u64,
    },
    /// The entry is removed.
    Removed,
    /// The condition does not hold: the current entry, or none.
    Refused(Option<Entry>),
    /// The deadline is past or too far ahead by the primary's clock, which shows this time.
    Clock(u64),
}

/// The data set that a primary serves: another one if the server was restarted or replaced; none if it does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetId(pub Option<String>);

/// What a primary has deleted before its deadline, because its memory was full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evictions {
    /// Entries of all clients since the current link was opened.
    pub entries: u64,
    /// By which policy, in the words of the primary.
    pub policy: String,
}

/// Why a handshake failed.
#[derive(Debug)]
pub struct HandshakeError {
    /// What is wrong.
    pub error: Error,
    /// Whether no setting of the server helps: it is not Redis, is too old, or is a node of a cluster.
    pub is_incompatible: bool,
}

impl From<Error> for HandshakeError {
    /// Why a server does not serve, unless the error says that it is a node of a cluster: then it is incompatible.
    fn from(error: Error) -> Self {
        let is_incompatible = error.misconfiguration() == Some(&Misconfiguration::Cluster);
        Self { error, is_incompatible }
    }
}

/// A deadline that the caller chose, and what the primary needs to check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The deadline, in milliseconds since the epoch by the primary's clock.
    pub expires_at_ms: u64,
    /// The time to live that it was chosen for.
    pub ttl_ms: u64,
}

impl Cause {
    /// Whether the answer was lost, so that the same call sent again may bring it.
    #[must_use]
    pub fn is_unanswered(self) -> bool {
        matches!(self, Self::Link | Self::Time)
    }
}

impl Expiry {
    /// The deadline of a change at `now_ms` of an entry whose deadline was `previous_ms`; 0 for none.
    #[must_use]
    pub fn choose(now_ms: u64, ttl_ms: u64, previous_ms: u64) -> Self {
        Self { expires_at_ms: deadline::choose(now_ms, ttl_ms, previous_ms), ttl_ms }
    }

    /// A deadline that was chosen before, to be stored as it is.
    #[must_use]
    pub fn fixed(expires_at_ms: u64) -> Self {
        Self { expires_at_ms, ttl_ms: TTL_MS_MIN }
    }
}

/// One sending of a write.
#[derive(Clone, Copy, Debug)]
pub struct WriteRequest<'a> {
    /// The entry.
    pub key: &'a Key,
    /// All fields of the new entry.
    pub fields: &'a Fields,
    /// The entry that they replace, if the caller knows it: equal fields need not be sent.
    pub base: Option<&'a Entry>,
    /// The new deadline.
    pub expiry: Expiry,
    /// What must hold for the write to be applied.
    pub condition: &'a Condition,
    /// Whether the same write was sent before and its answer was lost. If it was applied then, the answer is `Written`.
    pub repeated: bool,
}

/// A store behind a link that can be lost. `Display` names it without secrets.
#[async_trait]
pub trait Primary: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Identifies the store, without secrets: two primaries of one identity have the same tickets.
    fn identity(&self) -> String;

    /// The primary's time, from its last answer and the time since; none before the first answer.
    fn now_ms(&self) -> Option<u64>;

    /// Opens a new link in place of the current one and checks the primary, with a write that leaves nothing. The write
    /// may fail with [`Cause::Unwritable`]: the primary answers reads then.
    ///
    /// # Errors
    /// If the primary cannot be reached, or is not compatible; then there is no link.
    async fn handshake(&self) -> Result<DatasetId, HandshakeError>;

    /// Closes the link.
    fn disconnect(&self);

    /// Ends when the link has ended, at once if there is none.
    async fn disconnected(&self);

    /// Asks the primary for its time, which shows that it serves.
    async fn ping(&self, until: Instant) -> Result<(), Failure>;

    /// Reads an entry, as [`Store::read`](crate::Store::read).
    async fn read(&self, key: &Key, until: Instant) -> Result<Option<Entry>, Failure>;

    /// Makes fields the whole entry until a deadline, if the condition holds.
    async fn write(&self, request: WriteRequest<'_>, until: Instant) -> Result<Answer, Failure>;

    /// Sets the deadline, if there is an entry, and only if it has the revision `from`, if one is given.
    async fn touch(
        &self,
        key: &Key,
        expiry: Expiry,
        from: Option<&Revision>,
        until: Instant,
    ) -> Result<Answer, Failure>;

    /// Removes the entry, if the condition holds. The answer to a `repeated` call is `Removed` if there is no entry.
    async fn remove(&self, key: &Key, condition: &Condition, repeated: bool, until: Instant)
    -> Result<Answer, Failure>;

    /// Lists keys, as [`Store::scan`](crate::Store::scan).
    async fn scan(&self, cursor: Option<&str>, limit: u32, until: Instant) -> Result<Page, Failure>;

    /// Checks the primary, as [`Store::health`](crate::Store::health), over the current link or one that is closed after.
    async fn health(&self) -> Result<Health, Error>;

    /// Asks the primary what it has evicted; none if it does not tell. No caller waits for the answer.
    async fn evictions(&self, until: Instant) -> Result<Option<Evictions>, Error>;
}

/// One link of a primary; a later one has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId(pub u64);

/// A link that calls may use.
#[derive(Clone, Copy, Debug)]
pub struct Connected {
    /// The link.
    pub link: LinkId,
    /// The primary's time.
    pub now_ms: u64,
}

/// A primary whose callers may open the link themselves, without a handshake.
#[async_trait]
pub trait Reconnect: Primary {
    /// The current link, or a new one if there is none or it has ended. Concurrent callers share one attempt.
    ///
    /// # Errors
    /// `Unavailable` if the primary cannot be reached, `Denied` if it refuses the login.
    async fn connect(&self) -> Result<Connected, Error>;

    /// Closes the link, if it is the current one and not an older one.
    fn disconnect_from(&self, link: LinkId);
}
