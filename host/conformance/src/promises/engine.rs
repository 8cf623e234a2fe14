//! E1 to E28: what the ticket engine guarantees over every store.

use crate::ErrorKind;
use ticket_host::store::{Fields, Key};
use ticket_host::{Change, Error, Ticket};

use crate::promise::Promise;
use crate::promises::steps::{fields, key};

mod changes;
mod concurrency;
mod input;
mod lifecycle;
mod merging;
mod old_and_damaged;
mod snapshots;

/// The promises that the modules below test, in the order of their numbers.
pub(crate) fn promises() -> Vec<Promise> {
    let mut promises = [
        lifecycle::promises(),
        changes::promises(),
        concurrency::promises(),
        snapshots::promises(),
        old_and_damaged::promises(),
        input::promises(),
        merging::promises(),
    ]
    .concat();
    promises.sort_by_key(|promise| promise.name);
    promises
}

/// The id of the usual ticket.
const ID: &str = "t-1";

fn say(json: &str) -> Change {
    Change::Say(json.into())
}

fn learn(json: &str) -> Change {
    Change::Learn(json.into())
}

fn decide(json: &str) -> Change {
    Change::Decide(json.into())
}

/// The kind of an operation that must have been refused.
#[track_caller]
fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> ErrorKind {
    ErrorKind::from(&answer.expect_err("a refusal"))
}

/// The ticket that a conflict brought.
#[track_caller]
fn conflict<T: std::fmt::Debug>(answer: Result<T, Error>) -> Ticket {
    match answer {
        Err(Error::Conflict(Some(current))) => *current,
        other => panic!("no conflict that brings the ticket: {other:?}"),
    }
}

/// The usual key.
fn the_key() -> Key {
    key(ID)
}

/// The six fields of a stored ticket.
fn record(facts: &str, history: &str, last_decision: &str, created_at: u64, updated_at: u64, version: &str) -> Fields {
    fields(&[
        ("facts", facts),
        ("history", history),
        ("last_decision", last_decision),
        ("created_at", &created_at.to_string()),
        ("updated_at", &updated_at.to_string()),
        ("version", version),
    ])
}

/// The fields that a ticket must be stored as.
fn record_of(ticket: &Ticket) -> Fields {
    record(
        &ticket.facts,
        &ticket.history,
        &ticket.last_decision,
        ticket.created_at,
        ticket.updated_at,
        &ticket.version.to_string(),
    )
}
