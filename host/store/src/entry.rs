//! What is in a store: entries, their revisions, and the answers of the store's operations.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ENTRY_BYTES_MAX;
use super::error::{Error, Kind};
use super::key::{Key, excerpt};

/// Bytes of most revisions: a deadline, two times, three lengths.
const REVISION_BYTES_USUAL: usize = 64;

/// What a field takes besides its name and text, in bytes.
const FIELD_BYTES: usize = 64;

/// Names and texts of one entry, each name once, in no promised order.
pub type Fields = Vec<(String, String)>;

/// Refuses what no store takes as an entry: no field, a name twice, too many bytes.
pub fn check_fields(fields: &Fields) -> Result<(), Error> {
    let bytes: usize = fields.iter().map(|(name, text)| name.len() + text.len()).sum();
    if bytes > ENTRY_BYTES_MAX {
        let limit = ENTRY_BYTES_MAX as u64;
        return Err(Error::new(Kind::TooLarge(limit), format!("entry of {bytes} bytes is over the limit of {limit}")));
    }
    if fields.is_empty() {
        return Err(Error::invalid("entry has no field"));
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::invalid(format!("field {} is given twice", excerpt(pair[0])))),
        None => Ok(()),
    }
}

/// One entry as it stood at one moment. It is kept as its fields and its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Fields, u64)", into = "(Fields, u64)")]
pub struct Entry {
    /// All fields; a clone of the entry shares them.
    pub fields: Arc<Fields>,
    /// The state that they are.
    pub revision: Revision,
    /// Milliseconds since the epoch by the store's clock; 0 for an entry without a deadline.
    pub expires_at_ms: u64,
}

impl Entry {
    /// An entry with these fields and this deadline; the revision follows from both.
    pub fn new(fields: impl Into<Arc<Fields>>, expires_at_ms: u64) -> Self {
        let fields = fields.into();
        Self { revision: Revision::of(&fields, expires_at_ms), fields, expires_at_ms }
    }

    /// Its fields, to be owned.
    #[must_use]
    pub fn into_fields(self) -> Fields {
        Arc::unwrap_or_clone(self.fields)
    }
}

impl Entry {
    /// Bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.fields.iter().map(|(name, text)| name.len() + text.len() + FIELD_BYTES).sum()
    }
}

impl From<(Fields, u64)> for Entry {
    fn from((fields, expires_at_ms): (Fields, u64)) -> Self {
        Self::new(fields, expires_at_ms)
    }
}

impl From<Entry> for (Fields, u64) {
    fn from(entry: Entry) -> Self {
        let expires_at_ms = entry.expires_at_ms;
        (entry.into_fields(), expires_at_ms)
    }
}

/// Opaque text that names one state of one entry, at no cost in fields:
/// `deadline.created_at.updated_at.len(facts).len(history).len(last_decision)`.
///
/// Every store computes it alike, so a revision stays true when an entry moves from one store to another.
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

    /// The revision of an entry whose field of a name is what `field` gives for it, empty for a missing one.
    pub fn of_bytes<'entry>(expires_at_ms: u64, field: impl Fn(&str) -> &'entry [u8]) -> Self {
        let mut text = String::with_capacity(REVISION_BYTES_USUAL);
        pieces(expires_at_ms, field, |piece| {
            text.push_str(piece);
            true
        });
        Self(text.into())
    }

    /// Whether this is the revision that [`Revision::of_bytes`] gives.
    pub fn names<'entry>(&self, expires_at_ms: u64, field: impl Fn(&str) -> &'entry [u8]) -> bool {
        let mut rest = Some(&*self.0);
        let all = pieces(expires_at_ms, field, |piece| {
            rest = rest.and_then(|rest| rest.strip_prefix(piece));
            rest.is_some()
        });
        all && rest == Some("")
    }

    /// The text to give back.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The deadline that it names; 0 for none and for text that no store made.
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

/// The pieces of a revision in their order, as long as `take` wants them; whether it took all.
fn pieces<'entry>(
    expires_at_ms: u64,
    field: impl Fn(&str) -> &'entry [u8],
    mut take: impl FnMut(&str) -> bool,
) -> bool {
    let mut digits = itoa::Buffer::new();
    take(digits.format(expires_at_ms))
        && ["created_at", "updated_at"].iter().all(|name| take(".") && take(seconds(field(name))))
        && ["facts", "history", "last_decision"].iter().all(|name| take(".") && take(digits.format(field(name).len())))
}

/// A time field as it may stand in a revision: whatever a foreign client wrote there, the revision stays
/// short and printable. A time that is none becomes `?`.
fn seconds(text: &[u8]) -> &str {
    const DIGITS_MAX: usize = 20;
    match std::str::from_utf8(text) {
        Ok(digits) if digits.len() <= DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        Ok(_) | Err(_) => "?",
    }
}

/// The fields of a write, and the state that they replace where the caller knows it: what is the same in both need not
/// travel.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// All of them.
    pub fields: &'a Fields,
    /// What they replace; none where that is not known.
    pub base: Option<&'a Entry>,
}

impl<'a> Content<'a> {
    /// Names of fields that stay as they are, and the fields that change, where `when` names the base; else all fields.
    pub fn split(&self, when: &Condition) -> (Vec<&'a str>, Vec<&'a (String, String)>) {
        let base = self.base.filter(|base| matches!(when, Condition::At(revision) if *revision == base.revision));
        let (kept, changed): (Vec<_>, Vec<_>) =
            self.fields.iter().partition(|field| base.is_some_and(|base| base.fields.contains(field)));
        // A write has a field to write.
        if changed.is_empty() {
            return (Vec::new(), kept);
        }
        (kept.into_iter().map(|(name, _)| name.as_str()).collect(), changed)
    }
}

/// What must hold for a change to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is there.
    Absent,
    /// Something is there, of whatever content.
    Present,
    /// This state is there.
    At(Revision),
}

impl Condition {
    /// Whether it holds where this is there.
    pub fn holds(&self, there: Option<&Entry>) -> bool {
        match self {
            Self::Absent => there.is_none(),
            Self::Present => there.is_some(),
            Self::At(revision) => there.is_some_and(|entry| entry.revision == *revision),
        }
    }
}

/// How new the answer to a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// At least as new as every change applied before the call.
    Latest,
    /// A last known copy will do: it only feeds a conditional change.
    Recent,
}

/// The answer to a conditional change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written or touched: the new state and its deadline.
    Written {
        /// The new state.
        revision: Revision,
        /// Its deadline, as in [`Entry`].
        expires_at_ms: u64,
    },
    /// Removed, or nothing was there and nothing was wanted.
    Removed,
    /// The condition did not hold: what is there instead.
    Refused(Option<Entry>),
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Keys in no promised order; may be empty, may repeat a key.
    pub keys: Vec<Key>,
    /// Where the next page begins; none after the last.
    pub cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_revision_names_deadline_times_and_lengths() {
        let entry = fields(&[("facts", "{}"), ("history", "[\"é\"]"), ("created_at", "17"), ("updated_at", "18")]);
        let revision = Revision::of(&entry, 1_900);
        assert_eq!(revision.as_str(), "1900.17.18.2.6.0");
        let names = |text: &str| Revision::from(text.to_owned()).names(1_900, |name| field_of(&entry, name));
        assert!(names("1900.17.18.2.6.0"));
        for other in ["", "1900", "1900.17.18.2.6.", "1900.17.18.2.6.00", "1900.17.18.2.6.0.", "1900.17.18.2.60"] {
            assert!(!names(other), "{other}");
        }
        assert_eq!(revision.deadline_ms(), 1_900);
    }

    #[test]
    fn a_revision_stays_short_and_printable_whatever_the_times_are() {
        let entry = fields(&[("created_at", "1\u{1b}[2J"), ("updated_at", &"9".repeat(21))]);
        assert_eq!(Revision::of(&entry, 0).as_str(), "0.?.?.0.0.0");
        for text in ["", "x", "-1.2", "99999999999999999999999.1"] {
            assert_eq!(Revision::from(text.to_owned()).deadline_ms(), 0, "{text:?}");
        }
    }

    #[test]
    fn only_changed_fields_travel_where_the_state_that_they_replace_is_named() {
        let base = Entry::new(fields(&[("facts", "{}"), ("history", "[]"), ("mood", "good")]), 1_900);
        let at = Condition::At(base.revision.clone());
        let new = fields(&[("facts", "{}"), ("history", "[1]"), ("version", "1")]);
        let over = Content { fields: &new, base: Some(&base) };
        assert_eq!(over.split(&at), (vec!["facts"], vec![&new[1], &new[2]]));
        let all: Vec<_> = new.iter().collect();
        let other = Condition::At(Revision::from("1".to_owned()));
        for when in [&Condition::Absent, &Condition::Present, &other] {
            assert_eq!(over.split(when), (Vec::new(), all.clone()));
        }
        assert_eq!(Content { fields: &new, base: None }.split(&at), (Vec::new(), all));
        let same = Content { fields: &base.fields, base: Some(&base) };
        assert_eq!(same.split(&at), (Vec::new(), base.fields.iter().collect()), "never none at all");
    }

    #[test]
    fn entries_that_no_store_takes_are_refused() {
        assert_eq!(check_fields(&Fields::new()).expect_err("empty").kind(), Kind::Invalid);
        assert_eq!(check_fields(&fields(&[("a", "1"), ("a", "2")])).expect_err("twice").kind(), Kind::Invalid);
        let most = vec![("a".to_owned(), "x".repeat(ENTRY_BYTES_MAX - 1))];
        assert!(check_fields(&most).is_ok());
        let more = vec![("a".to_owned(), "x".repeat(ENTRY_BYTES_MAX))];
        let limit = ENTRY_BYTES_MAX as u64;
        assert_eq!(check_fields(&more).expect_err("large").kind(), Kind::TooLarge(limit));
    }
}
