//! Plain types of a ticket; JSON is text.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json;

/// One ticket, as it was at `revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// What it holds.
    pub state: State,
    /// Names this state.
    pub revision: String,
    /// Milliseconds since the epoch; 0 for no deadline.
    pub expires_at_ms: u64,
}

/// One page of ticket ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPage {
    /// The ids.
    pub ids: Vec<String>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// What a ticket is, apart from its id and its place in a store: stored texts and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// A JSON object.
    pub facts: String,
    /// A JSON array.
    pub history: String,
    /// JSON.
    pub last_decision: String,
    /// Unix seconds; never changes after creation.
    pub created_at: u64,
    /// Unix seconds of the last change.
    pub updated_at: u64,
}

/// One change to a ticket; JSON is text from the caller, which the engine checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Appends a message: a JSON string or object. An object with a string `id` is stored once.
    Say(String),
    /// Merges facts: a JSON object, applied as a merge patch (RFC 7396).
    Learn(String),
    /// Replaces the last decision: any JSON.
    Decide(String),
    /// Sets one fact.
    #[serde(deserialize_with = "json::object")]
    Put(Put),
    /// Takes back so many of the newest messages, or all that there are.
    Retract(u32),
    /// Drops the oldest messages until the rest keeps these bounds.
    #[serde(deserialize_with = "json::object")]
    Trim(Bounds),
}

/// One fact to set: the operation `add` of RFC 6902 on members of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// JSON pointer (RFC 6901) to a member, new or present, of an object that exists.
    pub pointer: String,
    /// Any JSON.
    pub value: String,
    /// Whether a member that exists stays as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_if_absent: bool,
}

/// How much of a history a trim keeps. One bound at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Most messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries_max: Option<u32>,
    /// Most bytes of the field `history`; the newest message stays even where it alone has more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u32>,
}

impl Change {
    /// Appends a plain text as a message.
    #[must_use]
    pub fn say(text: &str) -> Self {
        Self::Say(Value::from(text).to_string())
    }

    /// Merges facts.
    #[must_use]
    pub fn learn(patch: &Value) -> Self {
        Self::Learn(patch.to_string())
    }

    /// Replaces the last decision.
    #[must_use]
    pub fn decide(decision: &Value) -> Self {
        Self::Decide(decision.to_string())
    }

    /// Sets the fact at a JSON pointer.
    #[must_use]
    pub fn put(pointer: &str, value: &Value) -> Self {
        Self::Put(Put { pointer: pointer.to_owned(), value: value.to_string(), only_if_absent: false })
    }

    /// Sets the fact at a JSON pointer, unless there is one.
    #[must_use]
    pub fn put_if_absent(pointer: &str, value: &Value) -> Self {
        Self::Put(Put { pointer: pointer.to_owned(), value: value.to_string(), only_if_absent: true })
    }

    /// The texts of any change.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let texts: [&str; 2] = match self {
            Self::Say(text) | Self::Learn(text) | Self::Decide(text) => [text, ""],
            Self::Put(put) => [&put.pointer, &put.value],
            Self::Retract(_) | Self::Trim(_) => [""; 2],
        };
        texts.into_iter()
    }
}

/// What a write did that the ticket does not show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Whether it made the ticket.
    pub created: bool,
    /// The messages that were taken back, as stored, oldest first.
    pub retracted: Vec<String>,
    /// How many messages were dropped by a trim.
    pub trimmed: u32,
}

/// The answer to changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The ticket after them.
    pub ticket: Ticket,
    /// What else they did.
    pub effect: Effect,
}

/// A ticket without its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: String,
    /// Bytes of its facts.
    pub facts_bytes: u32,
    /// Bytes of its history.
    pub history_bytes: u32,
    /// Bytes of its last decision.
    pub last_decision_bytes: u32,
    /// Messages in its history.
    pub history_entries: u32,
    /// Unix seconds; 0 where an old record did not say.
    pub created_at: u64,
    /// Unix seconds of the last change.
    pub updated_at: u64,
    /// Schema version.
    pub version: u32,
    /// Names this state.
    pub revision: String,
    /// Milliseconds since the epoch; 0 for no deadline.
    pub expires_at_ms: u64,
}

/// One page of summaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryPage {
    /// The tickets, in no promised order.
    pub summaries: Vec<Summary>,
    /// Ids of entries that are there but cannot be read.
    pub unreadable: Vec<String>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// The newest messages of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// JSON texts as stored, oldest first.
    pub messages: Vec<String>,
    /// Messages in the whole history.
    pub history_entries: u32,
    /// Names the state of the ticket.
    pub revision: String,
}

/// One value among the facts of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// JSON text as stored; none where the pointer names nothing.
    pub value: Option<String>,
    /// Names the state of the ticket.
    pub revision: String,
}

/// One of the two states that a merge was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Changed here.
    Ours,
    /// Changed elsewhere.
    Theirs,
}

/// The answer to a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The new state of the ticket.
    pub state: State,
    /// The side with content that is not in `state`; the caller keeps it as a conflict copy.
    pub branch: Option<Side>,
}
