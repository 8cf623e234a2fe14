//! The types that cross into and out of the engine, converted once each way.

use super::bindings::agent::tickets::key_value as kv;
use super::bindings::exports::agent::tickets::tickets as wit;
use crate::error::Error;
use crate::ticket::{Change, IdPage, Merged, ServedBy, Side, State, Ticket};
use ticket_store as store;

/// A ticket as the engine gives it.
pub(super) type WireTicket = wit::Ticket;

/// Changes as the engine takes them; the texts are borrowed.
pub(super) fn changes(changes: &[Change]) -> Vec<wit::Change<'_>> {
    changes.iter().map(Into::into).collect()
}

impl<'a> From<&'a Change> for wit::Change<'a> {
    fn from(change: &'a Change) -> Self {
        match change {
            Change::Say(text) => Self::Say(text),
            Change::Learn(text) => Self::Learn(text),
            Change::Decide(text) => Self::Decide(text),
        }
    }
}

impl From<&store::Error> for kv::Error {
    fn from(error: &store::Error) -> Self {
        let text = error.chain();
        match error.kind() {
            store::Kind::Invalid => Self::Invalid(text),
            store::Kind::TooLarge(bytes_max) => Self::TooLarge(bytes_max),
            store::Kind::Denied => Self::Denied(text),
            store::Kind::Unavailable => Self::Unavailable(text),
            store::Kind::Uncertain => Self::Uncertain(text),
            store::Kind::Corrupt => Self::Corrupt(text),
        }
    }
}

/// A ticket of the engine, and who served it.
pub(super) fn ticket(ticket: wit::Ticket, served_by: ServedBy) -> Ticket {
    Ticket {
        id: ticket.id,
        facts: ticket.facts,
        history: ticket.history,
        last_decision: ticket.last_decision,
        created_at: ticket.created_at,
        updated_at: ticket.updated_at,
        version: ticket.version,
        revision: ticket.revision,
        expires_at_ms: ticket.expires_at_ms,
        served_by,
    }
}

/// A page of the engine, and who served it.
pub(super) fn page(page: wit::IdPage, served_by: ServedBy) -> IdPage {
    IdPage { ids: page.ids, cursor: page.cursor, served_by }
}

impl<'a> From<&'a State> for wit::StateParam<'a> {
    fn from(state: &'a State) -> Self {
        Self {
            facts: &state.facts,
            history: &state.history,
            last_decision: &state.last_decision,
            created_at: state.created_at,
            updated_at: state.updated_at,
        }
    }
}

impl From<wit::Merged> for Merged {
    fn from(merged: wit::Merged) -> Self {
        let state = merged.state;
        let branch = merged.aside.map(|side| match side {
            wit::Side::Ours => Side::Ours,
            wit::Side::Theirs => Side::Theirs,
        });
        let state = State {
            facts: state.facts,
            history: state.history,
            last_decision: state.last_decision,
            created_at: state.created_at,
            updated_at: state.updated_at,
        };
        Self { state, branch }
    }
}

/// A refusal of the engine, with the error of the store from which it came, if its text is in the refusal.
pub(super) fn error(error: wit::Error, store_error: Option<store::Error>) -> Error {
    let refusal = match error {
        wit::Error::Invalid(text) => Error::Invalid(text.into()),
        wit::Error::TooLarge(text) => Error::TooLarge(text.into()),
        wit::Error::Exists(text) => Error::Exists(text.into()),
        wit::Error::NotFound(text) => Error::NotFound(text.into()),
        wit::Error::Conflict(current) => {
            Error::Conflict(current.map(|current| Box::new(ticket(current, ServedBy::Store))))
        }
        wit::Error::Corrupt(text) => Error::Corrupt(text.into()),
        wit::Error::UnsupportedVersion(text) => Error::UnsupportedVersion(text.into()),
        wit::Error::Denied(text) => Error::Denied(text.into()),
        wit::Error::Unavailable(text) => Error::Unavailable(text.into()),
        wit::Error::Uncertain(text) => Error::Uncertain(text.into()),
    };
    match store_error.filter(|store_error| refusal.to_string().contains(&store_error.chain())) {
        Some(store_error) => refusal.caused_by(store_error),
        None => refusal,
    }
}
