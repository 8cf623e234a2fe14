//! Where a store under test keeps its entries, and how a test reaches them: what the author of a store gives the kit.

use std::fmt;

use async_trait::async_trait;

use ticket_host::store::{Error, Fields, Namespace, Revision, SharedStore};
use ticket_store::clock::ManualClock;

/// Why a test cannot go on: what reaches the entries behind the store's back does not work.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where a store keeps its entries.
#[async_trait]
pub trait TestBackend: fmt::Debug + Send + Sync + 'static {
    /// A handle to the entries of a namespace; where the store has files or connections, with ones of its own.
    /// All handles of one namespace see the same entries. None is the plain names, asked for only where
    /// [`TestBackend::is_private`].
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error>;

    /// The clock that ends entries, which tests move by hand; none where the store goes by a time of its own, which
    /// needs a [`TestBackend::raw_client`] that reads it and brings deadlines nearer.
    fn clock(&self) -> Option<&ManualClock>;

    /// Whether nobody else has anything there, so that names without a namespace may be used.
    fn is_private(&self) -> bool;

    /// What reaches the entries behind the store's back; none where nothing can, as in the memory of a process.
    fn raw_client(&self) -> Option<&dyn RawClient>;
}

/// A foreign hand: what other programs do to the entries of a store, and what they see there.
///
/// A name is what stands in the store: the key, after the namespace and a colon where there is one.
#[async_trait]
pub trait RawClient: Send + Sync {
    /// Milliseconds since the Unix epoch by the time that ends entries.
    async fn now_ms(&self) -> Result<u64, BoxError>;

    /// Makes the deadlines of all names that begin so earlier, in place of time that passes.
    async fn bring_nearer(&self, prefix: &str, ms: u64) -> Result<(), BoxError>;

    /// Makes `fields` the whole entry, or adds them to it where `adds`; it ends in `ttl_ms` milliseconds.
    async fn write(&self, name: &str, fields: &Fields, ttl_ms: u64, adds: bool) -> Result<(), BoxError>;

    /// Removes whatever is there.
    async fn delete(&self, name: &str) -> Result<(), BoxError>;

    /// Takes the deadline from an entry.
    async fn lose_deadline(&self, name: &str) -> Result<(), BoxError>;

    /// What may be left there that cannot be read as text fields.
    fn damages(&self) -> &'static [Damage];

    /// Leaves one of [`RawClient::damages`] there, whatever was there before.
    async fn damage(&self, name: &str, damage: Damage) -> Result<(), BoxError>;

    /// Leaves names that belong to no ticket, `prefix` before each.
    async fn plant_names(&self, prefix: &str, names: &[&str]) -> Result<(), BoxError>;

    /// All that can be seen there, content and then deadline after the first space, as text to compare.
    async fn seen(&self, name: &str) -> Result<String, BoxError>;

    /// The entry's fields as any program reads them; none where there is no entry.
    async fn fields(&self, name: &str) -> Result<Option<Fields>, BoxError>;

    /// The revision of what is there, which the store does not get to know of; none where nothing is.
    async fn revision(&self, name: &str) -> Result<Option<Revision>, BoxError>;

    /// All names that begin so, in order; `alive` leaves out those that have ended.
    async fn names(&self, prefix: &str, alive: bool) -> Result<Vec<String>, BoxError>;
}

/// What a foreign program may leave that cannot be read as text fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Redis: a string.
    String,
    /// Redis: a list.
    List,
    /// Redis: a set.
    Set,
    /// Redis: a sorted set.
    SortedSet,
    /// Redis: a stream.
    Stream,
    /// A text that is not UTF-8.
    TextNotUtf8,
    /// A field name that is not UTF-8.
    NameNotUtf8,
    /// SQLite: an entry without fields.
    NoField,
    /// SQLite: a deadline before the beginning of time.
    NegativeDeadline,
}
