//! The form of a value: one entry as compact JSON of three members, all of them there and no other.
//!
//! | member | |
//! |---|---|
//! | `expires_at_ms` | the deadline, milliseconds since the Unix epoch; 0 for none, which this adapter never writes |
//! | `revision` | a text that no other state of the entry has; 16 random hexadecimal digits |
//! | `fields` | an object: names, each once and one at least, and their texts |
//!
//! Another JSON writer may write the members in another order, and with white space.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ticket_model::id::excerpt;
use ticket_model::json;
use ticket_model::port::{Entry, Fields};

/// The bytes of a value.
///
/// # Errors
/// None with these types; the signature is that of serde_json.
pub fn encode(fields: &[(&str, &str)], revision: &str, expires_at_ms: u64) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Value<'a> {
        expires_at_ms: u64,
        revision: &'a str,
        #[serde(serialize_with = "object")]
        fields: &'a [(&'a str, &'a str)],
    }
    fn object<S: Serializer>(fields: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(fields.iter().copied())
    }
    serde_json::to_vec(&Value { expires_at_ms, revision, fields })
}

/// The entry of a value.
///
/// # Errors
/// If the value has another form; the text says why and shows nothing of the value but a field's name.
pub fn decode(value: &[u8]) -> Result<Entry, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Value {
        expires_at_ms: u64,
        revision: String,
        #[serde(deserialize_with = "pairs")]
        fields: Fields,
    }
    let text = std::str::from_utf8(value).map_err(serde_json::Error::custom)?;
    let Value { expires_at_ms, revision, fields } = json::from_object(text)?;
    Ok(Entry { fields, revision, expires_at_ms })
}

fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Fields;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
            let mut fields = Fields::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            if fields.is_empty() {
                return Err(A::Error::custom("fields is empty, an entry has at least one"));
            }
            match twice(fields.iter().map(|(name, _)| name.as_str())) {
                Some(name) => Err(A::Error::custom(format_args!("field {} is given twice", excerpt(name)))),
                None => Ok(fields),
            }
        }
    }

    deserializer.deserialize_map(Pairs)
}

/// A name that is given more than once.
pub(crate) fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_compact_json_and_reads_back() {
        let fields = [("facts", "{\"a\":1.0}"), ("", ""), ("é\n", "\u{0}😀")];
        let value = encode(&fields, "9f86d081884c7d65", 1_750_001_800_000).unwrap();
        assert_eq!(
            String::from_utf8(value.clone()).unwrap(),
            r#"{"expires_at_ms":1750001800000,"revision":"9f86d081884c7d65","fields":{"facts":"{\"a\":1.0}","":"","é\n":"\u0000😀"}}"#
        );
        let entry = decode(&value).unwrap();
        assert_eq!((entry.revision.as_str(), entry.expires_at_ms), ("9f86d081884c7d65", 1_750_001_800_000));
        let read: Vec<_> = entry.fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(read, fields);
    }

    #[test]
    fn order_and_white_space_of_other_writers_do_not_matter() {
        let entry =
            decode(b" { \"fields\": {\"a\": \"\\u00e9\"}, \"revision\": \"r\", \"expires_at_ms\": 0 }\n").unwrap();
        assert_eq!(entry, Entry { fields: vec![("a".into(), "é".into())], revision: "r".into(), expires_at_ms: 0 });
    }

    #[test]
    fn other_forms_are_not_entries() {
        let deep = "[".repeat(100_000);
        for value in [
            "",
            "null",
            "{}",
            "\"text\"",
            r#"{"expires_at_ms":1,"revision":"r","fields":{}}"#,
            r#"{"expires_at_ms":1,"revision":"r","fields":{"a":"1","a":"2"}}"#,
            r#"{"expires_at_ms":1,"revision":"r","fields":{"a":1}}"#,
            r#"{"expires_at_ms":1,"revision":"r","fields":[["a","1"]]}"#,
            r#"{"expires_at_ms":1,"revision":"r","fields":{"a":"\ud800"}}"#,
            r#"{"expires_at_ms":-1,"revision":"r","fields":{"a":"1"}}"#,
            r#"{"expires_at_ms":1.5,"revision":"r","fields":{"a":"1"}}"#,
            r#"{"expires_at_ms":1,"fields":{"a":"1"}}"#,
            r#"{"expires_at_ms":1,"revision":"r","fields":{"a":"1"},"more":0}"#,
            r#"{"expires_at_ms":1,"revision":"r","fields":{"a":"1"}} 2"#,
            r#"{"expires_at_ms":1,"revision":"r","fields":{"a":"1"}"#,
            &deep,
        ] {
            assert!(decode(value.as_bytes()).is_err(), "{value}");
        }
        assert!(decode(b"{\"expires_at_ms\":1,\"revision\":\"r\",\"fields\":{\"a\":\"\xff\"}}").is_err());
    }
}
