//! The kinds of errors of tickets, to compare them in assertions.

use ticket_host::Error;

/// The kind of an error, without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "as in ticket_host::Error")]
pub enum ErrorKind {
    Invalid,
    TooLarge,
    Exists,
    NotFound,
    Conflict,
    Corrupt,
    UnsupportedVersion,
    Denied,
    Unavailable,
    Uncertain,
    Internal,
}

impl From<&Error> for ErrorKind {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(_) => Self::Invalid,
            Error::TooLarge(_) => Self::TooLarge,
            Error::Exists(_) => Self::Exists,
            Error::NotFound(_) => Self::NotFound,
            Error::Conflict(_) => Self::Conflict,
            Error::Corrupt(_) => Self::Corrupt,
            Error::UnsupportedVersion(_) => Self::UnsupportedVersion,
            Error::Denied(_) => Self::Denied,
            Error::Unavailable(_) => Self::Unavailable,
            Error::Uncertain(_) => Self::Uncertain,
            _ => Self::Internal,
        }
    }
}
