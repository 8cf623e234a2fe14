//! What is wrong with a transcript.

/// Why a text is not a conversation: the place in it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same, inside of `place`.
    pub(crate) fn within(self, place: &str) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

impl From<serde_json::Error> for Invalid {
    /// Without the line, which is always 1.
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string().replace(" at line 1 column ", " at column "))
    }
}
