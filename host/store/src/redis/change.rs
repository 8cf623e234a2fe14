//! A change of one entry, as the scripts take it.

use super::scripts::{self, Argument, Arguments, Script};
use crate::deadline;
use crate::entry::{Condition, Entry};
use crate::fields::Fields;
use crate::limits::TTL_MS_MAX;
use crate::primary::{Expiry, WriteRequest};
use crate::revision::Revision;

/// What is to be done with an entry.
pub(super) enum Change<'a> {
    Write {
        fields: &'a Fields,
        base: Option<&'a Entry>,
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
        let WriteRequest { fields, base, expiry, condition, .. } = request;
        Self::Write { fields, base, expiry, condition }
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
            Self::Write { fields, base, expiry, condition } => {
                let (kept, changed) = split(fields, base, condition);
                let mut rest = Vec::with_capacity(6 + kept.len() + 2 * changed.len());
                rest.extend(condition_arguments(condition));
                rest.extend(expiry_arguments(expiry));
                rest.push(Argument::Number(kept.len() as u64));
                rest.extend(kept.into_iter().map(Argument::Text));
                rest.extend(changed.into_iter().flat_map(|(name, text)| [Argument::Text(name), Argument::Text(text)]));
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

/// Names of the fields that stay as they are, and the fields that change, if the condition names the base; otherwise all
/// fields change.
fn split<'a>(
    fields: &'a Fields,
    base: Option<&Entry>,
    condition: &Condition,
) -> (Vec<&'a str>, Vec<&'a (String, String)>) {
    let base = base.filter(|base| matches!(condition, Condition::At(revision) if *revision == base.revision));
    let (kept, changed): (Vec<_>, Vec<_>) =
        fields.iter().partition(|field| base.is_some_and(|base| base.fields.contains(field)));
    // The script needs at least one field to write.
    if changed.is_empty() {
        return (Vec::new(), kept);
    }
    (kept.into_iter().map(|(name, _)| name.as_str()).collect(), changed)
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
    let ahead_ms_max = TTL_MS_MAX + deadline::slack_ms(TTL_MS_MAX);
    [expiry.expires_at_ms, deadline::slack_ms(expiry.ttl_ms), ahead_ms_max].map(Argument::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn only_changed_fields_are_sent_over_a_named_base() {
        let base = Entry::new(fields(&[("facts", "{}"), ("history", "[]"), ("mood", "good")]), 1_900);
        let at = Condition::At(base.revision.clone());
        let new = fields(&[("facts", "{}"), ("history", "[1]"), ("version", "1")]);
        assert_eq!(split(&new, Some(&base), &at), (vec!["facts"], vec![&new[1], &new[2]]));
        let all: Vec<_> = new.iter().collect();
        let other = Condition::At(Revision::from("1".to_owned()));
        for condition in [&Condition::Absent, &Condition::Present, &other] {
            assert_eq!(split(&new, Some(&base), condition), (Vec::new(), all.clone()));
        }
        assert_eq!(split(&new, None, &at), (Vec::new(), all));
        let same = split(&base.fields, Some(&base), &at);
        assert_eq!(same, (Vec::new(), base.fields.iter().collect()), "at least one field is sent");
    }
}
