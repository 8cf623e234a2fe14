//! An example workflow for an airline's agent: finds in the conversation what a cancellation needs, asks for what is
//! missing, and decides on the refund.
//!
//! `slots` and `refund` are plain Rust that also runs natively; only `component` knows that they become a component.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the generated bindings read and write linear memory")]
mod component;
mod refund;
mod slots;

pub use refund::{Booking, Cabin, Decision, Reason, decide};
pub use slots::{Slot, Slots};
