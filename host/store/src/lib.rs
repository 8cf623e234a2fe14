//! Stores for tickets: one contract, and three implementations of it.
//!
//! Start with [`open`], which turns a URL into a store, or with [`Store`], the contract: its documentation lists the
//! promises of every store and contains a complete example. The tests of the promises are public in
//! `ticket-conformance`, so a store of your own can be checked by them.
//!
//! | module | what it contains |
//! |---|---|
//! | `contract`, `promises`, [`limits`] | [`Store`], what every store guarantees ([`PROMISES`]), the limits |
//! | `key`, `fields`, `entry`, `revision` | what a store contains and returns: [`Key`], [`Fields`], [`Entry`], [`Revision`] |
//! | `error`, `misconfiguration`, `health` | [`Error`] and its [`Kind`], [`Misconfiguration`], [`Health`] |
//! | [`deadline`], [`clock`] | how a write chooses its deadline, and where the time comes from |
//! | `open`, `written_url`, `file_url`, `options` | [`open`], [`sqlite_path`] and [`Options`] |
//! | `memory` | [`MemoryStore`]: entries in this process |
//! | `sqlite`, [`database`] | [`SqliteStore`]: entries in one file, and SQLite files for other purposes |
//! | `primary` | [`Primary`]: calls that are sent once, for a fallback or for retries |
//! | `retrying` | [`RetryingStore`]: a store over a primary, with retries and last known entries |
//! | `redis` | [`RedisPrimary`] and [`RedisStore`], a [`RetryingStore`] over it |
//! | [`keyed_lock`], [`operation`], `recently_used` | for those who call stores: a lock per ticket, the deadline of an operation, a bounded map |

pub mod clock;
mod contract;
pub mod deadline;
mod entry;
mod error;
mod fields;
mod file_url;
mod health;
mod key;
pub mod keyed_lock;
mod last_known;
pub mod limits;
mod memory;
mod misconfiguration;
mod open;
pub mod operation;
mod options;
mod primary;
mod promises;
mod recently_used;
mod redis;
mod retrying;
mod revision;
mod sqlite;
mod text;
mod written_url;

pub use contract::{SharedStore, Store};
pub use entry::{Condition, Entry, Freshness, Outcome, Page};
pub use error::{Error, Kind};
pub use fields::{Fields, check_fields};
pub use file_url::sqlite_path;
pub use health::{Finding, Health, Severity};
pub use key::{Key, KeyNames, Namespace};
pub use limits::{ENTRY_BYTES_MAX, PAGE_KEYS_MAX, TTL_MS_MAX, TTL_MS_MIN, check_limit, check_ttl};
pub use memory::MemoryStore;
pub use misconfiguration::{CertificateFault, Misconfiguration};
pub use open::open;
pub use options::Options;
pub use primary::{
    Answer, Cause, Connected, DatasetId, Evictions, Expiry, Failure, HandshakeError, LinkId, Primary, Reconnect,
    WriteRequest,
};
pub use promises::PROMISES;
pub use recently_used::RecentlyUsed;
pub use redis::{Connector, RedisPrimary, RedisStore, Stream};
pub use retrying::RetryingStore;
pub use revision::Revision;
pub use sqlite::{SqliteStore, database};
pub use text::{excerpt, printable};
pub use ticket_model::id::{decode_id, encode_id};
pub use written_url::is_remote;
