//! Builds every component under `guest/` and records what it was built from.
//!
//! [`sources`] finds the components and names what they are made of by one digest, [`product`] says what is kept of
//! them, alone or put together, [`toolchain`] finds compilers, [`build`] and [`compose`] make the bytes, [`record`]
//! keeps them in `guest/dist` with what is known of them.
//! The same sources and compiler give the same bytes in every folder, which `build-components --check`
//! and the tests of this crate rely on.

pub mod build;
pub mod compose;
pub mod product;
pub mod record;
pub mod sources;
pub mod toolchain;
