//! What the scripts reply, parsed.

use redis::Value;

use super::change::Change;
use crate::entry::Entry;
use crate::error::{Error, Kind};
use crate::fields::Fields;
use crate::limits::ENTRY_BYTES_MAX;
use crate::primary::Answer;
use crate::revision::Revision;
use crate::text::{excerpt, printable};

/// Longest name of a type that is shown, in characters; a Redis module may choose any.
const TYPE_CHARS_MAX: usize = 32;

/// A reply that the sent script never gives: something else answers for the server.
#[derive(Debug)]
pub(super) struct Unexpected;

/// Why a reply has no answer in it.
#[derive(Debug)]
pub(super) enum NoAnswer {
    Unexpected,
    /// The stored value is not an entry.
    Stored(Error),
}

impl From<Unexpected> for NoAnswer {
    fn from(_: Unexpected) -> Self {
        Self::Unexpected
    }
}

/// The reply to a read of the entry with this stored name.
pub(super) fn read(value: Value, name: &str) -> Result<Option<Entry>, NoAnswer> {
    let (tag, mut parts) = tagged(value)?;
    match tag.as_str() {
        "none" => Ok(None),
        "entry" => entry(&mut parts, name)?.map_or(Err(NoAnswer::Unexpected), |entry| Ok(Some(entry))),
        _ => Err(not_an_entry(&tag, &mut parts, name)?),
    }
}

/// The reply to a change of the entry with this stored name.
pub(super) fn change(value: Value, name: &str, change: &Change<'_>) -> Result<Answer, NoAnswer> {
    let (tag, mut parts) = tagged(value)?;
    match (tag.as_str(), change) {
        ("written", Change::Write { fields, .. }) => {
            let (expires_at_ms, now_ms) = (number(parts.next())?, number(parts.next())?);
            Ok(Answer::Written { revision: Revision::of(fields, expires_at_ms), expires_at_ms, now_ms })
        }
        ("written", Change::Touch { .. }) => {
            let (expires_at_ms, now_ms) = (number(parts.next())?, number(parts.next())?);
            Ok(Answer::Written { revision: Revision::from(text(parts.next())?), expires_at_ms, now_ms })
        }
        ("removed", Change::Remove { .. }) => Ok(Answer::Removed),
        ("clock", Change::Write { .. } | Change::Touch { .. }) => Ok(Answer::Clock(number(parts.next())?)),
        ("refused", _) => Ok(Answer::Refused(entry(&mut parts, name)?)),
        (_, _) => Err(not_an_entry(&tag, &mut parts, name)?),
    }
}

/// Milliseconds since the epoch from a reply to `TIME`.
pub(super) fn time_ms(value: Value) -> Option<u64> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let seconds = number(parts.next()).ok()?;
    let micros = number(parts.next()).ok()?;
    seconds.checked_mul(1_000)?.checked_add(micros / 1_000)
}

type Parts = std::vec::IntoIter<Value>;

fn tagged(value: Value) -> Result<(String, Parts), Unexpected> {
    let Value::Array(parts) = value else { return Err(Unexpected) };
    let mut parts = parts.into_iter();
    Ok((text(parts.next())?, parts))
}

/// The error of a reply that says why the stored value is not an entry.
fn not_an_entry(tag: &str, parts: &mut Parts, name: &str) -> Result<NoAnswer, Unexpected> {
    match tag {
        "type" => {
            let kind = printable(&text(parts.next())?, TYPE_CHARS_MAX);
            Ok(NoAnswer::Stored(Error::corrupt(format!("{name} is a {kind}, not a hash"))))
        }
        "large" => {
            let kind = Kind::TooLarge(ENTRY_BYTES_MAX as u64);
            Ok(NoAnswer::Stored(Error::new(kind, format!("{name} has more than {ENTRY_BYTES_MAX} bytes"))))
        }
        _ => Err(Unexpected),
    }
}

/// The entry that the parts describe, its deadline and its fields; none if there are no parts.
fn entry(parts: &mut Parts, name: &str) -> Result<Option<Entry>, NoAnswer> {
    let Some(deadline) = parts.next() else { return Ok(None) };
    let expires_at_ms = number(Some(deadline))?;
    let Some(Value::Array(values)) = parts.next() else { return Err(NoAnswer::Unexpected) };
    fields(values, name).map(|fields| Some(Entry::new(fields, expires_at_ms)))
}

/// Fields of an entry, given as name, text, name, text, …
pub(super) fn fields(values: Vec<Value>, name: &str) -> Result<Fields, NoAnswer> {
    let mut fields = Fields::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let Some(field) = values.next() {
        let (field, value) = (bytes(Some(field))?, bytes(values.next())?);
        let field = String::from_utf8(field).map_err(|error| {
            let field = String::from_utf8_lossy(error.as_bytes()).into_owned();
            not_text(&field, name, error.utf8_error())
        })?;
        match String::from_utf8(value) {
            Ok(value) => fields.push((field, value)),
            Err(error) => return Err(not_text(&field, name, error.utf8_error())),
        }
    }
    Ok(fields)
}

fn not_text(field: &str, name: &str, cause: std::str::Utf8Error) -> NoAnswer {
    let text = format!("field {} of {name} is not UTF-8 text", excerpt(field));
    NoAnswer::Stored(Error::corrupt(text).caused_by(cause))
}

pub(super) fn bytes(value: Option<Value>) -> Result<Vec<u8>, Unexpected> {
    match value {
        Some(Value::BulkString(bytes)) => Ok(bytes),
        Some(Value::SimpleString(text)) => Ok(text.into_bytes()),
        _ => Err(Unexpected),
    }
}

pub(super) fn text(value: Option<Value>) -> Result<String, Unexpected> {
    String::from_utf8(bytes(value)?).map_err(|_| Unexpected)
}

pub(super) fn number(value: Option<Value>) -> Result<u64, Unexpected> {
    text(value)?.parse().map_err(|_| Unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Condition;

    const REMOVE: Change<'static> = Change::Remove { condition: &Condition::Present };

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn an_entry_is_read_with_its_deadline() {
        let fields = Value::Array(vec![bulk(b"facts"), bulk(b"{}")]);
        let value = Value::Array(vec![bulk(b"entry"), bulk(b"1900"), fields]);
        let Ok(Some(entry)) = read(value, "ticket:a") else { panic!("no entry") };
        assert_eq!(*entry.fields, [("facts".to_owned(), "{}".to_owned())]);
        assert_eq!(entry.revision.as_str(), "1900...2.0.0");
    }

    #[test]
    fn the_error_of_a_corrupt_entry_names_key_and_field() {
        let fields = Value::Array(vec![bulk(b"fa\x1bcts"), bulk(b"\xff")]);
        let damaged = Value::Array(vec![bulk(b"refused"), bulk(b"1"), fields]);
        let other = Value::Array(vec![bulk(b"type"), bulk(b"list")]);
        for (value, expected) in [(damaged, "fa\\u{1b}cts"), (other, "list")] {
            let Err(NoAnswer::Stored(error)) = change(value, "ticket:a", &REMOVE) else { panic!("no error") };
            assert_eq!(error.kind(), Kind::Corrupt);
            assert!(error.to_string().contains("ticket:a") && error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn replies_that_the_script_never_gives_are_unexpected() {
        let array = |parts: &[&[u8]]| Value::Array(parts.iter().map(|part| bulk(part)).collect());
        for value in [
            Value::Nil,
            Value::Okay,
            Value::Int(1),
            Value::Array(vec![]),
            array(&[b"?"]),
            array(&[b"none"]),
            array(&[b"written", b"1", b"2"]),
            array(&[b"refused", b"soon"]),
        ] {
            assert!(matches!(change(value.clone(), "ticket:a", &REMOVE), Err(NoAnswer::Unexpected)), "{value:?}");
        }
        for value in [Value::Nil, array(&[b"entry"]), array(&[b"removed"])] {
            assert!(matches!(read(value.clone(), "ticket:a"), Err(NoAnswer::Unexpected)), "{value:?}");
        }
    }

    #[test]
    fn scripts_and_contract_have_the_same_size_limit() {
        assert!(include_str!("entry.lua").contains(&format!("local bytes_max = {ENTRY_BYTES_MAX}\n")));
    }
}
