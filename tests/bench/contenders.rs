//! The contenders: each does the same work, one interaction with one ticket.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::rounds::Load;

mod bare;
mod by_hand;
mod compare_and_set;
mod component;
mod driver;
mod native;
pub(crate) mod node;
pub(crate) mod python;
mod watch;

pub(crate) use bare::Bare;
pub(crate) use by_hand::ByHand;
pub(crate) use compare_and_set::CompareAndSet;
pub(crate) use component::Component;
pub(crate) use driver::{Apart, Driver, NotInstalled};
pub(crate) use native::Native;
pub(crate) use watch::Watch;

/// Bytes of a message, as JSON.
pub(crate) const MESSAGE_BYTES: usize = 60;
/// Bytes of a decision, as JSON.
pub(crate) const DECISION_BYTES: usize = 200;
/// How long a ticket lives, in seconds.
const TTL_S: u32 = 1_800;
/// Where `tests/bench.sh install` puts the stores of others.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench");

/// A way to keep tickets.
#[async_trait]
pub(crate) trait Contender: Send + Sync {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Creates tickets with a history of so many messages each.
    async fn prepare(&self, ids: &[String], history: usize);

    /// Says a message and sets a decision.
    async fn interact(&self, id: &str, number: usize);

    /// The messages of a ticket.
    async fn messages(&self, _id: &str) -> usize {
        unreachable!("no callers share a ticket of this contender");
    }

    /// Runs a load, for a contender in another process.
    async fn run_apart(&self, _load: Load) -> Option<Apart> {
        None
    }

    /// How many messages a ticket keeps if all callers say theirs to it at once, for a contender in another process.
    async fn kept_apart(&self, _load: Load) -> Option<usize> {
        None
    }
}

/// The folder with the packages of a store of others.
fn installed(store: &str) -> PathBuf {
    Path::new(INSTALLED).join(store)
}

/// What is said in interaction `number`.
fn message(number: usize) -> String {
    let text = format!("message {number} ");
    format!("\"{text:.<width$}\"", width = MESSAGE_BYTES - 2)
}

/// What is decided in interaction `number`.
fn decision(number: usize) -> String {
    let beginning = format!("{{\"action\":\"reply\",\"number\":{number},\"reason\":\"");
    let reason = "x".repeat(DECISION_BYTES - beginning.len() - 2);
    format!("{beginning}{reason}\"}}")
}

/// A history of so many messages.
fn history(messages: usize) -> String {
    format!("[{}]", (0..messages).map(message).collect::<Vec<_>>().join(","))
}

/// The fields of a new ticket with a history.
pub(crate) fn fields(messages: usize) -> [(&'static str, String); 6] {
    [
        ("facts", "{}".into()),
        ("history", history(messages)),
        ("last_decision", decision(0)),
        ("created_at", "1750000000".into()),
        ("updated_at", "1750000000".into()),
        ("version", "1".into()),
    ]
}
