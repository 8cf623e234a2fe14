//! JSON objects by name, with raw values: an array in place of an object is refused, and so is a name that repeats.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use ticket_model::id::excerpt;

use crate::invalid::Invalid;

/// The members of an object.
#[derive(Default)]
pub(crate) struct Object<'a>(HashMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    /// Reads an object.
    pub(crate) fn parse(json: &'a RawValue) -> Result<Self, Invalid> {
        match json.get().as_bytes() {
            [b'{', ..] => Ok(serde_json::from_str(json.get())?),
            _ => Err(Invalid::new(format!("{} is not an object", excerpt(json.get())))),
        }
    }

    /// A member; none if it is absent or null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied().filter(|value| value.get() != "null")
    }

    /// A member, null too.
    pub(crate) fn member(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    /// The first member of these names that is there: APIs and their clients spell some names differently.
    pub(crate) fn any(&self, names: &[&str]) -> Option<&'a RawValue> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A text; none if it is absent or null.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Invalid> {
        self.get(name).map(|value| text(value).map_err(|wrong| wrong.within(name))).transpose()
    }

    /// A text that must be there.
    pub(crate) fn needed(&self, name: &str) -> Result<String, Invalid> {
        self.text(name)?.ok_or_else(|| Invalid::new(format!("`{name}` is missing")))
    }

    /// Whether a member is this text.
    pub(crate) fn is(&self, name: &str, expected: &str) -> bool {
        self.get(name).is_some_and(|value| serde_json::from_str::<String>(value.get()).is_ok_and(|it| it == expected))
    }

    /// The elements of an array; none of them if it is absent or null.
    pub(crate) fn items(&self, name: &str) -> Result<Vec<&'a RawValue>, Invalid> {
        self.get(name).map_or(Ok(vec![]), |value| items(value).map_err(|wrong| wrong.within(name)))
    }

    /// The object in a member; none if it is absent or null.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Invalid> {
        self.get(name).map(|value| Self::parse(value).map_err(|wrong| wrong.within(name))).transpose()
    }

    /// All values.
    pub(crate) fn values(&self) -> impl Iterator<Item = &'a RawValue> {
        self.0.values().copied()
    }
}

/// A JSON string.
pub(crate) fn text(json: &RawValue) -> Result<String, Invalid> {
    match json.get().as_bytes() {
        [b'"', ..] => Ok(serde_json::from_str(json.get())?),
        _ => Err(Invalid::new(format!("{} is not a string", excerpt(json.get())))),
    }
}

/// The elements of a JSON array.
pub(crate) fn items(json: &RawValue) -> Result<Vec<&RawValue>, Invalid> {
    match json.get().as_bytes() {
        [b'[', ..] => Ok(serde_json::from_str(json.get())?),
        _ => Err(Invalid::new(format!("{} is not an array", excerpt(json.get())))),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = HashMap<String, &'de RawValue>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = HashMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    match members.entry(name) {
                        Entry::Vacant(entry) => entry.insert(map.next_value()?),
                        Entry::Occupied(entry) => {
                            return Err(A::Error::custom(format!("the name {} repeats", excerpt(entry.key()))));
                        }
                    };
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}
