//! What the engine promises through every store, from `tickets.wit`.
//!
//! | promise | what the ticket engine keeps |
//! |---|---|
//! | E1 | `create` makes an empty ticket, dated now, with all changes applied, under the given id or a fresh one. |
//! | E2 | `create` of an id that is there answers `exists` and changes nothing. |
//! | E3 | Where there is no ticket, every operation on one answers `not-found` and makes none. |
//! | E4 | `apply` makes all its changes in their order in one write, or none of them. |
//! | E5 | `say` appends, `learn` is a merge patch (RFC 7396), `decide` replaces; what is written is compact. |
//! | E6 | JSON that an operation does not touch keeps every byte. |
//! | E7 | A ticket is stored as exactly six fields under one key, with a time to live of at most the TTL and a quarter of a second. |
//! | E8 | `updated_at` never runs back, and `created_at` never changes. |
//! | E9 | A message id is stored once: the same message is skipped, another is `invalid`; a rollback frees the id. |
//! | E10 | With `at`, another revision is a `conflict` that brings the current ticket; the current one is applied. |
//! | E11 | Without `at`, what others changed meanwhile is kept; when the time is up, `conflict` brings the ticket. |
//! | E12 | A change to a ticket that ended between read and write answers `not-found` and brings nothing back. |
//! | E13 | `apply`, `touch`, `rollback` move the deadline to the TTL from now; `get`, `snapshot`, `list` do not. |
//! | E14 | Every operation answers the ticket as the next `get` shows it. |
//! | E15 | `rollback` brings back all six fields of the snapshot byte for byte. |
//! | E16 | `rollback` refuses a snapshot that is damaged, of another ticket or of another life, and changes nothing. |
//! | E17 | `restore` makes a ticket that is gone again, with a full TTL, and answers `exists` where it is there. |
//! | E18 | `close` deletes, and the id may be created again. |
//! | E19 | `list` names every ticket page by page, and nothing that is no ticket id. |
//! | E20 | A record of version 0 is shown as version 1, and written so by the next change and not before. |
//! | E21 | A newer version answers `unsupported-version` to every operation and is never overwritten. |
//! | E22 | Damage answers `corrupt`, naming key and field, and only `rollback` and `close` overwrite it. |
//! | E23 | `rollback` and `close` replace damage, and nothing of it stays. |
//! | E24 | A ticket without a deadline is readable, with deadline 0, and the next write or touch gives it one. |
//! | E25 | Past a limit, given or stored: `too-large` or `invalid`, and nothing is written; the limit is allowed. |
//! | E26 | JSON that is not strict, or not of the kind asked for, is `invalid`, before anything is written. |
//! | E27 | `merge` is three-way, puts aside what does not fit, and asks no store. |
//! | E28 | What the store refuses arrives as it is: `denied`, `unavailable`, `uncertain`, `too-large`, `corrupt`. |

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
