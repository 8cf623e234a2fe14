//! Ticket ids: parsed once, trusted after; the only file that builds or reads keys.

use std::fmt;

use ticket_model::id::{ID_CHARS_MAX, KEY_PREFIX, advice, excerpt, id_of_key, is_id};

use crate::error::Error;

/// A ticket id: 1 to 128 of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TicketId(String);

impl TicketId {
    pub(crate) fn parse(text: String) -> Result<Self, Error> {
        if is_id(&text) {
            return Ok(Self(text));
        }
        Err(Error::Invalid(format!("invalid ticket id {}: {}", excerpt(&text), advice(&text))))
    }

    /// The id that a key names; none for keys of anything else.
    pub(crate) fn of_key(key: &str) -> Option<String> {
        id_of_key(key).map(str::to_owned)
    }

    /// The key of this ticket.
    pub(crate) fn key(&self) -> String {
        [KEY_PREFIX, &self.0].concat()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Refuses a prefix that no id can have.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), Error> {
    // The beginning of an id is one, too.
    if prefix.is_empty() || is_id(prefix) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "no ticket id begins with {}: use at most {ID_CHARS_MAX} of A-Z a-z 0-9 . _ -, the first a letter or digit",
        excerpt(prefix)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_names_of_at_most_128_characters() {
        for good in ["a", "9", "e835743f-afd1-4ccd-8747-6220b45d83d9", "A.b_c-d", &"x".repeat(128)] {
            assert_eq!(TicketId::parse(good.into()).unwrap().key(), format!("ticket:{good}"));
        }
        for bad in ["", "-a", "{a}", "a b", "a*", "a:b", "a\r\n", "a\0", "ä", &"x".repeat(129)] {
            assert!(matches!(TicketId::parse(bad.into()), Err(Error::Invalid(_))), "{bad:?}");
        }
    }

    #[test]
    fn an_error_shows_what_to_use_instead() {
        let text = TicketId::parse("user:17".into()).unwrap_err().to_string();
        assert!(text.contains("`userZ3A17`"), "{text}");
    }

    #[test]
    fn a_huge_id_gives_a_short_and_printable_error() {
        let text = TicketId::parse("\u{1b}]0;".repeat(2_500_000)).unwrap_err().to_string();
        assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn keys_of_other_things_name_no_id() {
        assert_eq!(TicketId::of_key("ticket:a"), Some("a".into()));
        assert_eq!(TicketId::of_key("ticket:a:b"), None);
        assert_eq!(TicketId::of_key("session:a"), None);
    }
}
