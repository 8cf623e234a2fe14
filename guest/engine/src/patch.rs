//! RFC 7396 merge patch on text: what the patch does not name keeps its bytes, its place and its spacing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ticket_model::json::{Member, compact, member, members, text_of};

/// A change to one member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit<'a> {
    /// The key's token.
    pub(crate) key: &'a str,
    pub(crate) new: New<'a>,
}

/// The new value of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum New<'a> {
    Nothing,
    /// This value, as it is.
    Value(&'a str),
    /// What was there, patched.
    Patched(&'a str),
}

/// The target after the patch. Both are valid JSON; the patch has no duplicate keys.
pub(crate) fn merge_patch(target: &str, patch: &str) -> String {
    let Some(patch) = members(patch) else { return compact(patch) };
    let edits: Vec<Edit<'_>> = patch
        .map(|Member { key, value }| Edit {
            key,
            new: if value == "null" { New::Nothing } else { New::Patched(value) },
        })
        .collect();
    edit(target, &edits)
}

/// The target, an object, with the member that the tokens name set to `value`; none if `only_if_absent` and it is there.
/// An error if a token before the last does not name an object.
pub(crate) fn put(
    target: &str,
    tokens: &[String],
    value: &str,
    only_if_absent: bool,
) -> Result<Option<String>, NoObject> {
    let Some((token, rest)) = tokens.split_first() else { return Err(NoObject) };
    let present = member(target, token.as_bytes());
    let value = if rest.is_empty() {
        if only_if_absent && present.is_some() {
            return Ok(None);
        }
        Cow::Borrowed(value)
    } else {
        let inner = present.filter(|inner| inner.starts_with('{')).ok_or(NoObject)?;
        match put(inner, rest, value, only_if_absent)? {
            Some(inner) => Cow::Owned(inner),
            None => return Ok(None),
        }
    };
    let key = serde_json::Value::from(token.as_str()).to_string();
    Ok(Some(edit(target, &[Edit { key: &key, new: New::Value(&value) }])))
}

/// A JSON pointer leads through what is not an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoObject;

/// The target's text with members changed in place, removed, or added at the end; a target that is not an
/// object counts as an empty one. No two edits have the same key.
pub(crate) fn edit(target: &str, edits: &[Edit<'_>]) -> String {
    let members: Vec<_> = members(target).into_iter().flatten().collect();
    if members.is_empty() {
        let target = if target.starts_with('{') { target } else { "{}" };
        return surrounded(target, edits);
    }
    let by_key: BTreeMap<Cow<'_, [u8]>, &Edit<'_>> = edits.iter().map(|edit| (text_of(edit.key), edit)).collect();
    let mut pending: BTreeSet<&[u8]> = by_key.keys().map(AsRef::as_ref).collect();
    // From the back: of a duplicate key the last member counts, and the earlier ones are removed.
    let mut kept: Vec<(usize, Option<String>)> = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate().rev() {
        let key = text_of(member.key);
        match by_key.get(&key) {
            None => kept.push((index, None)),
            Some(edit) if pending.remove(key.as_ref()) => {
                if let Some(value) = value(edit.new, member.value) {
                    kept.push((index, Some(value)));
                }
            }
            Some(_) => {}
        }
    }
    let start = |index: usize| offset(target, members[index].key);
    let value_start = |index: usize| offset(target, members[index].value);
    let end = |index: usize| value_start(index) + members[index].value.len();
    let mut out = String::with_capacity(target.len());
    out.push_str(&target[..start(0)]);
    let mut first = true;
    for (index, new) in kept.into_iter().rev() {
        if !first {
            out.push_str(&target[end(index - 1)..start(index)]);
        }
        first = false;
        match new {
            None => out.push_str(&target[start(index)..end(index)]),
            Some(new) => {
                out.push_str(&target[start(index)..value_start(index)]);
                out.push_str(&new);
            }
        }
    }
    append(&mut out, first, edits.iter().filter(|edit| pending.contains(text_of(edit.key).as_ref())));
    out.push_str(&target[end(members.len() - 1)..]);
    out
}

/// An empty object's text with new members between its braces.
fn surrounded(empty: &str, edits: &[Edit<'_>]) -> String {
    let mut members = String::new();
    append(&mut members, true, edits.iter());
    if members.is_empty() { empty.to_owned() } else { format!("{{{members}}}") }
}

/// Adds the members that are not in the target.
fn append<'a>(out: &mut String, mut first: bool, edits: impl Iterator<Item = &'a Edit<'a>>) {
    for edit in edits {
        let Some(value) = value(edit.new, "null") else { continue };
        if !first {
            out.push(',');
        }
        first = false;
        out.push_str(edit.key);
        out.push(':');
        out.push_str(&value);
    }
}

/// The text that replaces `old`.
fn value(new: New<'_>, old: &str) -> Option<String> {
    match new {
        New::Nothing => None,
        New::Value(value) => Some(value.to_owned()),
        New::Patched(patch) => Some(merge_patch(old, patch)),
    }
}

/// Where in `text` a slice of it begins.
fn offset(text: &str, slice: &str) -> usize {
    slice.as_ptr() as usize - text.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_hold() {
        for (target, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            assert_eq!(merge_patch(target, patch), result, "{target} + {patch}");
        }
    }

    #[test]
    fn what_is_not_named_keeps_its_bytes() {
        let target = "{ \"big\": 123456789012345678901234567890,\n  \"f\" : 1.0, \"\\ud800\": \"\\u00e9\" , \"n\":{\"x\" : 1e2} }";
        assert_eq!(
            merge_patch(target, "{\"new\": [ 1 ], \"n\": {\"y\": 2}}"),
            "{ \"big\": 123456789012345678901234567890,\n  \"f\" : 1.0, \"\\ud800\": \"\\u00e9\" , \"n\":{\"x\" : 1e2,\"y\":2},\"new\":[1] }"
        );
        assert_eq!(merge_patch(target, "{\"big\":null,\"\\u006e\":null}"), "{ \"f\" : 1.0, \"\\ud800\": \"\\u00e9\" }");
        assert_eq!(merge_patch("{ }", "{\"a\" : {\"b\": null}}"), "{\"a\":{}}");
    }

    #[test]
    fn one_member_is_set_in_place() {
        let target = "{ \"a\": {\"b\" : 1.0, \"l\": [1]}, \"n\": null}";
        let set = |pointer: &str, only_if_absent| {
            let tokens: Vec<_> = pointer.split('/').map(str::to_owned).collect();
            put(target, &tokens, "null", only_if_absent)
        };
        let changed = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(set("a/b", false), changed("{ \"a\": {\"b\" : null, \"l\": [1]}, \"n\": null}"));
        assert_eq!(set("a/b", true), Ok(None));
        assert_eq!(set("n", true), Ok(None), "a member that is null is there");
        assert_eq!(set("a/\"", true), changed("{ \"a\": {\"b\" : 1.0, \"l\": [1],\"\\\"\":null}, \"n\": null}"));
        assert_eq!(set("a", false), changed("{ \"a\": null, \"n\": null}"));
        for pointer in ["a/l/0", "x/y", "n/x"] {
            assert_eq!(set(pointer, false), Err(NoObject), "{pointer}");
        }
        assert_eq!(put("{\"a\":1,\"a\":2}", &["a".to_owned()], "3", false), changed("{\"a\":3}"));
    }

    #[test]
    fn of_a_key_stored_twice_the_last_counts() {
        assert_eq!(merge_patch("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":4}"), "{\"b\":2,\"a\":4}");
        assert_eq!(merge_patch("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":null}"), "{\"b\":2}");
        assert_eq!(merge_patch("{\"a\":1,\"a\":3}", "{\"b\":1}"), "{\"a\":1,\"a\":3,\"b\":1}");
    }
}
