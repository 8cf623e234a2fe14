//! What the scripts answer, read.

use redis::Value;

use crate::ENTRY_BYTES_MAX;
use crate::entry::{Entry, Fields, Revision};
use crate::error::{Error, Kind};
use crate::key::{excerpt, printable};

/// Longest name of a type that is shown, in characters; a module may choose any.
const TYPE_CHARS_MAX: usize = 32;

/// The answer of a script.
pub(super) enum Answer {
    /// Nothing is there.
    None,
    /// What is there.
    Entry(Entry),
    /// The change was made.
    Written {
        expires_at_ms: u64,
        /// The server's time.
        now_ms: u64,
        /// Where the caller cannot know it.
        revision: Option<Revision>,
    },
    /// The entry is gone.
    Removed,
    /// The condition does not hold; what is there instead.
    Refused(Option<Entry>),
    /// The deadline is none by the server's time.
    Clock { now_ms: u64 },
}

/// Reads the answer of a script about the key of that name.
///
/// The outer error is that it is no answer of a script of ours; the inner one that what is stored is no entry.
pub(super) fn parse(value: Value, name: &str) -> Result<Result<Answer, Error>, Strange> {
    let Value::Array(parts) = value else { return Err(Strange) };
    let mut parts = parts.into_iter();
    let tag = text(parts.next())?;
    let answer = match tag.as_str() {
        "none" => Answer::None,
        "removed" => Answer::Removed,
        "type" => {
            let kind = printable(&text(parts.next())?, TYPE_CHARS_MAX);
            return Ok(Err(Error::corrupt(format!("{name} is a {kind}, not a hash"))));
        }
        "large" => {
            let kind = Kind::TooLarge(ENTRY_BYTES_MAX as u64);
            return Ok(Err(Error::new(kind, format!("{name} has more than {ENTRY_BYTES_MAX} bytes"))));
        }
        "clock" => Answer::Clock { now_ms: number(parts.next())? },
        "written" => Answer::Written {
            expires_at_ms: number(parts.next())?,
            now_ms: number(parts.next())?,
            revision: parts.next().map(|part| text(Some(part)).map(Revision::from)).transpose()?,
        },
        "entry" | "refused" => {
            let Some(deadline) = parts.next() else {
                return if tag == "refused" { Ok(Ok(Answer::Refused(None))) } else { Err(Strange) };
            };
            match entry(number(Some(deadline))?, parts.next(), name)? {
                Ok(entry) if tag == "entry" => Answer::Entry(entry),
                Ok(entry) => Answer::Refused(Some(entry)),
                Err(error) => return Ok(Err(error)),
            }
        }
        _ => return Err(Strange),
    };
    Ok(Ok(answer))
}

/// An answer that no script of ours gives: something else speaks for the server.
#[derive(Debug)]
pub(super) struct Strange;

fn entry(expires_at_ms: u64, fields: Option<Value>, name: &str) -> Result<Result<Entry, Error>, Strange> {
    let Some(Value::Array(parts)) = fields else { return Err(Strange) };
    let mut fields = Fields::with_capacity(parts.len() / 2);
    let mut parts = parts.into_iter();
    while let Some(field) = parts.next() {
        let (field, value) = (bytes(Some(field))?, bytes(parts.next())?);
        match (String::from_utf8(field), String::from_utf8(value)) {
            (Ok(field), Ok(value)) => fields.push((field, value)),
            (Ok(field), Err(error)) => return Ok(Err(not_text(&field, name).caused_by(error.utf8_error()))),
            (Err(error), _) => {
                let field = String::from_utf8_lossy(error.as_bytes()).into_owned();
                return Ok(Err(not_text(&field, name).caused_by(error.utf8_error())));
            }
        }
    }
    Ok(Ok(Entry::new(fields, expires_at_ms)))
}

fn not_text(field: &str, name: &str) -> Error {
    Error::corrupt(format!("field {} of {name} is not UTF-8 text", excerpt(field)))
}

pub(super) fn bytes(value: Option<Value>) -> Result<Vec<u8>, Strange> {
    match value {
        Some(Value::BulkString(bytes)) => Ok(bytes),
        Some(Value::SimpleString(text)) => Ok(text.into_bytes()),
        _ => Err(Strange),
    }
}

pub(super) fn text(value: Option<Value>) -> Result<String, Strange> {
    String::from_utf8(bytes(value)?).map_err(|_| Strange)
}

pub(super) fn number(value: Option<Value>) -> Result<u64, Strange> {
    text(value)?.parse().map_err(|_| Strange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn an_entry_is_read_with_its_deadline() {
        let fields = Value::Array(vec![bulk(b"facts"), bulk(b"{}")]);
        let value = Value::Array(vec![bulk(b"entry"), bulk(b"1900"), fields]);
        let Ok(Ok(Answer::Entry(entry))) = parse(value, "ticket:a") else { panic!("no entry") };
        assert_eq!(*entry.fields, [("facts".to_owned(), "{}".to_owned())]);
        assert_eq!(entry.revision.as_str(), "1900...2.0.0");
    }

    #[test]
    fn what_is_no_entry_names_key_and_field_and_no_control_characters() {
        let fields = Value::Array(vec![bulk(b"fa\x1bcts"), bulk(b"\xff")]);
        let damaged = Value::Array(vec![bulk(b"refused"), bulk(b"1"), fields]);
        let other = Value::Array(vec![bulk(b"type"), bulk(b"list")]);
        for (value, expected) in [(damaged, "fa\\u{1b}cts"), (other, "list")] {
            let Ok(Err(error)) = parse(value, "ticket:a") else { panic!("no error") };
            assert_eq!(error.kind(), Kind::Corrupt);
            assert!(error.to_string().contains("ticket:a") && error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn answers_of_something_else_are_strange() {
        let garbled = Value::Array(vec![bulk(b"written"), bulk(b"soon")]);
        for value in
            [Value::Nil, Value::Okay, Value::Int(1), Value::Array(vec![]), garbled, Value::Array(vec![bulk(b"?")])]
        {
            assert!(parse(value.clone(), "ticket:a").is_err(), "{value:?}");
        }
    }

    #[test]
    fn the_scripts_and_the_contract_have_one_limit() {
        assert!(include_str!("entry.lua").contains(&format!("local bytes_max = {ENTRY_BYTES_MAX}\n")));
    }
}
