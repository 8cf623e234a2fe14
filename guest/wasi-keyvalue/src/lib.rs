//! The adapter: the port of the ticket engine over the standard `wasi:keyvalue`, for hosts that have no other store.
//!
//! One entry is one value under its key, compact JSON of a fixed form (see [`value`]):
//! `{"expires_at_ms":1750001800000,"revision":"9f86d081884c7d65","fields":{"facts":"{}"}}`.
//!
//! What `wasi:keyvalue` lacks is made here, and holds as far as this instance is the only one that writes:
//!
//! - A deadline is part of the value and is checked in every call. A value past it is absent, and deleted when it
//!   is read; one that is never read stays in the bucket.
//! - A change is compared with what is there by a read before the write. Two instances, or a foreign client, that
//!   write one key at the same time may overwrite each other unseen.
//! - A listing asks the bucket for all of its names for each page, and for the values of those on the page.
//!
//! Settings are read once from the key `settings` (see [`settings`]). Only `component` makes this a
//! WebAssembly component. Data flows one way: `component` → `adapter` → (`value`, `settings`) → `imports`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adapter;
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the generated bindings read and write linear memory")]
mod component;
mod imports;
pub mod settings;
pub mod value;

pub use adapter::Adapter;
pub use imports::{Imports, StoreError};
