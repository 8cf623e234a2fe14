//! Errors of stores: a kind that says what the caller must do, a message, and the source.

use std::error::Error as StdError;
use std::fmt;

use crate::misconfiguration::Misconfiguration;
use crate::text::excerpt;

/// What the caller must do about an [`Error`].
///
/// Exhaustive on purpose: a host must translate every kind for its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Correct the call. Nothing was written.
    Invalid,
    /// Store less: this is the limit in bytes. Nothing was written.
    TooLarge(u64),
    /// Ask the operator: the store forbids it. Nothing was written.
    Denied,
    /// Try later: the store does not serve now. Nothing was written.
    Unavailable,
    /// Read again: the change was applied completely or not at all.
    Uncertain,
    /// Check the data: what is stored is not an entry.
    Corrupt,
}

/// Why a call failed. `Display` is one line, without the source and without secrets.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    is_of_store: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
    misconfiguration: Option<Box<Misconfiguration>>,
}

impl Error {
    /// An error of a kind. The message says what failed, with which value, and why; lower case, without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), is_of_store: false, source: None, misconfiguration: None }
    }

    /// The same error with its source.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, as one that the store has and not the entry: a change of that entry does not help.
    #[must_use]
    pub fn of_store(mut self) -> Self {
        self.is_of_store = true;
        self
    }

    /// The same error, with what failed because of it in front of the message.
    #[must_use]
    pub fn during(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same error with the setting that must be corrected.
    #[must_use]
    pub fn with_misconfiguration(mut self, misconfiguration: impl Into<Option<Misconfiguration>>) -> Self {
        self.misconfiguration = misconfiguration.into().map(Box::new);
        self
    }

    /// An error of kind [`Kind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// An error of kind [`Kind::Invalid`] for a cursor that no page of this store returned.
    #[must_use]
    pub fn invalid_cursor(cursor: &str) -> Self {
        Self::invalid(format!("invalid cursor {}: pass back the cursor of the previous page", excerpt(cursor)))
    }

    /// An error of kind [`Kind::Corrupt`].
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the store has it and not the entry, for example a damaged file.
    #[must_use]
    pub fn is_of_store(&self) -> bool {
        self.is_of_store
    }

    /// The setting that must be corrected; none if the error has another cause, so that waiting may help. An error of
    /// kind [`Kind::Denied`] always has one.
    #[must_use]
    pub fn misconfiguration(&self) -> Option<&Misconfiguration> {
        const OTHER: &Misconfiguration = &Misconfiguration::Other;
        self.misconfiguration.as_deref().or((self.kind == Kind::Denied).then_some(OTHER))
    }

    /// The message and those of all sources, for an interface that carries one text.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
