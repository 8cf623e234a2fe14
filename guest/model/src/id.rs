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
