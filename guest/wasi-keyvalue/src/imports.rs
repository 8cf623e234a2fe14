//! What the adapter imports: one bucket, a clock and randomness, as WASI has them.

/// Why the bucket has no answer, as `wasi:keyvalue/store.error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The host has no bucket of this name.
    NoSuchStore,
    /// The host does not let this component use it.
    AccessDenied,
    /// Any other error.
    Other(String),
}

/// One bucket, opened once, a clock and randomness.
pub trait Imports {
    /// The value under a key.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Makes this the value under a key.
    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;
    /// Deletes the value under a key, if there is one.
    fn delete(&self, key: &str) -> Result<(), StoreError>;
    /// Some keys in no promised order, and where the next ones begin.
    fn list_keys(&self, cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), StoreError>;
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
    /// 64 random bits.
    fn random(&self) -> u64;
}
