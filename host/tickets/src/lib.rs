//! Lends the ticket engine a store (memory, SQLite, Redis), and gives its operations to Rust programs.
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
//! [`Tickets`] is the door. Behind it the engine, a WebAssembly component, runs in a pool of instances and
//! asks the [`store`] that it is lent. `ARCHITECTURE.md` has the map.
#![deny(missing_docs)]

mod builder;
mod engine;
mod error;
mod merge;
mod settings;
mod ticket;
mod tickets;

pub use ticket_fallback as fallback;
pub use ticket_store as store;
pub use ticket_store::clock;

pub use builder::{Fallback, OverPrimary, StoreUrl, TicketsBuilder};
pub use error::{BoxError, Error, Reason};
pub use merge::merge;
pub use settings::{DEFAULT_TTL, Limits};
pub use ticket::{Change, IdPage, Merged, ServedBy, Side, State, Ticket};
pub use tickets::Tickets;
