//! What a store contains, and what its calls return.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fields::Fields;
use crate::key::Key;
use crate::revision::Revision;

/// Bytes that a field takes besides its name and text.
const FIELD_BYTES: usize = 64;

/// One entry as it was at one time. It is serialized as its fields and its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Fields, u64)", into = "(Fields, u64)")]
pub struct Entry {
    /// All fields; a clone of the entry shares them.
    pub fields: Arc<Fields>,
    /// Identifies this state.
    pub revision: Revision,
    /// Milliseconds since the epoch by the store's clock; 0 for an entry without a deadline.
    pub expires_at_ms: u64,
}

impl Entry {
    /// An entry with these fields and this deadline; the revision follows from both.
    pub fn new(fields: impl Into<Arc<Fields>>, expires_at_ms: u64) -> Self {
        let fields = fields.into();
        Self { revision: Revision::of(&fields, expires_at_ms), fields, expires_at_ms }
    }

    /// Its fields, copied only if another clone shares them.
    #[must_use]
    pub fn into_fields(self) -> Fields {
        Arc::unwrap_or_clone(self.fields)
    }

    /// About the bytes that it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.fields.iter().map(|(name, text)| name.len() + text.len() + FIELD_BYTES).sum()
    }
}

impl From<(Fields, u64)> for Entry {
    fn from((fields, expires_at_ms): (Fields, u64)) -> Self {
        Self::new(fields, expires_at_ms)
    }
}

impl From<Entry> for (Fields, u64) {
    fn from(entry: Entry) -> Self {
        let expires_at_ms = entry.expires_at_ms;
        (entry.into_fields(), expires_at_ms)
    }
}

/// What must hold for a change to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no entry.
    Absent,
    /// There is an entry, whatever it contains.
    Present,
    /// The entry has this revision.
    At(Revision),
}

impl Condition {
    /// Whether it holds for the current entry, or for none.
    #[must_use]
    pub fn holds(&self, current: Option<&Entry>) -> bool {
        match self {
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::At(revision) => current.is_some_and(|entry| entry.revision == *revision),
        }
    }
}

/// How new the answer to a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// At least as new as every change applied before the call.
    Latest,
    /// A last known copy is enough, because a conditional change follows.
    Recent,
}

/// The answer to a conditional change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written or touched.
    Written {
        /// The new revision.
        revision: Revision,
        /// The new deadline, as in [`Entry`].
        expires_at_ms: u64,
    },
    /// Removed, or there was no entry and the condition was `Absent`.
    Removed,
    /// The condition did not hold: the current entry, or none.
    Refused(Option<Entry>),
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Keys in no guaranteed order; may be empty although there are more pages, and may repeat a key.
    pub keys: Vec<Key>,
    /// Where the next page begins; none after the last page.
    pub cursor: Option<String>,
}
