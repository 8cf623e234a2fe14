//! Changes as programs write them in JSON: on the command line and over HTTP.
//!
//! `{"say": JSON}`, `{"learn": JSON}`, `{"decide": JSON}`, `{"put": {"pointer": …, "value": JSON, "only_if_absent": …}}`,
//! `{"retract": n}`, `{"trim": {"entries_max": n, "bytes_max": n}}`. The JSON is kept as it was written.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json;
use crate::ticket::{Bounds, Change, Put};

/// A change as it was written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrittenChange<'a> {
    /// See [`Change::Say`].
    #[serde(borrow)]
    Say(&'a RawValue),
    /// See [`Change::Learn`].
    #[serde(borrow)]
    Learn(&'a RawValue),
    /// See [`Change::Decide`].
    #[serde(borrow)]
    Decide(&'a RawValue),
    /// See [`Change::Put`].
    #[serde(borrow, deserialize_with = "json::object")]
    Put(WrittenPut<'a>),
    /// See [`Change::Retract`].
    Retract(u32),
    /// See [`Change::Trim`].
    #[serde(deserialize_with = "json::object")]
    Trim(Bounds),
}

/// A fact to set, as it was written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPut<'a> {
    pointer: String,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(default)]
    only_if_absent: bool,
}

impl From<WrittenChange<'_>> for Change {
    fn from(written: WrittenChange<'_>) -> Self {
        match written {
            WrittenChange::Say(json) => Self::Say(json.get().to_owned()),
            WrittenChange::Learn(json) => Self::Learn(json.get().to_owned()),
            WrittenChange::Decide(json) => Self::Decide(json.get().to_owned()),
            WrittenChange::Put(WrittenPut { pointer, value, only_if_absent }) => {
                Self::Put(Put { pointer, value: value.get().to_owned(), only_if_absent })
            }
            WrittenChange::Retract(count) => Self::Retract(count),
            WrittenChange::Trim(bounds) => Self::Trim(bounds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<Change>> {
        let written: Vec<WrittenChange<'_>> = serde_json::from_str(text).ok()?;
        Some(written.into_iter().map(Into::into).collect())
    }

    #[test]
    fn json_is_kept_as_it_was_written() {
        let text = r#"[{"say": {"a" : 1.0}}, {"learn":{}}, {"decide":"é"}, {"put":{"pointer":"/a","value": [ 1 ]}},
            {"put":{"value":null,"only_if_absent":true,"pointer":"/b"}}, {"retract":2}, {"trim":{"entries_max":3}}]"#;
        let put = |pointer: &str, value: &str, only_if_absent| {
            Change::Put(Put { pointer: pointer.into(), value: value.into(), only_if_absent })
        };
        let changes = [
            Change::Say(r#"{"a" : 1.0}"#.into()),
            Change::Learn("{}".into()),
            Change::Decide("\"é\"".into()),
            put("/a", "[ 1 ]", false),
            put("/b", "null", true),
            Change::Retract(2),
            Change::Trim(Bounds { entries_max: Some(3), bytes_max: None }),
        ];
        assert_eq!(read(text).unwrap(), changes);
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            r#"["say"]"#,
            r#"[{"say":1,"learn":{}}]"#,
            r#"[{"Say":1}]"#,
            r#"[{"put":["/a",1,false]}]"#,
            r#"[{"put":{"pointer":"/a"}}]"#,
            r#"[{"put":{"pointer":"/a","value":1,"x":1}}]"#,
            r#"[{"trim":[1,2]}]"#,
            r#"[{"trim":{"messages":1}}]"#,
            r#"[{"retract":-1}]"#,
            r#"[{"retract":"1"}]"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
