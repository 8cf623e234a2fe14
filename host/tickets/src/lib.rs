//! Tickets for Rust programs: the state of a conversation between an agent and a user, in Redis, SQLite or memory.
//!
//! A ticket has facts, a history and a last decision, all of them JSON as text. It expires some time after its last
//! change. Every operation is atomic, also with many clients, and while Redis is down a fallback serves.
//!
//! ```
//! use serde_json::json;
//! use ticket_host::{Change, Tickets};
//!
//! # async fn agent() -> Result<(), ticket_host::Error> {
//! let tickets = Tickets::open("memory:").await?; // or sqlite:tickets.db, redis://127.0.0.1/
//! let ticket = tickets.create(None, &[Change::say("I need a flight to Seattle.")]).await?;
//! let before = tickets.snapshot(&ticket.id).await?;
//! let changes = [Change::learn(&json!({"city": "Seattle"})), Change::decide(&json!({"tool": "search"}))];
//! let ticket = tickets.apply(&ticket.id, &changes, None).await?;
//! assert_eq!(ticket.facts, r#"{"city":"Seattle"}"#);
//! let ticket = tickets.rollback(&ticket.id, &before, Some(&ticket.revision)).await?;
//! assert_eq!(ticket.facts, "{}");
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(agent()).unwrap();
//! ```
//!
//! # Opening
//!
//! [`Tickets::open`] takes a store URL and the defaults. [`Tickets::builder`] sets the time to live, the deadline of an
//! operation, [`Limits`], a namespace and the [`Fallback`]:
//!
//! ```
//! use std::time::Duration;
//! use ticket_host::store::Namespace;
//! use ticket_host::{Fallback, Limits, Tickets};
//!
//! # async fn service() -> Result<(), ticket_host::Error> {
//! let tickets = Tickets::builder("memory:")
//!     .namespace(Namespace::parse("shop")?)
//!     .ttl(Duration::from_secs(3_600))
//!     .deadline(Duration::from_millis(150))
//!     .limits(Limits::default().message_bytes_max(16 * 1024))
//!     .fallback(Fallback::memory())
//!     .open()
//!     .await?;
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(service()).unwrap();
//! ```
//!
//! # Working with tickets
//!
//! [`Tickets`] has all operations. They take [`Change`]s and return a [`Ticket`]. Its `revision` makes a later change
//! conditional: if another client was first, the change is refused with [`Error::Conflict`], which has the current
//! ticket. A snapshot is a text that brings a ticket back, by [`Tickets::rollback`] or, after it has ended, by
//! [`Tickets::restore`].
//!
//! # Errors
//!
//! [`Error`] has one variant for each thing that a caller can do. After all but [`Error::Uncertain`] and
//! [`Error::Internal`] nothing was written. The error of the store is the [source](std::error::Error::source).
//!
//! # Outages
//!
//! While a Redis server is down, the fallback serves from this host's copies: [`Ticket::served_by`] tells. When the server
//! is up again, pending changes are synced and merged with those of other hosts. [`Tickets::fallback`] has the status,
//! the events, the branches (conflict copies) and the shutdown; see [`fallback`].
//!
//! # Stores of one's own
//!
//! [`Tickets::builder_over`] takes anything that implements [`store::Store`]. [`Tickets::builder_over_primary`] puts a
//! fallback over a [`store::Primary`].
//!
//! # Modules
//!
//! | module | what it has |
//! |---|---|
//! | `builder`, `settings` | [`TicketsBuilder`], [`Fallback`], [`Limits`] |
//! | `tickets`, `ticket`, `error` | [`Tickets`], [`Ticket`], [`Change`], [`Error`] |
//! | `merge` | [`merge()`]: the engine's merge for a fallback that is opened without [`Tickets`] |
//! | [`workflow`] | components of others that act on one ticket, all or nothing |
//! | `engine` | the engine, a WebAssembly component: its image, its pool of instances, and the host functions it imports |
//! | `image_folder` | where compiled components are kept between processes |
//! | [`store`] | the crate `ticket-store`: the contract, memory, SQLite, Redis |
//! | [`fallback`] | the crate `ticket-fallback` |
#![deny(missing_docs)]

mod builder;
mod engine;
mod error;
mod image_folder;
mod merge;
mod settings;
mod ticket;
mod tickets;
pub mod workflow;

pub use ticket_fallback as fallback;
pub use ticket_store as store;
pub use ticket_store::{clock, decode_id, encode_id};

pub use builder::{Fallback, OverPrimary, StoreUrl, TicketsBuilder};
pub use error::{BoxError, Error, Reason};
pub use merge::merge;
pub use settings::{DEFAULT_TTL, Limits};
pub use ticket::{
    Bounds, Change, Effect, Fact, IdPage, Merged, Messages, Put, ServedBy, Side, State, Summary, SummaryPage, Ticket,
};
pub use tickets::Tickets;
