//! For tests: a component between the engine and its store that injects faults and external writes as its host asks.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the generated bindings read and write linear memory")]
mod component;
