//! The history of a ticket: a JSON array that is appended to as text.

use std::borrow::Cow;

use crate::error::Error;
use ticket_model::id::excerpt;
use ticket_model::json;

/// The key of a message's id.
const ID: &[u8] = b"id";

/// The result of [`append`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is at the end of the history.
    Appended,
    /// The history has a message of that id and the same JSON.
    Known,
}

/// Appends a compact message (a JSON string or object) to a valid history.
pub(crate) fn append(history: &mut String, message: &str) -> Result<Said, Error> {
    if let Some(id) = message_id(message)
        && let Some(known) = find(history, &id)
    {
        if json::same(known, message) {
            return Ok(Said::Known);
        }
        return Err(Error::Invalid(format!(
            "message id {} belongs to another message of this ticket",
            excerpt(&String::from_utf8_lossy(&id))
        )));
    }
    push(history, message);
    Ok(Said::Appended)
}

/// Puts one more item at the end of a valid history; the bytes of the others stay.
pub(crate) fn push(history: &mut String, item: &str) {
    history.truncate(history.rfind(']').unwrap_or(history.len()));
    if !history.trim_end().ends_with('[') {
        history.push(',');
    }
    history.push_str(item);
    history.push(']');
}

/// Bytes that [`push`] adds at most for an item of so many.
pub(crate) fn pushed_bytes(item: &str) -> usize {
    item.len() + ",".len()
}

/// The message with this id, if the history holds one.
pub(crate) fn find<'a>(history: &'a str, id: &[u8]) -> Option<&'a str> {
    let mut identified = json::items_with(history, ID);
    identified.find(|(_, value)| text_id(value).is_some_and(|known| known.as_ref() == id)).map(|(message, _)| message)
}

/// The string under `id` of a message that is an object.
pub(crate) fn message_id(message: &str) -> Option<Cow<'_, [u8]>> {
    text_id(json::member(message, ID)?)
}

/// Only a string is an id.
fn text_id(value: &str) -> Option<Cow<'_, [u8]>> {
    value.starts_with('"').then(|| json::text_of(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(history: &str, message: &str) -> String {
        let mut history = history.to_owned();
        assert_eq!(append(&mut history, message).unwrap(), Said::Appended, "{message}");
        history
    }

    #[test]
    fn a_message_goes_to_the_end_and_the_rest_keeps_its_bytes() {
        assert_eq!(appended("[]", "\"a\""), "[\"a\"]");
        assert_eq!(appended(" [ ] ", "\"a\""), " [ \"a\"]");
        assert_eq!(appended("[ \"\\u00e9\", {\"n\": 1.0} ]", "\"]\""), "[ \"\\u00e9\", {\"n\": 1.0} ,\"]\"]");
        assert_eq!(appended("[\"[\"]", "\"b\""), "[\"[\",\"b\"]");
        assert_eq!(appended("[[]]", "\"b\""), "[[],\"b\"]");
    }

    #[test]
    fn a_message_with_an_id_is_stored_once() {
        let mut history = "[{\"id\": \"m1\", \"text\": \"h\\u00e9\"}, \"m1\"]".to_owned();
        assert_eq!(append(&mut history, "{\"text\":\"hé\",\"id\":\"m1\"}").unwrap(), Said::Known);
        assert!(matches!(append(&mut history, "{\"id\":\"m1\",\"text\":\"other\"}"), Err(Error::Invalid(_))));
        assert_eq!(appended("[\"m2\"]", "{\"id\":\"m2\"}"), "[\"m2\",{\"id\":\"m2\"}]");
    }

    #[test]
    fn only_a_string_is_an_id() {
        assert_eq!(message_id("{\"id\":\"\\u006d\"}").as_deref(), Some(b"m".as_slice()));
        for message in ["{\"id\":1}", "{\"ID\":\"m\"}", "{\"a\":{\"id\":\"m\"}}", "\"id\"", "[\"id\"]"] {
            assert_eq!(message_id(message), None, "{message}");
        }
    }
}
