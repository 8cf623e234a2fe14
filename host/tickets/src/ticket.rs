//! What callers pass and receive: tickets, changes and pages of ids, with JSON as text.

pub use ticket_fallback::{Merged, Side, State};
pub use ticket_model::ticket::{Bounds, Change, Effect, Fact, Messages, Put, Summary};
pub use ticket_store::operation::ServedBy;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// One ticket, as it was at `revision`. Serializes to the ticket object of the command line, with its JSON as it is.
///
/// `served_by` and `effect` say how the answer came about, and do not count for equality.
#[derive(Clone, Debug, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// What the agent has learnt: a JSON object, byte for byte as stored.
    pub facts: String,
    /// What the user said: a JSON array, as stored.
    pub history: String,
    /// What the agent decided last: JSON, as stored.
    pub last_decision: String,
    /// Unix seconds; 0 if a record of an old version did not say.
    pub created_at: u64,
    /// Unix seconds of the last change.
    pub updated_at: u64,
    /// Schema version.
    pub version: u32,
    /// Opaque text that names this state; pass it as `at`.
    pub revision: String,
    /// When the ticket expires, in milliseconds since the Unix epoch; 0 for never.
    pub expires_at_ms: u64,
    /// Who answered: the store, or the fallback while the store is down. Not serialized.
    pub served_by: ServedBy,
    /// What the operation did that the ticket does not show: whether it made it, the messages it took back, how many it
    /// dropped. Serialized, as `retracted` and `trimmed`, only where messages were taken back or dropped.
    pub effect: Effect,
}

impl PartialEq for Ticket {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            id, facts, history, last_decision, created_at, updated_at, version, revision, expires_at_ms, ..
        } = self;
        *id == other.id
            && *facts == other.facts
            && *history == other.history
            && *last_decision == other.last_decision
            && (*created_at, *updated_at, *version) == (other.created_at, other.updated_at, other.version)
            && (revision, *expires_at_ms) == (&other.revision, other.expires_at_ms)
    }
}

impl Ticket {
    /// How many messages the history holds.
    #[must_use]
    pub fn message_count(&self) -> usize {
        serde_json::from_str::<Vec<&RawValue>>(&self.history).map_or(0, |messages| messages.len())
    }
}

impl Serialize for Ticket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).map_err(serde::ser::Error::custom);
        let Effect { retracted, trimmed, .. } = &self.effect;
        let more = usize::from(!retracted.is_empty()) + usize::from(*trimmed > 0);
        let mut object = serializer.serialize_struct("Ticket", 9 + more)?;
        object.serialize_field("id", &self.id)?;
        object.serialize_field("facts", &raw(&self.facts)?)?;
        object.serialize_field("history", &raw(&self.history)?)?;
        object.serialize_field("last_decision", &raw(&self.last_decision)?)?;
        object.serialize_field("created_at", &self.created_at)?;
        object.serialize_field("updated_at", &self.updated_at)?;
        object.serialize_field("version", &self.version)?;
        object.serialize_field("revision", &self.revision)?;
        object.serialize_field("expires_at_ms", &self.expires_at_ms)?;
        if !retracted.is_empty() {
            let messages = retracted.iter().map(|message| raw(message)).collect::<Result<Vec<_>, _>>()?;
            object.serialize_field("retracted", &messages)?;
        }
        if *trimmed > 0 {
            object.serialize_field("trimmed", trimmed)?;
        }
        object.end()
    }
}

/// One page of ticket ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPage {
    /// Ids in no particular order. May be empty, and may repeat an id.
    pub ids: Vec<String>,
    /// Where the next page begins; none after the last page.
    pub cursor: Option<String>,
    /// Who answered. A page of the fallback has the tickets that this host knows, which may not be all.
    pub served_by: ServedBy,
}

/// One page of tickets without their texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryPage {
    /// The tickets, in no particular order. May be empty, and may repeat a ticket.
    pub summaries: Vec<Summary>,
    /// Ids of entries that are there but cannot be read; [`Tickets::get`](crate::Tickets::get) says why.
    pub unreadable: Vec<String>,
    /// Where the next page begins; none after the last page.
    pub cursor: Option<String>,
    /// As in [`IdPage`].
    pub served_by: ServedBy,
}
