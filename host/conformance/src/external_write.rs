//! A write by another client, as a scenario describes it.

use std::collections::BTreeMap;

/// What another client does to the entry of a ticket.
#[derive(Clone, Debug)]
pub enum ExternalWrite {
    /// Makes these fields the whole entry.
    Put {
        /// The ticket.
        id: String,
        /// All fields of the entry.
        fields: BTreeMap<String, String>,
        /// Time to live, in milliseconds.
        ttl_ms: u64,
    },
    /// Deletes the entry.
    Drop {
        /// The ticket.
        id: String,
    },
}
