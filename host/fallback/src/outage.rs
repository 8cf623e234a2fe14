//! Why a primary does not serve: it is down, or it is misconfigured.

use ticket_store::{Error, Misconfiguration};

/// Why a primary does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outage {
    /// It cannot be reached, is too slow, or refuses calls for now. Waiting may help.
    Down {
        /// The last error of the primary.
        error: String,
    },
    /// It refuses the way in which it is used, until someone corrects that. Waiting does not help.
    Misconfigured {
        /// What must be corrected.
        misconfiguration: Misconfiguration,
        /// The last error of the primary.
        error: String,
    },
}

impl Outage {
    pub(super) fn of(error: &Error) -> Self {
        let text = error.chain();
        match error.misconfiguration().cloned() {
            None => Self::Down { error: text },
            Some(misconfiguration) => Self::Misconfigured { misconfiguration, error: text },
        }
    }

    /// What must be corrected; none if the primary is down.
    #[must_use]
    pub fn misconfiguration(&self) -> Option<&Misconfiguration> {
        match self {
            Self::Down { .. } => None,
            Self::Misconfigured { misconfiguration, .. } => Some(misconfiguration),
        }
    }

    /// The last error of the primary.
    #[must_use]
    pub fn error(&self) -> &str {
        match self {
            Self::Down { error } | Self::Misconfigured { error, .. } => error,
        }
    }

    /// What is wrong with the store of a name and what to do, without the error if it says the same. `url` is what the
    /// reader calls the store URL.
    #[must_use]
    pub fn describe(&self, store: &str, url: &str) -> String {
        match self {
            Self::Down { error } => format!("{store} is down ({error})"),
            Self::Misconfigured { misconfiguration: setting @ Misconfiguration::Other, error } => {
                format!("{store} {setting} ({error}): {}", setting.remedy(url))
            }
            Self::Misconfigured { misconfiguration: setting, .. } => {
                format!("{store} {setting}: {}", setting.remedy(url))
            }
        }
    }
}
