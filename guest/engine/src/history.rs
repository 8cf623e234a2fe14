//! The history of a ticket: a JSON array that is appended to as text.

use std::borrow::Cow;

use crate::error::Error;
use ticket_model::id::excerpt;
use ticket_model::json;
use ticket_model::ticket::Bounds;

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

/// Takes the newest messages off a valid history, at most so many: the rest keeps its bytes. Returns them, oldest first.
pub(crate) fn retract(history: &mut String, count: usize) -> Vec<String> {
    let items = messages(history);
    let kept = items.len().saturating_sub(count);
    let retracted = items[kept..].iter().map(|&item| item.to_owned()).collect();
    if kept < items.len() {
        let end = kept.checked_sub(1).map(|last| end_of(history, items[last]));
        match end {
            Some(end) => history.replace_range(end.., "]"),
            None => "[]".clone_into(history),
        }
    }
    retracted
}

/// Drops the oldest messages of a valid history, so that the rest keeps the bounds and its bytes. Returns how many.
pub(crate) fn trim(history: &mut String, bounds: Bounds) -> usize {
    let items = messages(history);
    let entries_max = bounds.entries_max.map_or(usize::MAX, |max| max as usize);
    let bytes_max = bounds.bytes_max.map_or(usize::MAX, |max| max as usize);
    // What is left begins at an item, and a bracket takes the place of all before it.
    let fits = |item: &&str| history.len() - start_of(history, item) < bytes_max;
    let last = items.len().saturating_sub(1);
    let over_entries = items.len().saturating_sub(entries_max);
    let over_bytes =
        if history.len() > bytes_max { items.iter().skip(1).position(fits).map_or(last, |place| place + 1) } else { 0 };
    let dropped = over_entries.max(over_bytes);
    match items.get(dropped) {
        Some(first) if dropped > 0 => {
            let start = start_of(history, first);
            history.replace_range(..start, "[");
        }
        None if dropped > 0 => "[]".clone_into(history),
        _ => {}
    }
    dropped
}

/// The newest messages of a valid history: at most so many, and no more than have so many bytes together.
pub(crate) fn newest(history: &str, entries_max: usize, bytes_max: usize) -> Vec<&str> {
    let mut bytes = 0;
    let mut newest: Vec<&str> = messages(history)
        .into_iter()
        .rev()
        .take(entries_max)
        .take_while(|message| {
            bytes += message.len();
            bytes <= bytes_max
        })
        .collect();
    newest.reverse();
    newest
}

fn messages(history: &str) -> Vec<&str> {
    json::items(history).into_iter().flatten().collect()
}

/// Where in a history one of its messages begins.
fn start_of(history: &str, message: &str) -> usize {
    message.as_ptr() as usize - history.as_ptr() as usize
}

fn end_of(history: &str, message: &str) -> usize {
    start_of(history, message) + message.len()
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
    fn messages_are_taken_back_from_the_end() {
        for (history, count, left, retracted) in [
            ("[1, 2,3 ]", 1, "[1, 2]", &["3"][..]),
            (" [ 1 , {\"a\": [2]} ]", 1, " [ 1]", &["{\"a\": [2]}"]),
            ("[1, 2 ]", 2, "[]", &["1", "2"]),
            ("[1, 2 ]", 9, "[]", &["1", "2"]),
            (" [ 1 ]", 0, " [ 1 ]", &[]),
            ("[ ]", 3, "[ ]", &[]),
        ] {
            let mut rest = history.to_owned();
            assert_eq!(retract(&mut rest, count), retracted, "{history}");
            assert_eq!(rest, left, "{history}");
        }
    }

    #[test]
    fn the_oldest_messages_are_dropped() {
        let entries = |max| Bounds { entries_max: Some(max), bytes_max: None };
        let bytes = |max| Bounds { entries_max: None, bytes_max: Some(max) };
        for (history, bounds, left, dropped) in [
            ("[1, 2,3 ]", entries(2), "[2,3 ]", 1),
            ("[1, 2,3 ]", entries(0), "[]", 3),
            ("[1, 2,3 ]", entries(3), "[1, 2,3 ]", 0),
            ("[ ]", entries(0), "[ ]", 0),
            ("[\"aa\",\"bb\",\"cc\"]", bytes(16), "[\"aa\",\"bb\",\"cc\"]", 0),
            ("[\"aa\",\"bb\",\"cc\"]", bytes(15), "[\"bb\",\"cc\"]", 1),
            ("[\"aa\",\"bb\",\"cc\"]", bytes(11), "[\"bb\",\"cc\"]", 1),
            ("[\"aa\",\"bb\",\"cc\"]", bytes(10), "[\"cc\"]", 2),
            ("[\"aa\",\"bb\",\"cc\"]", bytes(0), "[\"cc\"]", 2),
            ("[    \"aa\"]", bytes(6), "[    \"aa\"]", 0),
            ("[        \"aa\", \"bb\"]", bytes(14), "[\"bb\"]", 1),
            ("[1,\"bb\"]", Bounds { entries_max: Some(0), bytes_max: Some(100) }, "[]", 2),
        ] {
            let mut rest = history.to_owned();
            let done = trim(&mut rest, bounds);
            assert_eq!(done, dropped, "{history} {bounds:?}");
            assert!(done > 0 && rest == left || done == 0 && rest == history, "{history} {bounds:?}: {rest}");
        }
    }

    #[test]
    fn the_newest_messages_fit() {
        let history = "[ 1, \"bb\" ,{\"c\": 3}]";
        assert_eq!(newest(history, 2, usize::MAX), ["\"bb\"", "{\"c\": 3}"]);
        assert_eq!(newest(history, 9, 12), ["\"bb\"", "{\"c\": 3}"]);
        assert_eq!(newest(history, 9, 11), ["{\"c\": 3}"]);
        assert!(newest(history, 9, 7).is_empty() && newest(history, 0, 99).is_empty());
    }

    #[test]
    fn only_a_string_is_an_id() {
        assert_eq!(message_id("{\"id\":\"\\u006d\"}").as_deref(), Some(b"m".as_slice()));
        for message in ["{\"id\":1}", "{\"ID\":\"m\"}", "{\"a\":{\"id\":\"m\"}}", "\"id\"", "[\"id\"]"] {
            assert_eq!(message_id(message), None, "{message}");
        }
    }
}
