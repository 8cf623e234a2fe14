//! Settings as words of a text, for hosts that can preset a value of a bucket and nothing else:
//! `ttl_ms=1800000 message_bytes_max=65536 ticket_bytes_max=1048576 history_entries_max=10000`.
//!
//! A missing word has the value above; no word may be given twice. Words and not JSON, because the stock `wasmtime`
//! does not take a comma in a preset value.

use std::fmt;
use std::str::FromStr;

use ticket_model::id::excerpt;
use ticket_model::port::Settings;

use ticket_model::limits::{self, ENTRY_BYTES_MAX, TTL_MS_MAX, TTL_MS_MIN};

/// The key whose value they are.
pub const KEY: &str = "settings";

/// The settings without any word.
pub const DEFAULT: Settings = Settings {
    ttl_ms: limits::TTL_MS,
    message_bytes_max: limits::MESSAGE_BYTES_MAX,
    ticket_bytes_max: limits::TICKET_BYTES_MAX,
    history_entries_max: limits::HISTORY_ENTRIES_MAX,
};

/// Reads settings.
///
/// # Errors
/// If a word is unknown, given twice, or not a number in its limits; the text names it.
pub fn parse(value: &[u8]) -> Result<Settings, String> {
    let text = std::str::from_utf8(value).map_err(|error| format!("settings are not UTF-8 text: {error}"))?;
    let mut settings = DEFAULT;
    let mut seen = Vec::new();
    for word in text.split_ascii_whitespace() {
        let (name, number) =
            word.split_once('=').ok_or_else(|| format!("setting {} is not NAME=NUMBER", excerpt(word)))?;
        match name {
            "ttl_ms" => settings.ttl_ms = within(word, number, TTL_MS_MIN, TTL_MS_MAX)?,
            "message_bytes_max" => settings.message_bytes_max = within(word, number, 1, u32::MAX)?,
            "ticket_bytes_max" => settings.ticket_bytes_max = within(word, number, 1, ENTRY_BYTES_MAX)?,
            "history_entries_max" => settings.history_entries_max = within(word, number, 1, u32::MAX)?,
            _ => return Err(format!("unknown setting {}", excerpt(word))),
        }
        if seen.contains(&name) {
            return Err(format!("setting {} is given twice", excerpt(name)));
        }
        seen.push(name);
    }
    Ok(settings)
}

fn within<T>(word: &str, number: &str, least: T, most: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    number
        .parse()
        .ok()
        .filter(|number| digits && (&least..=&most).contains(&number))
        .ok_or_else(|| format!("setting {} is not a number from {least} to {most}", excerpt(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_sets_one_value_and_the_others_keep_defaults() {
        assert_eq!(parse(b""), Ok(DEFAULT));
        assert_eq!(parse(b" \n"), Ok(DEFAULT));
        assert_eq!(parse(b"ttl_ms=1000"), Ok(Settings { ttl_ms: 1_000, ..DEFAULT }));
        assert_eq!(
            parse(b"history_entries_max=3\tticket_bytes_max=16777216 message_bytes_max=1  ttl_ms=31622400000\n"),
            Ok(Settings {
                ttl_ms: 31_622_400_000,
                message_bytes_max: 1,
                ticket_bytes_max: 16_777_216,
                history_entries_max: 3
            })
        );
    }

    #[test]
    fn an_invalid_word_is_named() {
        for (text, named) in [
            ("ttl_ms=999", "`ttl_ms=999`"),
            ("ttl_ms=31622400001", "`ttl_ms=31622400001`"),
            ("ttl_ms=+1000", "`ttl_ms=+1000`"),
            ("ttl_ms=", "`ttl_ms=`"),
            ("ttl_ms", "`ttl_ms`"),
            ("ttl_ms=1000 ttl_ms=1000", "`ttl_ms`"),
            ("message_bytes_max=0", "`message_bytes_max=0`"),
            ("ticket_bytes_max=16777217", "`ticket_bytes_max=16777217`"),
            ("history_entries_max=4294967296", "`history_entries_max=4294967296`"),
            ("ttl=1000", "`ttl=1000`"),
            ("{\"ttl_ms\":1000}", "ttl_ms"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
        assert!(parse(b"ttl_ms=1000\xff").is_err());
    }
}
