//! Why an operation on tickets was refused: one kind for each thing that a caller can do about it.

use crate::ticket::Ticket;
use ticket_store as store;

/// Why an operation was refused. Except after `Uncertain` and `Internal`, nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's words are wrong; correct them.
    #[error("{0}")]
    Invalid(String),
    /// A message, ticket or history would pass, or passes, its limit.
    #[error("{0}")]
    TooLarge(String),
    /// There is a ticket of this id already.
    #[error("{0}")]
    Exists(String),
    /// There is no ticket of this id: never created, expired or closed.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else was first: the ticket as it is now, none where it is gone or damaged.
    #[error("{}", conflict(.0.as_deref()))]
    Conflict(Option<Box<Ticket>>),
    /// What is stored is not a ticket; only `rollback` and `close` replace it.
    #[error("{0}")]
    Corrupt(String),
    /// A newer schema version than this engine knows, which it never overwrites.
    #[error("{0}")]
    UnsupportedVersion(String),
    /// The store forbids this; ask its operator.
    #[error("{0}")]
    Denied(String),
    /// The store does not serve now; try later.
    #[error("{0}")]
    Unavailable(String),
    /// The store did not answer: the change was made wholly or not at all; read before trying again.
    #[error("{0}")]
    Uncertain(String),
    /// A defect of ours; the operation may or may not be done.
    #[error("the ticket engine failed, which is a defect of it")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn conflict(current: Option<&Ticket>) -> String {
    match current {
        Some(ticket) => {
            format!("ticket `{}` was changed by somebody else and is now at revision {}", ticket.id, ticket.revision)
        }
        None => "the ticket was removed or damaged by somebody else".into(),
    }
}

/// The border where a store fails before any ticket is asked for.
impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let text = error.chain();
        match error.kind() {
            store::Kind::Invalid => Self::Invalid(text),
            store::Kind::TooLarge(_) => Self::TooLarge(text),
            store::Kind::Denied => Self::Denied(text),
            store::Kind::Unavailable => Self::Unavailable(text),
            store::Kind::Uncertain => Self::Uncertain(text),
            store::Kind::Corrupt => Self::Corrupt(text),
        }
    }
}
