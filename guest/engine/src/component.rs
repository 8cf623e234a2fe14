//! The engine as a component: generated bindings, converted once each way; nothing else.

mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "engine",
        generate_all,
        // Arguments of imports are borrowed, so that a history is not copied to be written.
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

use bindings::agent::tickets0_1_0::{environment, key_value};
use bindings::exports::agent::tickets0_2_0::tickets as wit;

use crate::error::Error;
use crate::operations::Engine;
use ticket_model::field::SCHEMA_VERSION;
use ticket_model::port::{Condition, Entry, Freshness, KeyValueError, Outcome, Page, Port, Settings};
use ticket_model::ticket::{Applied, Bounds, Change, Put, Side, State, Summary, Ticket};

mod former;

struct Component;

bindings::export!(Component with_types_in bindings);

fn engine() -> Engine<Host> {
    Engine::new(Host)
}

impl wit::Guest for Component {
    fn create(id: Option<String>, changes: Vec<wit::Change>, ttl_ms: Option<u64>) -> Result<wit::Applied, wit::Error> {
        Ok(engine().create(id, all(changes), ttl_ms)?.into())
    }

    fn ensure(id: String, changes: Vec<wit::Change>, ttl_ms: Option<u64>) -> Result<wit::Applied, wit::Error> {
        Ok(engine().ensure(id, all(changes), ttl_ms)?.into())
    }

    fn apply(
        id: String,
        changes: Vec<wit::Change>,
        at: Option<String>,
        ttl_ms: Option<u64>,
    ) -> Result<wit::Applied, wit::Error> {
        Ok(engine().apply(id, all(changes), at.as_deref(), ttl_ms)?.into())
    }

    fn touch(id: String, ttl_ms: Option<u64>) -> Result<wit::Ticket, wit::Error> {
        Ok(engine().touch(id, ttl_ms)?.into())
    }

    fn get(id: String) -> Result<wit::Ticket, wit::Error> {
        Ok(engine().get(id)?.into())
    }

    fn exists(id: String) -> Result<bool, wit::Error> {
        Ok(engine().exists(id)?)
    }

    fn get_summary(id: String) -> Result<wit::Summary, wit::Error> {
        Ok(engine().get_summary(id)?.into())
    }

    fn get_messages(id: String, entries_max: u32, bytes_max: Option<u32>) -> Result<wit::Messages, wit::Error> {
        let found = engine().get_messages(id, entries_max, bytes_max)?;
        Ok(wit::Messages { messages: found.messages, history_entries: found.history_entries, revision: found.revision })
    }

    fn get_fact(id: String, pointer: String) -> Result<wit::Fact, wit::Error> {
        let found = engine().get_fact(id, &pointer)?;
        Ok(wit::Fact { value: found.value, revision: found.revision })
    }

    fn snapshot(id: String) -> Result<String, wit::Error> {
        Ok(engine().snapshot(id)?)
    }

    fn rollback(
        id: String,
        snapshot: String,
        at: Option<String>,
        ttl_ms: Option<u64>,
    ) -> Result<wit::Ticket, wit::Error> {
        Ok(engine().rollback(id, &snapshot, at.as_deref(), ttl_ms)?.into())
    }

    fn restore(snapshot: String, ttl_ms: Option<u64>) -> Result<wit::Ticket, wit::Error> {
        Ok(engine().restore(&snapshot, ttl_ms)?.into())
    }

    fn close(id: String, at: Option<String>) -> Result<(), wit::Error> {
        Ok(engine().close(id, at.as_deref())?)
    }

    fn list_ids(prefix: String, cursor: Option<String>) -> Result<wit::IdPage, wit::Error> {
        let page = engine().list_ids(&prefix, cursor.as_deref())?;
        Ok(wit::IdPage { ids: page.ids, cursor: page.cursor })
    }

    fn list_summaries(prefix: String, cursor: Option<String>) -> Result<wit::SummaryPage, wit::Error> {
        let page = engine().list_summaries(&prefix, cursor.as_deref())?;
        let summaries = page.summaries.into_iter().map(Into::into).collect();
        Ok(wit::SummaryPage { summaries, unreadable: page.unreadable, cursor: page.cursor })
    }

    fn merge(base: wit::State, ours: wit::State, theirs: wit::State) -> Result<wit::Merged, wit::Error> {
        let merged = engine().merge(&base.into(), &ours.into(), &theirs.into())?;
        let aside = merged.branch.map(|side| match side {
            Side::Ours => wit::Side::Ours,
            Side::Theirs => wit::Side::Theirs,
        });
        Ok(wit::Merged { state: merged.state.into(), aside })
    }
}

/// The host's imports as the port.
struct Host;

impl Port for Host {
    fn read(&self, key: &str, freshness: Freshness) -> Result<Option<Entry>, KeyValueError> {
        let freshness = match freshness {
            Freshness::Latest => key_value::Freshness::Latest,
            Freshness::Recent => key_value::Freshness::Recent,
        };
        Ok(key_value::read(key, freshness)?.entry.map(Into::into))
    }

    fn write(
        &self,
        key: &str,
        fields: &[(&str, &str)],
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, KeyValueError> {
        Ok(key_value::write(key, fields, ttl_ms, when.into())?.into())
    }

    fn touch(&self, key: &str, ttl_ms: u64) -> Result<Outcome, KeyValueError> {
        Ok(key_value::touch(key, ttl_ms)?.into())
    }

    fn remove(&self, key: &str, when: &Condition) -> Result<Outcome, KeyValueError> {
        Ok(key_value::remove(key, when.into())?.into())
    }

    fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, KeyValueError> {
        let page = key_value::scan(cursor, limit)?;
        Ok(Page { keys: page.keys, cursor: page.cursor })
    }

    fn now_ms(&self) -> u64 {
        environment::now_ms()
    }

    fn fresh_id(&self) -> String {
        environment::fresh_id()
    }

    fn settings(&self) -> Settings {
        let settings = environment::current_settings();
        Settings {
            ttl_ms: settings.ttl_ms,
            message_bytes_max: settings.message_bytes_max,
            ticket_bytes_max: settings.ticket_bytes_max,
            history_entries_max: settings.history_entries_max,
        }
    }

    fn try_again(&self, attempt: u32) -> bool {
        environment::try_again(attempt)
    }
}

fn all(changes: Vec<wit::Change>) -> Vec<Change> {
    changes.into_iter().map(Into::into).collect()
}

impl From<wit::Change> for Change {
    fn from(change: wit::Change) -> Self {
        match change {
            wit::Change::Say(text) => Self::Say(text),
            wit::Change::Learn(text) => Self::Learn(text),
            wit::Change::Decide(text) => Self::Decide(text),
            wit::Change::Put(wit::Put { pointer, value, only_if_absent }) => {
                Self::Put(Put { pointer, value, only_if_absent })
            }
            wit::Change::Retract(count) => Self::Retract(count),
            wit::Change::Trim(wit::Bounds { entries_max, bytes_max }) => Self::Trim(Bounds { entries_max, bytes_max }),
        }
    }
}

impl From<Applied> for wit::Applied {
    fn from(Applied { ticket, effect }: Applied) -> Self {
        let effect = wit::Effect { created: effect.created, retracted: effect.retracted, trimmed: effect.trimmed };
        Self { ticket: ticket.into(), effect }
    }
}

impl From<Summary> for wit::Summary {
    fn from(summary: Summary) -> Self {
        Self {
            id: summary.id,
            facts_bytes: summary.facts_bytes,
            history_bytes: summary.history_bytes,
            last_decision_bytes: summary.last_decision_bytes,
            history_entries: summary.history_entries,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            version: summary.version,
            revision: summary.revision,
            expires_at_ms: summary.expires_at_ms,
        }
    }
}

impl From<Ticket> for wit::Ticket {
    fn from(ticket: Ticket) -> Self {
        let state = ticket.state;
        Self {
            id: ticket.id,
            facts: state.facts,
            history: state.history,
            last_decision: state.last_decision,
            created_at: state.created_at,
            updated_at: state.updated_at,
            version: SCHEMA_VERSION,
            revision: ticket.revision,
            expires_at_ms: ticket.expires_at_ms,
        }
    }
}

impl From<wit::State> for State {
    fn from(state: wit::State) -> Self {
        let wit::State { facts, history, last_decision, created_at, updated_at } = state;
        Self { facts, history, last_decision, created_at, updated_at }
    }
}

impl From<State> for wit::State {
    fn from(state: State) -> Self {
        let State { facts, history, last_decision, created_at, updated_at } = state;
        Self { facts, history, last_decision, created_at, updated_at }
    }
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(text) => Self::Invalid(text),
            Error::TooLarge(text) => Self::TooLarge(text),
            Error::Exists(text) => Self::Exists(text),
            Error::NotFound(text) => Self::NotFound(text),
            Error::Conflict(current) => Self::Conflict(current.map(|ticket| (*ticket).into())),
            Error::Corrupt(text) => Self::Corrupt(text),
            Error::UnsupportedVersion(text) => Self::UnsupportedVersion(text),
            Error::Denied(text) => Self::Denied(text),
            Error::Unavailable(text) => Self::Unavailable(text),
            Error::Uncertain(text) => Self::Uncertain(text),
        }
    }
}

impl<'a> From<&'a Condition> for key_value::Condition<'a> {
    fn from(when: &'a Condition) -> Self {
        match when {
            Condition::Absent => Self::Absent,
            Condition::Present => Self::Present,
            Condition::At(revision) => Self::At(revision),
        }
    }
}

impl From<key_value::Entry> for Entry {
    fn from(entry: key_value::Entry) -> Self {
        Self { fields: entry.fields, revision: entry.revision, expires_at_ms: entry.expires_at_ms }
    }
}

impl From<key_value::Outcome> for Outcome {
    fn from(outcome: key_value::Outcome) -> Self {
        Self {
            applied: outcome.applied,
            revision: outcome.revision,
            expires_at_ms: outcome.expires_at_ms,
            current: outcome.current.map(Into::into),
        }
    }
}

impl From<key_value::Error> for KeyValueError {
    fn from(error: key_value::Error) -> Self {
        match error {
            key_value::Error::Invalid(text) => Self::Invalid(text),
            key_value::Error::TooLarge(bytes_max) => Self::TooLarge(bytes_max),
            key_value::Error::Denied(text) => Self::Denied(text),
            key_value::Error::Unavailable(text) => Self::Unavailable(text),
            key_value::Error::Uncertain(text) => Self::Uncertain(text),
            key_value::Error::Corrupt(text) => Self::Corrupt(text),
        }
    }
}
