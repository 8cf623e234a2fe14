//! Keys and namespaces: checked once, when they are parsed.

use std::borrow::Cow;
use std::fmt;

use ticket_model::id::{ID_CHARS_MAX, KEY_PREFIX, excerpt, id_of_key, is_id};

use crate::error::Error;

/// Longest namespace, in characters.
const NAMESPACE_CHARS_MAX: usize = 64;

/// The key of an entry: `ticket:` and a ticket id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<str>);

impl Key {
    /// Parses `ticket:ID`, where the id is 1 to 128 of `A-Z a-z 0-9 . _ -` and begins with a letter or digit.
    ///
    /// # Errors
    /// `Invalid` for everything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if id_of_key(text).is_some() {
            return Ok(Self(text.into()));
        }
        Err(Error::invalid(format!(
            "invalid key {}: use `{KEY_PREFIX}` and 1 to {ID_CHARS_MAX} of A-Z a-z 0-9 . _ -, first a letter or digit",
            excerpt(text)
        )))
    }

    /// Parses the cursor of a store whose cursors are keys.
    pub(crate) fn parse_cursor(text: &str) -> Result<Self, Error> {
        Self::parse(text).map_err(|_| Error::invalid_cursor(text))
    }

    /// The key of a ticket id.
    ///
    /// # Errors
    /// As [`Key::parse`].
    pub fn of_ticket(id: &str) -> Result<Self, Error> {
        Self::parse(&format!("{KEY_PREFIX}{id}"))
    }

    /// The whole key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ticket's id.
    #[must_use]
    pub fn ticket_id(&self) -> &str {
        self.0.strip_prefix(KEY_PREFIX).unwrap_or_default()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that separates the tickets of one application from others in the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(Box<str>);

impl Namespace {
    /// Parses 1 to 64 of `A-Z a-z 0-9 . _ -` that begin with a letter or digit.
    ///
    /// # Errors
    /// `Invalid` for everything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if is_id(text) && text.len() <= NAMESPACE_CHARS_MAX {
            return Ok(Self(text.into()));
        }
        Err(Error::invalid(format!(
            "invalid namespace {}: use 1 to {NAMESPACE_CHARS_MAX} of A-Z a-z 0-9 . _ -, first a letter or digit",
            excerpt(text)
        )))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How keys are named in a store that other applications use too: `NAMESPACE:ticket:ID`, or `ticket:ID` without one.
#[derive(Clone, Debug, Default)]
pub struct KeyNames {
    prefix: String,
}

impl KeyNames {
    /// The names of a namespace, or names without one.
    #[must_use]
    pub fn new(namespace: Option<&Namespace>) -> Self {
        Self { prefix: namespace.map(|name| format!("{}:", name.0)).unwrap_or_default() }
    }

    /// The name in the store.
    #[must_use]
    pub fn stored<'key>(&self, key: &'key Key) -> Cow<'key, str> {
        if self.prefix.is_empty() { Cow::Borrowed(&key.0) } else { Cow::Owned(format!("{}{}", self.prefix, key.0)) }
    }

    /// The key of a name in the store; none for a name of another namespace or one that is not a ticket's.
    #[must_use]
    pub fn key(&self, stored: &str) -> Option<Key> {
        Key::parse(stored.strip_prefix(self.prefix.as_str())?).ok()
    }

    /// What every name of this namespace begins with.
    #[must_use]
    pub fn stored_prefix(&self) -> String {
        format!("{}{KEY_PREFIX}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_ticket_ids_are_accepted() {
        for good in ["ticket:a", "ticket:9", "ticket:A.b_c-d", &format!("ticket:{}", "x".repeat(128))] {
            let key = Key::parse(good).expect(good);
            assert_eq!(key.as_str(), good);
            assert_eq!(Key::of_ticket(key.ticket_id()).expect(good), key);
        }
        let long = format!("ticket:{}", "x".repeat(129));
        for bad in [
            "",
            "ticket:",
            "Ticket:a",
            "ticket:.a",
            "ticket:a b",
            "ticket:{a}",
            "ticket:a*",
            "ticket:a:b",
            "ticket:ä",
            "ticket:a\r\n",
            "ticket:a\0",
            &long,
        ] {
            assert!(Key::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_shows_the_beginning_of_a_huge_key_escaped() {
        let error = Key::parse(&"\u{1b}[2J".repeat(3_000_000)).expect_err("not a key").to_string();
        assert!(error.len() < 400, "{}", error.len());
        assert!(!error.contains('\u{1b}'));
    }

    #[test]
    fn stored_names_stay_within_their_namespace() {
        let key = Key::parse("ticket:a").expect("key");
        let plain = KeyNames::default();
        let named = KeyNames::new(Some(&Namespace::parse("shop").expect("namespace")));
        assert_eq!(plain.stored(&key), "ticket:a");
        assert_eq!(named.stored(&key), "shop:ticket:a");
        assert_eq!(named.key("shop:ticket:a"), Some(key.clone()));
        assert_eq!(named.key("ticket:a"), None);
        assert_eq!(plain.key("shop:ticket:a"), None);
        assert!(Namespace::parse("a:b").is_err());
    }
}
