//! The contenders: each does the same work, one interaction with one ticket.

use async_trait::async_trait;

mod bare;
mod by_hand;
mod component;
mod native;
mod python;

pub(crate) use bare::Bare;
pub(crate) use by_hand::ByHand;
pub(crate) use component::Component;
pub(crate) use native::Native;
pub(crate) use python::Python;

/// Bytes of a message, as JSON.
pub(crate) const MESSAGE_BYTES: usize = 60;
/// Bytes of a decision, as JSON.
pub(crate) const DECISION_BYTES: usize = 200;
/// How long a ticket lives, in seconds.
const TTL_S: u32 = 1_800;

/// A way to keep tickets.
#[async_trait]
pub(crate) trait Contender: Send + Sync {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Creates tickets with a history of so many messages each.
    async fn prepare(&self, ids: &[String], history: usize);

    /// Says a message and sets a decision.
    async fn interact(&self, id: &str, number: usize);

    /// Runs so many interactions and returns the seconds that they took, for a contender in another process.
    async fn run_apart(&self, _interactions: usize, _history: usize) -> Option<f64> {
        None
    }
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
