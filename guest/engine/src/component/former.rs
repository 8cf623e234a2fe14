//! The former interface, `tickets` of 0.1.0, for consumers that were built against it.

use super::bindings::exports::agent::tickets0_1_0::tickets as former;
use super::bindings::exports::agent::tickets0_2_0::tickets as wit;
use super::{Component, engine};
use crate::error::Error;
use ticket_model::ticket::{Change, Ticket};

impl former::Guest for Component {
    fn create(id: Option<String>, changes: Vec<former::Change>) -> Result<former::Ticket, former::Error> {
        Ok(engine().create(id, all(changes), None)?.ticket.into())
    }

    fn get(id: String) -> Result<former::Ticket, former::Error> {
        Ok(engine().get(id)?.into())
    }

    fn apply(id: String, changes: Vec<former::Change>, at: Option<String>) -> Result<former::Ticket, former::Error> {
        Ok(engine().apply(id, all(changes), at.as_deref(), None)?.ticket.into())
    }

    fn touch(id: String) -> Result<former::Ticket, former::Error> {
        Ok(engine().touch(id, None)?.into())
    }

    fn snapshot(id: String) -> Result<String, former::Error> {
        Ok(engine().snapshot(id)?)
    }

    fn rollback(id: String, snapshot: String, at: Option<String>) -> Result<former::Ticket, former::Error> {
        Ok(engine().rollback(id, &snapshot, at.as_deref(), None)?.into())
    }

    fn restore(snapshot: String) -> Result<former::Ticket, former::Error> {
        Ok(engine().restore(&snapshot, None)?.into())
    }

    fn close(id: String, at: Option<String>) -> Result<(), former::Error> {
        Ok(engine().close(id, at.as_deref())?)
    }

    fn list_ids(cursor: Option<String>) -> Result<former::IdPage, former::Error> {
        let page = engine().list_ids("", cursor.as_deref())?;
        Ok(former::IdPage { ids: page.ids, cursor: page.cursor })
    }

    fn merge(base: former::State, ours: former::State, theirs: former::State) -> Result<former::Merged, former::Error> {
        let merged = <Self as wit::Guest>::merge(base.into(), ours.into(), theirs.into())?;
        let aside = merged.aside.map(|side| match side {
            wit::Side::Ours => former::Side::Ours,
            wit::Side::Theirs => former::Side::Theirs,
        });
        Ok(former::Merged { state: merged.state.into(), aside })
    }
}

fn all(changes: Vec<former::Change>) -> Vec<Change> {
    let change = |change| match change {
        former::Change::Say(text) => Change::Say(text),
        former::Change::Learn(text) => Change::Learn(text),
        former::Change::Decide(text) => Change::Decide(text),
    };
    changes.into_iter().map(change).collect()
}

impl From<wit::Ticket> for former::Ticket {
    fn from(ticket: wit::Ticket) -> Self {
        Self {
            id: ticket.id,
            facts: ticket.facts,
            history: ticket.history,
            last_decision: ticket.last_decision,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
            version: ticket.version,
            revision: ticket.revision,
            expires_at_ms: ticket.expires_at_ms,
        }
    }
}

impl From<Ticket> for former::Ticket {
    fn from(ticket: Ticket) -> Self {
        wit::Ticket::from(ticket).into()
    }
}

impl From<former::State> for wit::State {
    fn from(state: former::State) -> Self {
        let former::State { facts, history, last_decision, created_at, updated_at } = state;
        Self { facts, history, last_decision, created_at, updated_at }
    }
}

impl From<wit::State> for former::State {
    fn from(state: wit::State) -> Self {
        let wit::State { facts, history, last_decision, created_at, updated_at } = state;
        Self { facts, history, last_decision, created_at, updated_at }
    }
}

impl From<wit::Error> for former::Error {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::Invalid(text) => Self::Invalid(text),
            wit::Error::TooLarge(text) => Self::TooLarge(text),
            wit::Error::Exists(text) => Self::Exists(text),
            wit::Error::NotFound(text) => Self::NotFound(text),
            wit::Error::Conflict(current) => Self::Conflict(current.map(Into::into)),
            wit::Error::Corrupt(text) => Self::Corrupt(text),
            wit::Error::UnsupportedVersion(text) => Self::UnsupportedVersion(text),
            wit::Error::Denied(text) => Self::Denied(text),
            wit::Error::Unavailable(text) => Self::Unavailable(text),
            wit::Error::Uncertain(text) => Self::Uncertain(text),
        }
    }
}

impl From<Error> for former::Error {
    fn from(error: Error) -> Self {
        wit::Error::from(error).into()
    }
}
