//! Why a store refused: kinds by what the caller must do, one text, and the source.

use std::error::Error as StdError;
use std::fmt;

/// What the caller must do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Correct the call; nothing was done.
    Invalid,
    /// Store less: the limit in bytes. Nothing was written.
    TooLarge(u64),
    /// Ask the operator: the store forbids it. Nothing was written.
    Denied,
    /// Try later: the store does not serve now. Nothing was written.
    Unavailable,
    /// Find out: the change was made wholly or not at all.
    Uncertain,
    /// Look at the data: what is stored is not an entry.
    Corrupt,
}

/// Why a store refused. `Display` is one line without its source, and free of secrets.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind; `message` is lower case and names the thing and the value.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, with what could not be done because of it in front.
    #[must_use]
    pub fn during(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// An error of kind [`Kind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
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

    /// The text and those of all sources, for a border that cannot carry a chain.
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
