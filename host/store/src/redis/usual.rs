//! The usual write: from a known revision to a later deadline, sent for the first time.

use crate::entry::{Condition, Entry};
use crate::fields::Fields;
use crate::primary::WriteRequest;
use crate::revision::PARTS;

/// Bytes of a command besides its texts.
pub(super) const COMMAND_BYTES: usize = 256;

/// What became of a usual write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is applied; milliseconds since the epoch by the server's clock.
    Written(u64),
    /// It is not applied: there is another revision, or something unusual.
    NotWritten,
    /// The reply is not one that a server gives.
    Unexpected,
}

/// A write that can be sent in the usual way.
pub(super) struct UsualWrite<'call> {
    /// The stored name of the entry.
    pub(super) name: &'call str,
    pub(super) revision: [&'call str; PARTS],
    pub(super) expires_at_ms: u64,
    pub(super) changed: Vec<&'call (String, String)>,
    /// Names of the fields that stay as they are.
    pub(super) kept: Vec<&'call str>,
    /// Whether there are the same fields before as afterwards, as far as the host knows.
    pub(super) has_same_names: bool,
}

impl<'call> UsualWrite<'call> {
    /// The write to the entry with this stored name, if it is a usual one.
    pub(super) fn of(request: &WriteRequest<'call>, name: &'call str) -> Option<Self> {
        let Condition::At(revision) = request.condition else { return None };
        let expires_at_ms = request.expiry.expires_at_ms;
        if request.repeated || request.fields.is_empty() || expires_at_ms <= revision.deadline_ms() {
            return None;
        }
        let base = request.base.filter(|base| base.revision == *revision);
        let (changed, kept) = split(request.fields, base);
        let has_same_names = base.is_some_and(|base| same_names(&base.fields, request.fields));
        Some(Self { name, revision: revision.parts()?, expires_at_ms, changed, kept, has_same_names })
    }

    /// Bytes of what changes.
    pub(super) fn bytes(&self) -> usize {
        self.changed.iter().map(|(name, text)| name.len() + text.len()).sum()
    }

    /// How many fields there are afterwards.
    pub(super) fn count(&self) -> usize {
        self.changed.len() + self.kept.len()
    }
}

/// The fields that change, at least one, and the names of those that are as in the base.
fn split<'a>(fields: &'a Fields, base: Option<&Entry>) -> (Vec<&'a (String, String)>, Vec<&'a str>) {
    let (kept, changed): (Vec<_>, Vec<_>) =
        fields.iter().partition(|field| base.is_some_and(|base| base.fields.contains(field)));
    if changed.is_empty() {
        return (kept, Vec::new());
    }
    (changed, kept.into_iter().map(|(name, _)| name.as_str()).collect())
}

fn same_names(one: &Fields, other: &Fields) -> bool {
    one.len() == other.len() && other.iter().all(|(name, _)| one.iter().any(|(known, _)| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn only_changed_fields_are_sent_over_a_known_base() {
        let base = Entry::new(fields(&[("facts", "{}"), ("history", "[]"), ("mood", "good")]), 1_900);
        let new = fields(&[("facts", "{}"), ("history", "[1]"), ("version", "1")]);
        assert_eq!(split(&new, Some(&base)), (vec![&new[1], &new[2]], vec!["facts"]));
        assert_eq!(split(&new, None), (new.iter().collect(), Vec::new()));
        let same = split(&base.fields, Some(&base));
        assert_eq!(same, (base.fields.iter().collect(), Vec::new()), "at least one field is sent");
    }

    #[test]
    fn names_are_the_same_in_any_order() {
        let base = fields(&[("facts", "{}"), ("mood", "good")]);
        assert!(same_names(&base, &fields(&[("mood", ""), ("facts", "")])));
        for other in
            [&[("facts", "")] as &[_], &[("facts", ""), ("version", "")], &[("facts", ""), ("mood", ""), ("x", "")]]
        {
            assert!(!same_names(&base, &fields(other)), "{other:?}");
        }
    }
}
