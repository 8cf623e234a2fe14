//! What the author of a store gives the kit: how to open the store, and how to reach its entries without it.

use std::fmt;

use async_trait::async_trait;
use ticket_host::store::{Error, Fields, Namespace, Revision, SharedStore};
use ticket_store::clock::ManualClock;

/// Any error, boxed: why a check cannot continue, for example because the raw client cannot reach the entries.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Time to live of external writes, in milliseconds.
pub const EXTERNAL_TTL_MS: u64 = 1_800_000;

/// A backend under test: where a store keeps its entries.
#[async_trait]
pub trait TestBackend: fmt::Debug + Send + Sync + 'static {
    /// Opens a handle to the entries of a namespace, with files or connections of its own if the store has any.
    ///
    /// All handles of one namespace see the same entries. `None` means names without a namespace; the kit asks for it
    /// only if [`TestBackend::is_private`].
    ///
    /// # Errors
    /// If the store cannot be opened.
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error>;

    /// The clock that ends entries, for the checks to move.
    ///
    /// `None` if the store uses a clock that cannot be moved. Then [`TestBackend::raw_client`] must read that clock and
    /// advance deadlines.
    fn clock(&self) -> Option<&ManualClock>;

    /// Whether no one else has entries there, so that names without a namespace may be used.
    fn is_private(&self) -> bool;

    /// A client that reaches the entries without the store. `None` if there can be none, as for memory of this process.
    fn raw_client(&self) -> Option<&dyn RawClient>;
}

/// A raw client: another program that reads and writes the entries of a store.
///
/// A `name` is the complete name in the backend: the key, after the namespace and a colon if there is a namespace.
#[async_trait]
pub trait RawClient: Send + Sync {
    /// Milliseconds since the Unix epoch by the clock that ends entries.
    async fn now_ms(&self) -> Result<u64, BoxError>;

    /// Makes the deadlines of all names with this prefix earlier by `ms`, in place of time that passes.
    async fn advance_deadlines(&self, prefix: &str, ms: u64) -> Result<(), BoxError>;

    /// Writes `fields` with a deadline in `ttl_ms` milliseconds. Other fields of the entry stay if `keep_others`, and
    /// go otherwise.
    async fn write(&self, name: &str, fields: &Fields, ttl_ms: u64, keep_others: bool) -> Result<(), BoxError>;

    /// Removes whatever has this name.
    async fn delete(&self, name: &str) -> Result<(), BoxError>;

    /// Removes the deadline of an entry.
    async fn clear_deadline(&self, name: &str) -> Result<(), BoxError>;

    /// The kinds of damage that this backend can contain.
    fn damages(&self) -> &'static [Damage];

    /// Replaces whatever has this name by one of [`RawClient::damages`].
    async fn damage(&self, name: &str, damage: Damage) -> Result<(), BoxError>;

    /// Adds names that belong to no ticket, with `prefix` before each.
    async fn add_names(&self, prefix: &str, names: &[&str]) -> Result<(), BoxError>;

    /// Everything about a name as text to compare: the deadline up to the first space, then the content.
    async fn dump(&self, name: &str) -> Result<String, BoxError>;

    /// The fields of an entry; `None` if there is none.
    async fn fields(&self, name: &str) -> Result<Option<Fields>, BoxError>;

    /// The revision of an entry, computed without the store; `None` if there is no entry.
    async fn revision(&self, name: &str) -> Result<Option<Revision>, BoxError>;

    /// All names with this prefix, sorted; with `live_only`, without expired ones.
    async fn names(&self, prefix: &str, live_only: bool) -> Result<Vec<String>, BoxError>;
}

/// Content of a backend that cannot be read as text fields, as another client may leave it.
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
    /// SQLite: a negative deadline.
    NegativeDeadline,
}
