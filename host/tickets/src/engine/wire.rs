//! The types that cross into and out of the engine, converted once each way.

use super::bindings::agent::tickets0_1_0::key_value as kv;
use super::bindings::exports::agent::tickets0_2_0::tickets as wit;
use crate::error::Error;
use crate::ticket::{Bounds, Change, Effect, Fact, IdPage, Merged, Messages, ServedBy, Side, State, Summary, Ticket};
use ticket_store as store;

/// A ticket as the engine gives it.
pub(super) type WireTicket = wit::Ticket;
/// The answer to changes as the engine gives it.
pub(super) type WireApplied = wit::Applied;

/// Changes as the engine takes them, and after any of them a trim to the bounds; the texts are borrowed.
pub(super) fn changes(changes: &[Change], bounds: Bounds) -> Vec<wit::Change<'_>> {
    let has_bounds = bounds != Bounds::default() && !changes.is_empty();
    let trim = has_bounds.then(|| wit::Change::Trim(bounds.into()));
    changes.iter().map(Into::into).chain(trim).collect()
}

impl From<Bounds> for wit::Bounds {
    fn from(Bounds { entries_max, bytes_max }: Bounds) -> Self {
        Self { entries_max, bytes_max }
    }
}

impl<'a> From<&'a Change> for wit::Change<'a> {
    fn from(change: &'a Change) -> Self {
        match change {
            Change::Say(text) => Self::Say(text),
            Change::Learn(text) => Self::Learn(text),
            Change::Decide(text) => Self::Decide(text),
            Change::Put(put) => {
                Self::Put(wit::Put { pointer: &put.pointer, value: &put.value, only_if_absent: put.only_if_absent })
            }
            Change::Retract(count) => Self::Retract(*count),
            Change::Trim(bounds) => Self::Trim((*bounds).into()),
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
        effect: Effect::default(),
    }
}

/// A ticket after changes, and who served it.
pub(super) fn applied(applied: wit::Applied, served_by: ServedBy) -> Ticket {
    let wit::Effect { created, retracted, trimmed } = applied.effect;
    Ticket { effect: Effect { created, retracted, trimmed }, ..ticket(applied.ticket, served_by) }
}

/// A page of the engine, and who served it.
pub(super) fn page(page: wit::IdPage, served_by: ServedBy) -> IdPage {
    IdPage { ids: page.ids, cursor: page.cursor, served_by }
}

/// A summary of the engine.
pub(super) fn summary(summary: wit::Summary) -> Summary {
    Summary {
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

pub(super) fn messages(found: wit::Messages) -> Messages {
    Messages { messages: found.messages, history_entries: found.history_entries, revision: found.revision }
}

pub(super) fn fact(found: wit::Fact) -> Fact {
    Fact { value: found.value, revision: found.revision }
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
