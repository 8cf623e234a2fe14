//! Untrusted text in messages.

/// The beginning of an untrusted text, quoted and escaped, for an error.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const CHARS_SHOWN: usize = 48;
    format!("`{}`", printable(text, CHARS_SHOWN))
}

/// The beginning of an untrusted text without control characters, so that it may reach a terminal or a log.
#[must_use]
pub fn printable(text: &str, chars_max: usize) -> String {
    let head: String = text.chars().take(chars_max).collect();
    let more = if head.len() < text.len() { format!("… ({} bytes)", text.len()) } else { String::new() };
    let mut shown = String::with_capacity(head.len());
    for char in head.chars() {
        match char {
            '\'' | '"' => shown.push(char),
            _ => shown.extend(char.escape_debug()),
        }
    }
    shown + &more
}
