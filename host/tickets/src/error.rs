//! Why an operation on tickets was refused: one variant for each thing that a caller can do about it.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Deref;

use crate::ticket::Ticket;
use ticket_store as store;

/// Any error, boxed.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why an operation was refused. After all variants but `Uncertain` and `Internal`, nothing was written.
///
/// `Display` is one line with everything that is known, the messages of its sources included, and free of secrets.
/// [`source`](StdError::source) is the [`store::Error`] from which the refusal came, if it came from the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call is wrong: correct it.
    #[error(transparent)]
    Invalid(Reason),
    /// A message, ticket or history is over its limit, or would be: store less.
    #[error(transparent)]
    TooLarge(Reason),
    /// There is already a ticket with this id.
    #[error(transparent)]
    Exists(Reason),
    /// There is no ticket with this id: it was never created, or it expired or was closed.
    #[error(transparent)]
    NotFound(Reason),
    /// Another client changed the ticket first: the ticket as it is now, or none if it is gone or damaged.
    #[error("{}", conflict(.0.as_deref()))]
    Conflict(Option<Box<Ticket>>),
    /// The stored data is not a ticket. Only `rollback` and `close` replace it.
    #[error(transparent)]
    Corrupt(Reason),
    /// The ticket has a newer schema version than this engine knows. It is never overwritten.
    #[error(transparent)]
    UnsupportedVersion(Reason),
    /// The store forbids the operation: ask its operator.
    #[error(transparent)]
    Denied(Reason),
    /// The store is down: try again later.
    #[error(transparent)]
    Unavailable(Reason),
    /// The store did not answer. The change was made wholly or not at all: read the ticket before another attempt.
    #[error(transparent)]
    Uncertain(Reason),
    /// A defect of the ticket engine or of its host. The change may or may not have been made.
    #[error("the ticket engine failed: this is a defect, please report it")]
    Internal(#[source] BoxError),
}

impl Error {
    pub(crate) fn internal(error: impl Into<BoxError>) -> Self {
        Self::Internal(error.into())
    }

    /// The same error with the error of the store from which it came.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: store::Error) -> Self {
        match &mut self {
            Self::Invalid(reason)
            | Self::TooLarge(reason)
            | Self::Exists(reason)
            | Self::NotFound(reason)
            | Self::Corrupt(reason)
            | Self::UnsupportedVersion(reason)
            | Self::Denied(reason)
            | Self::Unavailable(reason)
            | Self::Uncertain(reason) => reason.source = Some(Box::new(error)),
            Self::Conflict(_) | Self::Internal(_) => {}
        }
        self
    }
}

/// The text of an [`Error`], which can be used as a `&str`, and its source.
#[derive(Debug)]
pub struct Reason {
    text: String,
    source: Option<BoxError>,
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, source: None }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Reason {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

fn conflict(current: Option<&Ticket>) -> String {
    match current {
        Some(ticket) => {
            format!("ticket `{}` was changed by another client and is now at revision {}", ticket.id, ticket.revision)
        }
        None => "the ticket was removed or damaged by another client".into(),
    }
}

/// The same refusal, for what is asked of a store outside of the engine.
impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let text = error.chain().into();
        let refusal = match error.kind() {
            store::Kind::Invalid => Self::Invalid(text),
            store::Kind::TooLarge(_) => Self::TooLarge(text),
            store::Kind::Denied => Self::Denied(text),
            store::Kind::Unavailable => Self::Unavailable(text),
            store::Kind::Uncertain => Self::Uncertain(text),
            store::Kind::Corrupt => Self::Corrupt(text),
        };
        refusal.caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_store_is_the_source() {
        let error = Error::from(store::Error::new(store::Kind::Denied, "no").caused_by("why"));
        assert_eq!(error.to_string(), "no: why");
        let source = error.source().and_then(|source| source.downcast_ref::<store::Error>());
        assert_eq!(source.map(store::Error::kind), Some(store::Kind::Denied));
    }
}
