//! When two JSON texts are the same, whoever wrote them.
//!
//! White space, the order of members and the spelling of strings do not count; numbers are the same where they are
//! written alike, because two long ones may differ and still be rounded to the same float. Of a duplicate key
//! the last member counts, as in Python. Below [`JSON_DEPTH_MAX`](crate::limits::JSON_DEPTH_MAX) levels texts are compared byte by
//! byte. Half of a surrogate pair is the same as itself only.

use super::parts::{by_key, items, text_of};
use crate::limits::JSON_DEPTH_MAX;

/// Whether two valid JSON texts are the same.
#[must_use]
pub fn same(left: &str, right: &str) -> bool {
    same_within(left, right, JSON_DEPTH_MAX)
}

fn same_within(left: &str, right: &str, levels: u32) -> bool {
    let (left, right) = (left.trim(), right.trim());
    if left == right {
        return true;
    }
    if levels == 0 {
        return false;
    }
    match (left.as_bytes().first(), right.as_bytes().first()) {
        (Some(b'"'), Some(b'"')) => text_of(left) == text_of(right),
        (Some(b'['), Some(b'[')) => match (items(left), items(right)) {
            (Some(mut left), Some(mut right)) => loop {
                match (left.next(), right.next()) {
                    (None, None) => return true,
                    (Some(left), Some(right)) if same_within(left, right, levels - 1) => {}
                    _ => return false,
                }
            },
            _ => false,
        },
        (Some(b'{'), Some(b'{')) => match (by_key(left), by_key(right)) {
            (Some(left), Some(right)) => {
                let equal = |(key, one): (_, &super::Member<'_>)| {
                    right.get(key).is_some_and(|other| same_within(one.value, other.value, levels - 1))
                };
                left.len() == right.len() && left.iter().all(equal)
            }
            _ => false,
        },
        _ => false,
    }
}

/// A form that two valid JSON texts share exactly where they are the [`same`]; for sets and maps of values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// The form of a valid JSON text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut out = Vec::with_capacity(text.len());
        write(text, JSON_DEPTH_MAX, &mut out);
        Self(out)
    }
}

fn write(text: &str, levels: u32, out: &mut Vec<u8>) {
    let text = text.trim();
    match (text.as_bytes().first(), levels) {
        (Some(b'['), 1..) => {
            out.push(b'[');
            items(text).into_iter().flatten().for_each(|item| write(item, levels - 1, out));
            out.push(b']');
        }
        (Some(b'{'), 1..) => {
            out.push(b'{');
            for (key, member) in by_key(text).into_iter().flatten() {
                write_scalar(b'"', &key, out);
                write(member.value, levels - 1, out);
            }
            out.push(b'}');
        }
        (Some(b'"'), 1..) => write_scalar(b'"', &text_of(text), out),
        (_, _) => write_scalar(b'=', text.as_bytes(), out),
    }
}

/// A tag, the length and the bytes, so that no two sequences of values are written alike.
fn write_scalar(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAME: [(&str, &str); 7] = [
        ("{\"a\":1,\"b\":[\"é\"]}", "{ \"b\": [\"\\u00e9\"], \"a\": 1 }"),
        ("\"x\"", "\"\\u0078\""),
        ("[]", "[ ]"),
        ("\"\\ud800\"", "\"\\uD800\""),
        ("{\"\\ud800\":1}", "{\"\\uD800\" : 1}"),
        ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
        ("[1, {\"a\": [true]}]", "[1,{\"a\":[true]}]"),
    ];
    const DIFFERENT: [(&str, &str); 11] = [
        ("1", "1.0"),
        ("9007199254740993", "9007199254740992"),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("{\"a\":1}", "{\"a\":1,\"b\":2}"),
        ("[1,2]", "[2,1]"),
        ("[12]", "[1,2]"),
        ("[[1],2]", "[[1,2]]"),
        ("\"1\"", "1"),
        ("null", "{}"),
        ("\"\\ud800\"", "\"\\ud801\""),
        ("\"\\ud800\"", "\"?\""),
    ];

    #[test]
    fn spelling_and_order_do_not_count_and_numbers_do() {
        for (left, right) in SAME {
            assert!(same(left, right) && same(right, left), "{left} {right}");
            assert_eq!(Canonical::of(left), Canonical::of(right), "{left} {right}");
        }
        for (left, right) in DIFFERENT {
            assert!(!same(left, right) && !same(right, left), "{left} {right}");
            assert_ne!(Canonical::of(left), Canonical::of(right), "{left} {right}");
        }
    }

    #[test]
    fn texts_that_nest_too_deep_are_compared_as_text() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(same(&deep("1"), &deep("1")) && !same(&deep("1"), &deep(" 1")));
        assert_ne!(Canonical::of(&deep("1")), Canonical::of(&deep("2")));
    }
}
