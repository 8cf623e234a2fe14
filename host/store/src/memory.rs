//! The store in memory: the reference for the other stores.
//!
//! | file | what it does |
//! |---|---|
//! | `store` | [`MemoryStore`] |
//! | `entries` | entries by name |

mod entries;
mod store;
#[cfg(test)]
mod tests;

pub use store::MemoryStore;
