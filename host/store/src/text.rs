//! Untrusted text in messages.

pub use ticket_model::id::excerpt;

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
