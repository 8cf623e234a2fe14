//! The engine as a component: generated bindings, converted once each way; nothing else.

mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "engine",
        // Arguments of imports are borrowed, so that a history is not copied to be written.
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

use bindings::agent::tickets::{environment, key_value};
use bindings::exports::agent::tickets::tickets as wit;

use crate::error::Error;
use crate::operations::Engine;
use ticket_model::field::SCHEMA_VERSION;
use ticket_model::port::{Condition, Entry, Freshness, KeyValueError, Outcome, Page, Port, Settings};
use ticket_model::ticket::{Change, Side, State, Ticket};

struct Component;

bindings::export!(Component with_types_in bindings);

fn engine() -> Engine<Host> {
    Engine::new(Host)
}

impl wit::Guest for Component {
    fn create(id: Option<String>, changes: Vec<wit::Change>) -> Result<wit::Ticket, wit::Error> {
        ticket(engine().create(id, all(changes)))
    }

    fn get(id: String) -> Result<wit::Ticket, wit::Error> {
        ticket(engine().get(id))
    }

    fn apply(id: String, changes: Vec<wit::Change>, at: Option<String>) -> Result<wit::Ticket, wit::Error> {
        ticket(engine().apply(id, all(changes), at))
    }

    fn touch(id: String) -> Result<wit::Ticket, wit::Error> {
        ticket(engine().touch(id))
    }

    fn snapshot(id: String) -> Result<String, wit::Error> {
        engine().snapshot(id).map_err(Into::into)
    }

    fn rollback(id: String, snapshot: String, at: Option<String>) -> Result<wit::Ticket, wit::Error> {
        ticket(engine().rollback(id, &snapshot, at))
    }

    fn restore(snapshot: String) -> Result<wit::Ticket, wit::Error> {
        ticket(engine().restore(&snapshot))
    }

    fn close(id: String, at: Option<String>) -> Result<(), wit::Error> {
        engine().close(id, at).map_err(Into::into)
    }

    fn list_ids(cursor: Option<String>) -> Result<wit::IdPage, wit::Error> {
        let page = engine().list_ids(cursor.as_deref())?;
        Ok(wit::IdPage { ids: page.ids, cursor: page.cursor })
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

fn ticket(result: Result<Ticket, Error>) -> Result<wit::Ticket, wit::Error> {
    result.map(Into::into).map_err(Into::into)
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
