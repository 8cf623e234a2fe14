//! Whether a JSON text is one that the engine takes, asked before anything is written.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of a value that becomes part of a message, of facts or of a decision: the engine takes
/// 64 levels, of which those make two.
const DEPTH_MAX: u32 = 62;

/// Refuses what is not JSON, nests too deep, repeats a key or has half a character.
///
/// Refuses numbers past the range of a double too, which next to no other reader takes.
pub(crate) fn check(json: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Strict { levels_left: DEPTH_MAX }.deserialize(&mut deserializer)?;
    deserializer.end()
}

#[derive(Clone, Copy)]
struct Strict {
    levels_left: u32,
}

impl Strict {
    fn inside<E: Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left }),
            None => Err(E::custom(format_args!("nests deeper than {DEPTH_MAX}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format_args!("has the key `{twice}` twice")));
            }
            members.next_value_seed(inside)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn json_that_the_engine_takes_passes() {
        let deep = format!("{}{}", "[".repeat(62), "]".repeat(62));
        for json in ["null", "1.0", "123456789012345678901234567890", " {\"a\":[{}],\"b\":\"\\ud83d\\ude00\"} ", &deep]
        {
            assert!(check(json).is_ok(), "{json}");
        }
    }

    #[test]
    fn what_the_engine_refuses_does_not_pass() {
        let deep = format!("{}{}", "[".repeat(63), "]".repeat(63));
        for json in ["", "nothing", "NaN", "{} {}", "{\"a\":1,\"\\u0061\":2}", "[\"\\ud83d\"]", &deep] {
            assert!(check(json).is_err(), "{json}");
        }
    }
}
