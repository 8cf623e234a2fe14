//! The parts of a valid JSON text, as the slices of it that they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One member of an object: the key's token, quotes and all, and the value's text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

/// The items of an array, none for anything else.
pub(crate) fn items(text: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

/// The members of an object in their order, none for anything else.
pub(crate) fn members(text: &str) -> Option<Vec<Member<'_>>> {
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

struct Members<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Vec<Member<'de>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push(Member { key: key.get(), value: value.get() });
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Walk).map(Members)
    }
}

/// What a string token says, as bytes: stored text may hold half a surrogate pair, which no `str` can.
pub(crate) fn text_of(token: &str) -> Cow<'_, [u8]> {
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
    let plain = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    if !plain.contains('\\') {
        return Cow::Borrowed(plain.as_bytes());
    }
    serde_json::Deserializer::from_str(token)
        .deserialize_bytes(Text)
        .map_or(Cow::Borrowed(token.as_bytes()), Cow::Owned)
}

/// Whether two valid texts say the same: strings by what they say, numbers by how they are written, objects
/// without regard to order.
pub(crate) fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.trim(), right.trim());
    if left == right {
        return true;
    }
    match (left.as_bytes().first(), right.as_bytes().first()) {
        (Some(b'"'), Some(b'"')) => text_of(left) == text_of(right),
        (Some(b'['), Some(b'[')) => match (items(left), items(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len() && left.into_iter().zip(right).all(|(left, right)| same(left, right))
            }
            _ => false,
        },
        (Some(b'{'), Some(b'{')) => match (by_key(left), by_key(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, one)| right.get(key).is_some_and(|other| same(one.value, other.value)))
            }
            _ => false,
        },
        _ => false,
    }
}

/// The members of an object by what their keys say; of a key that stands twice, the last, as Python has it.
pub(crate) fn by_key(text: &str) -> Option<BTreeMap<Cow<'_, [u8]>, Member<'_>>> {
    Some(members(text)?.into_iter().map(|member| (text_of(member.key), member)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_slices_of_the_text() {
        assert_eq!(items(" [ 1.0 , {\"a\": 2}, \"x\" ] ").unwrap(), ["1.0", "{\"a\": 2}", "\"x\""]);
        let text = "{\"a\\u0062\" : 18446744073709551616, \"\\ud800\":[ ]}";
        let members = members(text).unwrap();
        assert_eq!((members[0].key, members[0].value), ("\"a\\u0062\"", "18446744073709551616"));
        assert_eq!((members[1].key, members[1].value), ("\"\\ud800\"", "[ ]"));
        assert!(items("{}").is_none() && super::members("[]").is_none());
    }

    #[test]
    fn keys_are_compared_by_what_they_say() {
        assert_eq!(text_of("\"ab\""), text_of("\"\\u0061\\u0062\""));
        assert_ne!(text_of("\"\\ud800\""), text_of("\"\\ud801\""));
        assert_ne!(text_of("\"\\ud800\""), text_of("\"?\""));
    }

    #[test]
    fn sameness_ignores_spelling_and_order_but_not_numbers() {
        for (left, right) in
            [("{\"a\":1,\"b\":[\"é\"]}", "{ \"b\": [\"\\u00e9\"], \"a\": 1 }"), ("\"x\"", "\"\\u0078\""), ("[]", "[ ]")]
        {
            assert!(same(left, right), "{left} {right}");
        }
        for (left, right) in [
            ("1", "1.0"),
            ("9007199254740993", "9007199254740992"),
            ("{\"a\":1}", "{\"a\":1,\"b\":2}"),
            ("[1,2]", "[2,1]"),
            ("\"1\"", "1"),
            ("null", "{}"),
        ] {
            assert!(!same(left, right), "{left} {right}");
        }
    }
}
