//! A change of one entry, as the scripts take it.

use super::scripts::{self, Argument, Arguments, Script};
use crate::deadline;
use crate::entry::Condition;
use crate::fields::Fields;
use crate::limits::TTL_MS_MAX;
use crate::primary::{Expiry, WriteRequest};
use crate::revision::Revision;

/// What is to be done with an entry.
pub(super) enum Change<'a> {
    Write {
        fields: &'a Fields,
        expiry: Expiry,
        condition: &'a Condition,
    },
    Touch {
        expiry: Expiry,
        /// The only revision that may be touched; any if there is none.
        from: Option<&'a Revision>,
    },
    Remove {
        condition: &'a Condition,
    },
}

impl<'a> From<WriteRequest<'a>> for Change<'a> {
    fn from(request: WriteRequest<'a>) -> Self {
        let WriteRequest { fields, expiry, condition, .. } = request;
        Self::Write { fields, expiry, condition }
    }
}

impl<'a> Change<'a> {
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Touch { .. } => "touch",
            Self::Remove { .. } => "remove",
        }
    }

    pub(super) fn script(&self) -> &'static Script {
        match self {
            Self::Write { .. } => &scripts::WRITE,
            Self::Touch { .. } => &scripts::TOUCH,
            Self::Remove { .. } => &scripts::REMOVE,
        }
    }

    /// The arguments of the script for the entry with this stored name.
    pub(super) fn arguments(&self, name: &'a str) -> Arguments<'a> {
        let rest = match *self {
            Self::Write { fields, expiry, condition } => {
                let mut rest = Vec::with_capacity(5 + 2 * fields.len());
                rest.extend(condition_arguments(condition));
                rest.extend(expiry_arguments(expiry));
                rest.extend(fields.iter().flat_map(|(name, text)| [Argument::Text(name), Argument::Text(text)]));
                rest
            }
            Self::Touch { expiry, from } => {
                let from = from.map(Revision::as_str).unwrap_or_default();
                expiry_arguments(expiry).into_iter().chain([Argument::Text(from)]).collect()
            }
            Self::Remove { condition } => condition_arguments(condition).into(),
        };
        Arguments { name, rest }
    }
}

/// A condition as the scripts take it: its name and the revision.
fn condition_arguments(condition: &Condition) -> [Argument<'_>; 2] {
    let (name, revision) = match condition {
        Condition::Absent => ("absent", ""),
        Condition::Present => ("present", ""),
        Condition::At(revision) => ("at", revision.as_str()),
    };
    [Argument::Text(name), Argument::Text(revision)]
}

/// A deadline as the scripts take it: wanted, slack, most time ahead of the server's clock.
fn expiry_arguments(expiry: Expiry) -> [Argument<'static>; 3] {
    [expiry.expires_at_ms, deadline::slack_ms(expiry.ttl_ms), ahead_ms_max()].map(Argument::Number)
}

/// How far ahead of the server's clock a deadline may be, in milliseconds.
fn ahead_ms_max() -> u64 {
    TTL_MS_MAX + deadline::slack_ms(TTL_MS_MAX)
}
