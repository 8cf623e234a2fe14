//! The bytes of a component: what can be told before they are compiled.

use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::limits::COMPONENT_BYTES_MAX;

/// The SHA-256 of a component, in hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the bytes begin as a component does, and are not too many.
pub(super) fn check_form(bytes: &[u8]) -> Result<(), LoadError> {
    const MAGIC: &[u8] = b"\0asm";
    const MODULE: &[u8] = &[1, 0, 0, 0];
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: bytes.len(), max: COMPONENT_BYTES_MAX });
    }
    match bytes.strip_prefix(MAGIC) {
        Some(rest) if rest.starts_with(MODULE) => Err(LoadError::NotAComponent(
            "it is a core module, not a component: `wasm-tools component new` makes one of it",
        )),
        Some(_) => Ok(()),
        None => Err(LoadError::NotAComponent("it is not WebAssembly")),
    }
}
