//! What answers show, as JSON: stored texts as they are stored.

use serde::Serialize;
use serde_json::value::RawValue;
use ticket_model::field::SCHEMA_VERSION;
use ticket_model::ticket::{Effect, Fact, IdPage, Messages, Summary, SummaryPage, Ticket};

/// A ticket as the command line prints it, and what a write did besides.
#[derive(Serialize)]
pub(crate) struct ShownTicket<'a> {
    id: &'a str,
    facts: &'a RawValue,
    history: &'a RawValue,
    last_decision: &'a RawValue,
    created_at: u64,
    updated_at: u64,
    version: u32,
    revision: &'a str,
    expires_at_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retracted: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trimmed: Option<u32>,
}

impl<'a> ShownTicket<'a> {
    pub(crate) fn new(ticket: &'a Ticket) -> Result<Self, serde_json::Error> {
        let state = &ticket.state;
        Ok(Self {
            id: &ticket.id,
            facts: serde_json::from_str(&state.facts)?,
            history: serde_json::from_str(&state.history)?,
            last_decision: serde_json::from_str(&state.last_decision)?,
            created_at: state.created_at,
            updated_at: state.updated_at,
            version: SCHEMA_VERSION,
            revision: &ticket.revision,
            expires_at_ms: ticket.expires_at_ms,
            retracted: Vec::new(),
            trimmed: None,
        })
    }

    pub(crate) fn with(self, effect: &'a Effect) -> Result<Self, serde_json::Error> {
        let trimmed = Some(effect.trimmed).filter(|count| *count > 0);
        Ok(Self { retracted: raw(&effect.retracted)?, trimmed, ..self })
    }
}

/// The newest messages.
#[derive(Serialize)]
pub(crate) struct ShownMessages<'a> {
    messages: Vec<&'a RawValue>,
    history_entries: u32,
    revision: &'a str,
}

impl<'a> ShownMessages<'a> {
    pub(crate) fn new(found: &'a Messages) -> Result<Self, serde_json::Error> {
        let Messages { messages, history_entries, revision } = found;
        Ok(Self { messages: raw(messages)?, history_entries: *history_entries, revision })
    }
}

/// One fact; `value` is left out where there is none, because a fact may be `null`.
#[derive(Serialize)]
pub(crate) struct ShownFact<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    revision: &'a str,
}

impl<'a> ShownFact<'a> {
    pub(crate) fn new(found: &'a Fact) -> Result<Self, serde_json::Error> {
        let value = found.value.as_deref().map(serde_json::from_str).transpose()?;
        Ok(Self { value, revision: &found.revision })
    }
}

/// A ticket without its texts.
#[derive(Serialize)]
pub(crate) struct ShownSummary<'a> {
    id: &'a str,
    facts_bytes: u32,
    history_bytes: u32,
    last_decision_bytes: u32,
    history_entries: u32,
    created_at: u64,
    updated_at: u64,
    version: u32,
    revision: &'a str,
    expires_at_ms: u64,
}

impl<'a> From<&'a Summary> for ShownSummary<'a> {
    fn from(summary: &'a Summary) -> Self {
        Self {
            id: &summary.id,
            facts_bytes: summary.facts_bytes,
            history_bytes: summary.history_bytes,
            last_decision_bytes: summary.last_decision_bytes,
            history_entries: summary.history_entries,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            version: summary.version,
            revision: &summary.revision,
            expires_at_ms: summary.expires_at_ms,
        }
    }
}

/// A page of ids.
#[derive(Serialize)]
pub(crate) struct ShownIds<'a> {
    ids: &'a [String],
    cursor: Option<&'a str>,
}

impl<'a> From<&'a IdPage> for ShownIds<'a> {
    fn from(page: &'a IdPage) -> Self {
        Self { ids: &page.ids, cursor: page.cursor.as_deref() }
    }
}

/// A page of summaries.
#[derive(Serialize)]
pub(crate) struct ShownSummaries<'a> {
    summaries: Vec<ShownSummary<'a>>,
    unreadable: &'a [String],
    cursor: Option<&'a str>,
}

impl<'a> From<&'a SummaryPage> for ShownSummaries<'a> {
    fn from(page: &'a SummaryPage) -> Self {
        Self {
            summaries: page.summaries.iter().map(Into::into).collect(),
            unreadable: &page.unreadable,
            cursor: page.cursor.as_deref(),
        }
    }
}

fn raw(texts: &[String]) -> Result<Vec<&RawValue>, serde_json::Error> {
    texts.iter().map(|text| serde_json::from_str(text)).collect()
}
