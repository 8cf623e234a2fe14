//! The ticket engine: what a ticket is and every operation on it, over a key-value port.
//!
//! Plain Rust that also runs natively; only `component` knows that it becomes a WebAssembly component.
//! Data flows one way: `component` → `operations` → (`state`, `record`, `snapshot`, `merge`) →
//! `ticket_model`, whose `port` the `operations` call. Nothing here does I/O, reads a clock or keeps state between calls.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the generated bindings read and write linear memory")]
mod component;
mod error;
mod history;
mod merge;
mod migration;
mod operations;
mod patch;
mod pointer;
mod record;
mod snapshot;
mod state;
mod ticket_id;

pub use error::Error;
pub use merge::merge;
pub use operations::Engine;
pub use ticket_model::port::{Condition, Entry, Fields, Freshness, KeyValueError, Outcome, Page, Port, Settings};
pub use ticket_model::ticket::{
    Applied, Bounds, Change, Effect, Fact, IdPage, Merged, Messages, Put, Side, State, Summary, SummaryPage, Ticket,
};
