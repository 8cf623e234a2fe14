//! JSON pointers (RFC 6901) into a valid text.

use std::fmt;

use crate::error::Error;
use ticket_model::id::excerpt;
use ticket_model::json;
use ticket_model::limits::JSON_DEPTH_MAX;

/// The tokens of a pointer, decoded; none for the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer; `Invalid` if it is not one, or has more tokens than JSON has levels.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |why: &str| Err(Error::Invalid(format!("JSON pointer {} {why}", excerpt(text))));
        let Some(rest) = text.strip_prefix('/') else {
            return if text.is_empty() { Ok(Self(Vec::new())) } else { invalid("does not begin with `/`") };
        };
        let mut tokens = Vec::new();
        for token in rest.split('/') {
            match decode(token) {
                Some(token) => tokens.push(token),
                None => return invalid("has a `~` that is not `~0` (for `~`) or `~1` (for `/`)"),
            }
            if tokens.len() > JSON_DEPTH_MAX as usize {
                return invalid(&format!("has more than {JSON_DEPTH_MAX} tokens"));
            }
        }
        Ok(Self(tokens))
    }

    pub(crate) fn tokens(&self) -> &[String] {
        &self.0
    }

    /// The pointer without its last token.
    pub(crate) fn parent(&self) -> Self {
        Self(self.0.split_last().map(|(_, before)| before.to_vec()).unwrap_or_default())
    }

    /// The value that it names in a valid text.
    pub(crate) fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.0.iter().try_fold(text.trim_ascii(), |value, token| {
            if value.starts_with('[') {
                json::items(value)?.nth(index(token)?)
            } else {
                json::member(value, token.as_bytes())
            }
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

fn decode(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push(match part.as_bytes().first() {
            Some(b'0') => '~',
            Some(b'1') => '/',
            _ => return None,
        });
        out.push_str(&part[1..]);
    }
    Some(out)
}

/// The index that a token is: digits without a leading zero.
fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    digits.then(|| token.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_hold() {
        let text = r#" {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6,
            " ": 7, "m~n": 8}"#;
        for (pointer, value) in [
            ("", Some(text.trim())),
            ("/foo", Some(r#"["bar", "baz"]"#)),
            ("/foo/0", Some("\"bar\"")),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/c%d", Some("2")),
            ("/e^f", Some("3")),
            ("/g|h", Some("4")),
            ("/i\\j", Some("5")),
            ("/k\"l", Some("6")),
            ("/ ", Some("7")),
            ("/m~0n", Some("8")),
            ("/foo/2", None),
            ("/foo/-", None),
            ("/foo/01", None),
            ("/foo/", None),
            ("/foo/0/0", None),
            ("/m~0n/x", None),
            ("/none", None),
        ] {
            assert_eq!(Pointer::parse(pointer).unwrap().find(text), value, "{pointer}");
        }
        assert_eq!(Pointer::parse("/~01").unwrap().tokens(), ["~1"]);
    }

    #[test]
    fn what_is_not_a_pointer_is_refused() {
        let deep = "/a".repeat(65);
        for text in ["a", "a/b", "/~", "/~2", "/a~", "#/a", &deep] {
            assert!(matches!(Pointer::parse(text), Err(Error::Invalid(_))), "{text}");
        }
        assert!(Pointer::parse(&deep[2..]).is_ok());
    }
}
