//! Bodies in JSON. The JSON of changes is kept as it was sent.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use ticket_model::json;
use ticket_model::ticket::Change;
use ticket_model::written::WrittenChange;

use crate::port::Error;

/// What a new ticket is made of.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Creation {
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "changes")]
    pub(crate) changes: Vec<Change>,
    #[serde(deserialize_with = "ttl_ms")]
    pub(crate) ttl_ms: Option<u64>,
}

/// Changes to a ticket that may be absent; none are enough.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ensuring {
    #[serde(deserialize_with = "changes")]
    pub(crate) changes: Vec<Change>,
    #[serde(deserialize_with = "ttl_ms")]
    pub(crate) ttl_ms: Option<u64>,
}

/// Changes to a ticket.
#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applying {
    #[serde(deserialize_with = "changes")]
    pub(crate) changes: Vec<Change>,
    #[serde(default, deserialize_with = "ttl_ms")]
    pub(crate) ttl_ms: Option<u64>,
}

/// A new deadline.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Touching {
    #[serde(deserialize_with = "ttl_ms")]
    pub(crate) ttl_ms: Option<u64>,
}

/// The object of a body.
pub(crate) fn read<T: DeserializeOwned>(body: &str) -> Result<T, Error> {
    json::from_object(body).map_err(|error| Error::Invalid(format!("invalid body: {}", beginning(&error.to_string()))))
}

/// The object of a body that may be left out.
pub(crate) fn read_optional<T: DeserializeOwned + Default>(body: &str) -> Result<T, Error> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { read(body) }
}

fn changes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Change>, D::Error> {
    let written = Vec::<WrittenChange<'de>>::deserialize(deserializer)?;
    Ok(written.into_iter().map(Into::into).collect())
}

/// A time to live; serde's error does not name the member.
fn ttl_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(deserializer).map_err(|error| D::Error::custom(format_args!("`ttl_ms`: {error}")))
}

/// The beginning of an untrusted text without control characters.
fn beginning(text: &str) -> String {
    const CHARS_SHOWN: usize = 160;
    text.chars().take(CHARS_SHOWN).map(|char| if char.is_control() { '?' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why<T: std::fmt::Debug>(read: Result<T, Error>) -> String {
        match read {
            Err(Error::Invalid(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn json_of_changes_is_kept_as_it_was_sent() {
        let body = r#" {"changes": [{"say":  {"a" : 1.0, "a": 123456789012345678901234567890} } , {"decide":"é"}]} "#;
        let kept = r#"{"a" : 1.0, "a": 123456789012345678901234567890}"#;
        let changes = vec![Change::Say(kept.into()), Change::Decide(r#""é""#.into())];
        assert_eq!(read::<Applying>(body).unwrap(), Applying { changes, ttl_ms: None });
        let creation: Creation = read_optional(r#"{"id":"a","changes":[{"learn":{}}],"ttl_ms":9}"#).unwrap();
        let changes = vec![Change::Learn("{}".into())];
        assert_eq!(creation, Creation { id: Some("a".into()), changes, ttl_ms: Some(9) });
        let ensuring: Ensuring = read_optional(r#"{"changes":[{"retract":2}]}"#).unwrap();
        assert_eq!(ensuring, Ensuring { changes: vec![Change::Retract(2)], ttl_ms: None });
    }

    #[test]
    fn nothing_is_enough_where_every_member_is_optional() {
        for nothing in ["", " \n", "{}", r#"{"id":null,"changes":[],"ttl_ms":null}"#] {
            assert_eq!(read_optional::<Creation>(nothing).unwrap(), Creation::default(), "{nothing:?}");
        }
        assert_eq!(read_optional::<Ensuring>("").unwrap(), Ensuring::default());
        assert_eq!(read_optional::<Touching>(" ").unwrap(), Touching::default());
    }

    #[test]
    fn other_changes_are_refused() {
        let deep = format!("{{\"changes\":[{{\"say\":{}", "[".repeat(1_000_000));
        for body in [
            "",
            "null",
            "[]",
            "[[]]",
            "{}",
            r#"{"changes":{}}"#,
            r#"{"changes":null}"#,
            r#"{"changes":[{}]}"#,
            r#"{"changes":["say"]}"#,
            r#"{"changes":[{"say":1,"learn":{}}]}"#,
            r#"{"changes":[{"Say":1}]}"#,
            r#"{"changes":[{"put":["/a",1]}]}"#,
            r#"{"changes":[{"trim":[1]}]}"#,
            r#"{"changes":[{"retract":4294967296}]}"#,
            r#"{"changes":[],"changes":[]}"#,
            r#"{"changes":[],"at":"1"}"#,
            r#"{"changes":[]} x"#,
            &deep,
        ] {
            assert!(matches!(read::<Applying>(body), Err(Error::Invalid(_))), "{}", beginning(body));
        }
    }

    #[test]
    fn other_members_are_refused_by_name() {
        assert!(why(read::<Creation>(r#"{"ids":"a"}"#)).contains("`ids`"));
        assert!(why(read::<Ensuring>(r#"{"id":"a"}"#)).contains("`id`"));
        assert!(why(read::<Applying>(r#"{"changes":[],"id":"a"}"#)).contains("`id`"));
        assert!(why(read::<Touching>(r#"{"changes":[]}"#)).contains("`changes`"));
        assert!(why(read::<Touching>("{}")).contains("`ttl_ms`"));
        assert!(why(read::<Touching>("not an object")).starts_with("invalid body: "));
        for array in [r#"["a",[],1]"#, "[]", "[null]"] {
            assert!(why(read_optional::<Creation>(array)).contains("array"), "{array}");
            assert!(why(read_optional::<Touching>(array)).contains("array"), "{array}");
        }
        assert!(read::<Creation>(r#"{"id":1}"#).is_err());
    }

    #[test]
    fn a_time_to_live_that_is_not_a_u64_is_refused_by_name() {
        for value in ["-1", "1.0", "1e3", "\"1\"", "true", "[1]", "18446744073709551616"] {
            let body = format!(r#"{{"ttl_ms":{value}}}"#);
            for text in [
                why(read::<Creation>(&body)),
                why(read::<Ensuring>(&body)),
                why(read::<Touching>(&body)),
                why(read::<Applying>(&format!(r#"{{"changes":[],"ttl_ms":{value}}}"#))),
            ] {
                assert!(text.starts_with("invalid body: `ttl_ms`: invalid "), "{value}: {text}");
                assert!(text.contains(" at line 1 column "), "{value}: {text}");
            }
        }
        assert_eq!(read::<Touching>(r#"{"ttl_ms":18446744073709551615}"#).unwrap().ttl_ms, Some(u64::MAX));
    }
}
