//! Steps that checks of the engine consist of.

use ticket_host::store::{Fields, Key};
use ticket_host::{Change, Error, Ticket};

use crate::error_kind::ErrorKind;
use crate::promises::steps::{fields, key};

/// The id of the ticket in most checks.
pub(super) const ID: &str = "t-1";

pub(super) fn say(json: &str) -> Change {
    Change::Say(json.into())
}

pub(super) fn learn(json: &str) -> Change {
    Change::Learn(json.into())
}

pub(super) fn decide(json: &str) -> Change {
    Change::Decide(json.into())
}

/// The kind of error of an operation that must have been refused.
#[track_caller]
pub(super) fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> ErrorKind {
    ErrorKind::from(&answer.expect_err("an error"))
}

/// The ticket of a conflict.
#[track_caller]
pub(super) fn conflict<T: std::fmt::Debug>(answer: Result<T, Error>) -> Ticket {
    match answer {
        Err(Error::Conflict(Some(current))) => *current,
        other => panic!("not a conflict with a ticket: {other:?}"),
    }
}

/// The key of [`ID`].
pub(super) fn the_key() -> Key {
    key(ID)
}

/// The six fields of a stored ticket.
pub(super) fn record(
    facts: &str,
    history: &str,
    last_decision: &str,
    created_at: u64,
    updated_at: u64,
    version: &str,
) -> Fields {
    fields(&[
        ("facts", facts),
        ("history", history),
        ("last_decision", last_decision),
        ("created_at", &created_at.to_string()),
        ("updated_at", &updated_at.to_string()),
        ("version", version),
    ])
}

/// The stored fields of a ticket.
pub(super) fn record_of(ticket: &Ticket) -> Fields {
    record(
        &ticket.facts,
        &ticket.history,
        &ticket.last_decision,
        ticket.created_at,
        ticket.updated_at,
        &ticket.version.to_string(),
    )
}
