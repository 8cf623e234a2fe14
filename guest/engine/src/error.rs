//! Why an operation was refused: the engine's errors, and how the port's become them.

use std::fmt;

use ticket_model::port::KeyValueError;
use ticket_model::ticket::Ticket;

/// Why an operation was refused; see `tickets.wit` for what the caller may do about each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input is wrong.
    Invalid(String),
    /// Past a limit.
    TooLarge(String),
    /// The ticket exists already.
    Exists(String),
    /// The ticket does not exist.
    NotFound(String),
    /// Another client was first; the current ticket.
    Conflict(Option<Box<Ticket>>),
    /// What is stored is not a ticket.
    Corrupt(String),
    /// A newer schema version.
    UnsupportedVersion(String),
    /// Forbidden.
    Denied(String),
    /// Not served now; nothing was written.
    Unavailable(String),
    /// The change was made as a whole or not at all.
    Uncertain(String),
}

impl From<KeyValueError> for Error {
    fn from(error: KeyValueError) -> Self {
        match error {
            KeyValueError::Invalid(text) => Self::Invalid(text),
            KeyValueError::TooLarge(bytes_max) => {
                Self::TooLarge(format!("ticket is larger than the {bytes_max} bytes that the host stores"))
            }
            KeyValueError::Denied(text) => Self::Denied(text),
            KeyValueError::Unavailable(text) => Self::Unavailable(text),
            KeyValueError::Uncertain(text) => Self::Uncertain(text),
            KeyValueError::Corrupt(text) => Self::Corrupt(text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text)
            | Self::TooLarge(text)
            | Self::Exists(text)
            | Self::NotFound(text)
            | Self::Corrupt(text)
            | Self::UnsupportedVersion(text)
            | Self::Denied(text)
            | Self::Unavailable(text)
            | Self::Uncertain(text) => f.write_str(text),
            Self::Conflict(Some(ticket)) => {
                write!(f, "ticket `{}` was changed by another client and is at revision {}", ticket.id, ticket.revision)
            }
            Self::Conflict(None) => f.write_str("ticket was removed or damaged by another client"),
        }
    }
}

impl std::error::Error for Error {}
