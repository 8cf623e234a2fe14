//! Escapes text for a terminal: nothing in it moves the cursor, changes colours or the direction of text.

/// Whether a character controls a terminal instead of being shown.
///
/// Joiners and accents stay: emoji and many scripts need them.
fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{061C}' | '\u{200E}' | '\u{200F}' // marks of direction
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' // embeddings, overrides and isolates
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{FEFF}')
}

/// A text on one line, with control characters as `\n`, `\u{1b}`, …
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if is_control(char) {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// An equal JSON text, with control characters as `\u…` escapes.
///
/// Outside of strings the only control characters are white space, of which line breaks and tabs stay.
pub(crate) fn printable_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\n' | '\t' => shown.push(char),
            '\r' => shown.push(' '),
            _ if is_control(char) => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => shown.push(char),
        }
    }
    shown
}

/// The first `chars_max` characters of a text, with its length if it is cut.
pub(crate) fn beginning(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => {
            format!("{}… ({} characters)", printable(&text[..end]), text.chars().count())
        }
        None => printable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACKS: &str = "\u{1b}[2J\u{9b}31m\r\n\u{202e}evil\u{2066}\u{7f}\u{2028}\0";

    #[test]
    fn control_characters_are_escaped() {
        assert!(!printable(ATTACKS).chars().any(is_control), "{}", printable(ATTACKS));
        assert_eq!(printable("a\nb\u{9b}"), "a\\nb\\u{9b}");
    }

    #[test]
    fn text_in_any_script_stays() {
        for text in ["Grüße, 世界", "नमस्ते", "👩‍👩‍👧 ❤️", "e\u{301}", "שלום"] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn escaped_json_is_equal() {
        let json = format!("{{\"a\":\n{}}}", serde_json::to_string(ATTACKS).expect("json"));
        let shown = printable_json(&json);
        assert!(!shown.chars().any(|char| is_control(char) && char != '\n'), "{shown}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("json");
        assert_eq!(read(&shown), read(&json));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(beginning("äöü", 3), "äöü");
        assert_eq!(beginning("äöüß", 2), "äö… (4 characters)");
    }
}
