//! What a ticket may be called, the key it is stored under, and how untrusted text is shown in an error.

/// What every key begins with.
pub const KEY_PREFIX: &str = "ticket:";
/// Longest ticket id in characters: room for two UUIDs and a name between them.
pub const ID_CHARS_MAX: usize = 128;

/// Whether this is a ticket id: 1 to 128 of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= ID_CHARS_MAX
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// What begins an encoded byte in an id.
const ESCAPE: u8 = b'Z';

/// A ticket id for any text, such as `user:17`: letters but `Z`, digits and, after the first character, `. _ -` stay, and
/// every other byte is `Z` and two hexadecimal digits, as in `userZ3A17`. None for the empty text and where the id would be
/// longer than [`ID_CHARS_MAX`]. [`decode_id`] reverses it.
#[must_use]
pub fn encode_id(text: &str) -> Option<String> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    // An id is at most that long, and encoding shortens nothing.
    if text.is_empty() || text.len() > ID_CHARS_MAX {
        return None;
    }
    let mut id = String::with_capacity(text.len());
    for byte in text.bytes() {
        let stays = byte.is_ascii_alphanumeric() && byte != ESCAPE || !id.is_empty() && b"._-".contains(&byte);
        if stays {
            id.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
            id.extend([char::from(ESCAPE), digits[0], digits[1]]);
        }
    }
    (id.len() <= ID_CHARS_MAX).then_some(id)
}

/// The text that [`encode_id`] made this id of; none for an id that it did not make.
#[must_use]
pub fn decode_id(id: &str) -> Option<String> {
    let mut bytes = id.bytes();
    let mut text = Vec::with_capacity(id.len());
    while let Some(byte) = bytes.next() {
        if byte == ESCAPE {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            text.push(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?);
        } else {
            text.push(byte);
        }
    }
    let text = String::from_utf8(text).ok()?;
    (encode_id(&text).as_deref() == Some(id)).then_some(text)
}

/// What a ticket id is, and what to use in place of a text that is not one, for an error.
#[must_use]
pub fn advice(text: &str) -> String {
    let rule = format!("use 1 to {ID_CHARS_MAX} of A-Z a-z 0-9 . _ -, the first a letter or digit");
    match encode_id(text) {
        Some(id) => format!("{rule}, for example `{id}`, where Z and two hexadecimal digits stand for another byte"),
        None => rule,
    }
}

/// The ticket id that a key names; none for keys of anything else.
#[must_use]
pub fn id_of_key(key: &str) -> Option<&str> {
    key.strip_prefix(KEY_PREFIX).filter(|id| is_id(id))
}

/// The beginning of an untrusted text, quoted and escaped, for an error.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const CHARS_SHOWN: usize = 48;
    let head: String = text.chars().take(CHARS_SHOWN).collect();
    let more = if head.len() < text.len() { format!("… ({} bytes)", text.len()) } else { String::new() };
    format!("`{}`{more}", head.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_an_id_and_back() {
        for (text, id) in [
            ("user:17", "userZ3A17"),
            ("order-17_b.c", "order-17_b.c"),
            ("-x", "Z2Dx"),
            ("Zoë", "Z5AoZC3ZAB"),
            ("a/b c", "aZ2FbZ20c"),
        ] {
            assert_eq!(encode_id(text).as_deref(), Some(id));
            assert!(is_id(id));
            assert_eq!(decode_id(id).as_deref(), Some(text));
        }
        assert_eq!(encode_id(""), None);
        assert_eq!(encode_id(&":".repeat(43)), None);
        assert_eq!(encode_id(&"x".repeat(128)), Some("x".repeat(128)));
        for id in ["Zoe", "Z4", "Z3a", "Z61", "ZFF", ""] {
            assert_eq!(decode_id(id), None, "{id}");
        }
    }
}
