//! For tests: a component between the engine and what lends it a store; its host says what happens at a call.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the generated bindings read and write linear memory")]
mod component;
