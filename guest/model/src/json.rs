//! JSON as text: checked in one pass, read as slices, never rebuilt.
//!
//! serde_json decodes strings with escapes; what it does not offer is here: a depth limit that also
//! holds for skipped text, duplicate keys and lone surrogates refused, entries counted on the way, and parts
//! without a second check of what was checked.

mod canonical;
mod parts;
mod scan;
mod strings;

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

pub use canonical::{Canonical, same};
pub use parts::{Member, by_key, items, items_with, member, members, text_of};
pub use scan::{Fault, Kind, Shape, check, check_strict};

/// Reads a JSON object. serde alone takes an array of the values too, for every type that is a struct.
///
/// # Errors
/// If it is not JSON, not an object, or not of this type.
pub fn from_object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    match text.trim_start().as_bytes() {
        [b'[', ..] => Err(serde_json::Error::custom("an array in place of an object")),
        _ => serde_json::from_str(text),
    }
}

/// A struct inside of another value, from an object only; for `deserialize_with`.
///
/// # Errors
/// If it is not an object, or not of this type.
pub fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

/// Valid JSON without the white space between its tokens.
#[must_use]
pub fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = strings::after_string(bytes, at),
            b' ' | b'\t' | b'\r' | b'\n' => {
                out.push_str(&text[from..at]);
                at += 1;
                from = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_not_an_object() {
        #[derive(serde::Deserialize)]
        struct Pair {
            a: u8,
            b: u8,
        }
        assert!(from_object::<Pair>(" {\"a\":1,\"b\":2}").is_ok_and(|pair| pair.a + pair.b == 3));
        assert!(from_object::<Pair>(" [1,2]").is_err());
    }

    #[test]
    fn compacting_drops_white_space_between_tokens_only() {
        assert_eq!(
            compact(" { \"a b\" : [ 1 ,\n\t-2.0e+3, \"\\\" \\\\\" ] }\r\n"),
            "{\"a b\":[1,-2.0e+3,\"\\\" \\\\\"]}"
        );
        assert_eq!(compact("\"x y\""), "\"x y\"");
        assert_eq!(compact("{\"ä\":\"ö ü\"}"), "{\"ä\":\"ö ü\"}");
    }
}
