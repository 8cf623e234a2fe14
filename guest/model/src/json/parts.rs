//! The parts of a valid JSON text, as the slices of it that they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Visitor};

use super::strings::after_string;

/// One member of an object: the key's token, quotes and all, and the value's text.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key's token, with its quotes.
    pub key: &'a str,
    /// The value's text.
    pub value: &'a str,
}

/// The items of an array, none for anything else.
pub fn items(text: &str) -> Option<impl Iterator<Item = &str>> {
    let mut walk = Walk::into(text, b'[')?;
    Some(std::iter::from_fn(move || walk.next()))
}

/// The members of an object in their order, none for anything else.
pub fn members(text: &str) -> Option<impl Iterator<Item = Member<'_>>> {
    let mut walk = Walk::into(text, b'{')?;
    Some(std::iter::from_fn(move || Some(Member { key: walk.next()?, value: walk.next()? })))
}

/// The value of `key` in an object; none for anything else.
pub fn member<'a>(text: &'a str, key: &[u8]) -> Option<&'a str> {
    Walk::into(text, b'{')?.last_under(key)
}

/// Those items of an array that are objects with this key, each with its value.
pub fn items_with<'a>(text: &'a str, key: &[u8]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut walk = Walk::into(text, b'[');
    std::iter::from_fn(move || {
        let walk = walk.as_mut()?;
        loop {
            let from = walk.skip_to_value();
            if text.as_bytes().get(from) != Some(&b'{') {
                walk.next()?;
                continue;
            }
            // One walk both finds the key and passes the item.
            let mut inner = Walk { text, at: from + 1 };
            let value = inner.last_under(key);
            walk.at = inner.at + 1;
            if let Some(value) = value {
                return Some((&text[from..walk.at], value));
            }
        }
    })
}

/// A walk over the values of one container of a valid text; a key counts as a value.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Behind the bracket, where the text is a container of that kind.
    fn into(text: &'a str, bracket: u8) -> Option<Self> {
        let at = text.bytes().position(|byte| !is_space(byte))?;
        (text.as_bytes()[at] == bracket).then_some(Self { text, at: at + 1 })
    }

    fn skip_to_value(&mut self) -> usize {
        let between = |&byte: &u8| is_space(byte) || matches!(byte, b',' | b':');
        while self.text.as_bytes().get(self.at).is_some_and(between) {
            self.at += 1;
        }
        self.at
    }

    /// The value of `key` in the rest of an object, which it walks to its end; of a duplicate key, the last.
    fn last_under(&mut self, key: &[u8]) -> Option<&'a str> {
        let mut found = None;
        while let Some(token) = self.next() {
            let value = self.next()?;
            if says(token, key) {
                found = Some(value);
            }
        }
        found
    }

    fn next(&mut self) -> Option<&'a str> {
        let from = self.skip_to_value();
        let bytes = self.text.as_bytes();
        self.at = match bytes.get(from)? {
            b'}' | b']' => return None,
            b'"' => after_string(bytes, from),
            b'{' | b'[' => after_container(bytes, from),
            _ => from + bytes[from..].iter().take_while(|&&byte| !ends_scalar(byte)).count(),
        };
        Some(&self.text[from..self.at])
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn ends_scalar(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b',' | b']' | b'}')
}

/// Where the container that begins at `at` of a valid text ends.
#[inline(never)]
fn after_container(bytes: &[u8], mut at: usize) -> usize {
    let mut open = 0_usize;
    while let Some(byte) = bytes.get(at) {
        at = if *byte == b'"' { after_string(bytes, at) } else { at + 1 };
        match byte {
            b'{' | b'[' => open += 1,
            b'}' | b']' if open == 1 => return at,
            b'}' | b']' => open -= 1,
            _ => {}
        }
    }
    at
}

/// What a string token says, as bytes: stored text may hold half a surrogate pair, which no `str` can.
pub fn text_of(token: &str) -> Cow<'_, [u8]> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    let plain = inside(token);
    if !plain.contains('\\') {
        return Cow::Borrowed(plain.as_bytes());
    }
    serde_json::Deserializer::from_str(token)
        .deserialize_bytes(Text)
        .map_or(Cow::Borrowed(token.as_bytes()), Cow::Owned)
}

/// The text between the quotes of a string token.
fn inside(token: &str) -> &str {
    token.get(1..token.len().saturating_sub(1)).unwrap_or_default()
}

/// Whether a string token says this; without an escape it does so byte for byte.
fn says(token: &str, text: &[u8]) -> bool {
    let plain = inside(token).as_bytes();
    plain == text || (plain.contains(&b'\\') && text_of(token).as_ref() == text)
}

/// The members of an object by their decoded keys; of a duplicate key the last, as in Python.
pub fn by_key(text: &str) -> Option<BTreeMap<Cow<'_, [u8]>, Member<'_>>> {
    Some(members(text)?.map(|member| (text_of(member.key), member)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn parts_are_slices_of_the_text() {
        let listed = |text| Some(items(text)?.collect::<Vec<_>>());
        assert_eq!(listed(" [ 1.0 , {\"a\": 2}, \"x\" ] ").unwrap(), ["1.0", "{\"a\": 2}", "\"x\""]);
        let text = "{\"a\\u0062\" : 18446744073709551616, \"\\ud800\":[ ]}";
        let members: Vec<_> = members(text).unwrap().collect();
        assert_eq!((members[0].key, members[0].value), ("\"a\\u0062\"", "18446744073709551616"));
        assert_eq!((members[1].key, members[1].value), ("\"\\ud800\"", "[ ]"));
        assert!(items("{}").is_none() && super::members("[]").is_none());
    }

    #[test]
    fn items_and_members_are_what_serde_json_finds() {
        let spaces = ["", " ", "\n\t", "\r  "];
        let parts = [
            "1",
            "-0.5e+7",
            "null",
            "\"\"",
            "\"a,b]}\\\\\"",
            "\"\\\"[\"",
            "[]",
            "{ }",
            "[[1],{\"a\":\"]\"}]",
            "\"é\\ud800\"",
        ];
        for (n, first) in parts.into_iter().enumerate() {
            for (m, second) in parts.into_iter().enumerate() {
                let [s, t] = [spaces[n % 4], spaces[(n + m) % 4]];
                let list = format!("{s}[{t}{first}{s},{t}{second}{s}]{t}");
                let raw: Vec<&RawValue> = serde_json::from_str(&list).unwrap();
                assert!(items(&list).unwrap().eq(raw.into_iter().map(RawValue::get)), "{list}");
                let object = format!("{s}{{{t}\"id\"{s}:{t}{first}{s},{t}\"\\u0069d\":{s}{second}{t}}}{s}");
                let values: Vec<_> = members(&object).unwrap().map(|member| member.value).collect();
                assert_eq!(values, [first, second], "{object}");
                assert_eq!(member(&object, b"id"), Some(second), "of a duplicate key the last counts");
                let (inner, list) = (object.trim(), format!("{s}[{first},{object},{{}},{object}]"));
                assert!(items_with(&list, b"id").eq([(inner, second); 2]), "{list}");
            }
        }
        assert_eq!(items_with("{}", b"id").next(), None);
        assert_eq!(member("[\"id\",1]", b"id"), None);
    }

    #[test]
    fn keys_are_compared_by_what_they_say() {
        assert_eq!(text_of("\"ab\""), text_of("\"\\u0061\\u0062\""));
        assert_ne!(text_of("\"\\ud800\""), text_of("\"\\ud801\""));
        assert_ne!(text_of("\"\\ud800\""), text_of("\"?\""));
    }
}
