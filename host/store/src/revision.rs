//! The revision of an entry: a text that identifies one state of it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ticket_model::field;

use crate::fields::Fields;

/// Bytes of most revisions: a deadline, two times, three lengths.
const REVISION_BYTES_USUAL: usize = 64;

/// Parts of a revision.
pub(crate) const PARTS: usize = 6;

/// Opaque text that identifies one state of one entry without a field of its own:
/// `deadline.created_at.updated_at.len(facts).len(history).len(last_decision)`.
///
/// Every store computes it in the same way, so a revision stays valid if an entry moves to another store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Revision(Arc<str>);

impl From<String> for Revision {
    /// A revision as a caller gave it back.
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Revision> for Arc<str> {
    fn from(revision: Revision) -> Self {
        revision.0
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> Self {
        (*revision.0).to_owned()
    }
}

impl Revision {
    /// The revision of an entry with these fields and this deadline.
    pub fn of(fields: &Fields, expires_at_ms: u64) -> Self {
        Self::of_bytes(expires_at_ms, |name| field_of(fields, name))
    }

    /// The revision of an entry whose fields `field` returns by name, empty for a missing one.
    pub fn of_bytes<'entry>(expires_at_ms: u64, field: impl Fn(&str) -> &'entry [u8]) -> Self {
        let mut text = String::with_capacity(REVISION_BYTES_USUAL);
        parts(expires_at_ms, field, |part| {
            text.push_str(part);
            true
        });
        Self(text.into())
    }

    /// Whether this is the revision that [`Revision::of_bytes`] returns; it allocates nothing.
    pub fn matches<'entry>(&self, expires_at_ms: u64, field: impl Fn(&str) -> &'entry [u8]) -> bool {
        let mut rest = Some(&*self.0);
        let all = parts(expires_at_ms, field, |part| {
            rest = rest.and_then(|rest| rest.strip_prefix(part));
            rest.is_some()
        });
        all && rest == Some("")
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts, as texts; none for text that no store made.
    pub(crate) fn parts(&self) -> Option<[&str; PARTS]> {
        let mut parts = self.0.split('.');
        let mut next = || parts.next().unwrap_or_default();
        let first = [next(), next(), next(), next(), next(), next()];
        (parts.next().is_none() && first.iter().all(|part| !part.is_empty())).then_some(first)
    }

    /// The deadline in it; 0 for none and for text that no store made.
    pub fn deadline_ms(&self) -> u64 {
        self.0.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A field's text, empty for a missing one.
fn field_of<'entry>(fields: &'entry Fields, name: &str) -> &'entry [u8] {
    fields.iter().find(|(field, _)| field == name).map_or(&[], |(_, text)| text.as_bytes())
}

/// Gives the parts of a revision to `take` in their order until it returns false; whether it took all.
fn parts<'entry>(
    expires_at_ms: u64,
    text_of: impl Fn(&str) -> &'entry [u8],
    mut take: impl FnMut(&str) -> bool,
) -> bool {
    let mut digits = itoa::Buffer::new();
    take(digits.format(expires_at_ms))
        && [field::CREATED_AT, field::UPDATED_AT].iter().all(|name| take(".") && take(seconds(text_of(name))))
        && [field::FACTS, field::HISTORY, field::LAST_DECISION]
            .iter()
            .all(|name| take(".") && take(digits.format(text_of(name).len())))
}

/// A time field in a revision: short and printable whatever another client wrote. An invalid time becomes `?`.
fn seconds(text: &[u8]) -> &str {
    const DIGITS_MAX: usize = 20;
    match std::str::from_utf8(text) {
        Ok(digits) if digits.len() <= DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        Ok(_) | Err(_) => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_revision_has_deadline_times_and_lengths() {
        let entry = fields(&[("facts", "{}"), ("history", "[\"é\"]"), ("created_at", "17"), ("updated_at", "18")]);
        let revision = Revision::of(&entry, 1_900);
        assert_eq!(revision.as_str(), "1900.17.18.2.6.0");
        let matches = |text: &str| Revision::from(text.to_owned()).matches(1_900, |name| field_of(&entry, name));
        assert!(matches("1900.17.18.2.6.0"));
        for other in ["", "1900", "1900.17.18.2.6.", "1900.17.18.2.6.00", "1900.17.18.2.6.0.", "1900.17.18.2.60"] {
            assert!(!matches(other), "{other}");
        }
        assert_eq!(revision.deadline_ms(), 1_900);
        assert_eq!(revision.parts(), Some(["1900", "17", "18", "2", "6", "0"]));
        for other in ["", "1900", "1900.17.18.2.6", "1900.17.18.2.6.0.1", "1900..18.2.6.0"] {
            assert_eq!(Revision::from(other.to_owned()).parts(), None, "{other}");
        }
    }

    #[test]
    fn a_revision_is_short_and_printable_for_any_times() {
        let entry = fields(&[("created_at", "1\u{1b}[2J"), ("updated_at", &"9".repeat(21))]);
        assert_eq!(Revision::of(&entry, 0).as_str(), "0.?.?.0.0.0");
        for text in ["", "x", "-1.2", "99999999999999999999999.1"] {
            assert_eq!(Revision::from(text.to_owned()).deadline_ms(), 0, "{text:?}");
        }
    }
}
