//! Builds every component under `guest/` and records what it was built from.
//!
//! [`sources`] finds the components and names what they are made of by one digest, [`product`] says what is kept of
//! them, alone or put together, [`toolchain`] finds compilers, [`build`] and [`compose`] make the bytes, [`record`]
//! keeps them in `guest/dist` with what is known of them.
//! The same sources and compiler give the same bytes in whatever folder, which `build-components --check`
//! and the tests of this crate rely on.

pub mod build;
pub mod compose;
pub mod product;
pub mod record;
pub mod sources;
pub mod toolchain;

use std::path::{Path, PathBuf};

/// What all components are compiled for: WebAssembly with nothing around it, no WASI.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The root of the workspace that this crate stands in.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
