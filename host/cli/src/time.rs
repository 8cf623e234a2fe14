//! Times as people read and type them: dates in UTC, lengths of time, and TTLs such as `1h30m`.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use ticket_host::store::{TTL_MS_MAX, TTL_MS_MIN};

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Unix seconds as `2026-07-18 12:00:05 UTC`.
pub(crate) fn utc(unix_s: u64) -> String {
    let after_epoch = i64::try_from(unix_s).ok().map(SignedDuration::from_secs);
    match after_epoch.and_then(|seconds| EPOCH.checked_add(seconds).ok()) {
        Some(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        // Past the year 9999 a number says more than a date.
        None => format!("{unix_s} s after 1970-01-01 UTC"),
    }
}

/// A length of time in its two largest units: `29 min 58 s`.
pub(crate) fn length(seconds: u64) -> String {
    let units = [
        (seconds / DAY_S, "d"),
        (seconds % DAY_S / HOUR_S, "h"),
        (seconds % HOUR_S / MINUTE_S, "min"),
        (seconds % MINUTE_S, "s"),
    ];
    let largest = units.iter().position(|(number, _)| *number > 0).unwrap_or(units.len() - 1);
    let shown = units.iter().skip(largest).take(2).enumerate();
    let parts: Vec<String> = shown
        .filter(|(place, (number, _))| *place == 0 || *number > 0)
        .map(|(_, (number, unit))| format!("{number} {unit}"))
        .collect();
    parts.join(" ")
}

/// Parses a TTL into milliseconds: seconds (`1800`), or numbers with units (`30m`, `1h30m`, `7d`).
pub(crate) fn ttl_ms(text: &str) -> Result<u64, String> {
    let ttl_ms = seconds(text)?.saturating_mul(1_000);
    if (TTL_MS_MIN..=TTL_MS_MAX).contains(&ttl_ms) {
        return Ok(ttl_ms);
    }
    Err(format!("a TTL is between {} and {}", length(TTL_MS_MIN / 1_000), length(TTL_MS_MAX / 1_000)))
}

/// Parses how long to wait, 0 too.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        seconds if seconds <= DAY_S => Ok(Duration::from_secs(seconds)),
        _ => Err("at most 1d".into()),
    }
}

/// Parses how often to do something: from a second to a day.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        seconds @ 1..=DAY_S => Ok(Duration::from_secs(seconds)),
        _ => Err("from 1s to 1d".into()),
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let form = || "write it as 1800 (seconds), 90s, 30m, 1h30m or 7d".to_owned();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| form())
    } else {
        sum_s(text).ok_or_else(form)
    }
}

/// The sum of all numbers with their units, in seconds.
fn sum_s(text: &str) -> Option<u64> {
    let (mut sum, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let mut unit = rest[digits..].chars();
        let unit_s = match unit.next()? {
            'd' => DAY_S,
            'h' => HOUR_S,
            'm' => MINUTE_S,
            's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit_s)?)?;
        rest = unit.as_str();
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_shown_as_dates() {
        for (unix_s, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_200, "2024-03-01 00:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(utc(unix_s), expected);
        }
        assert_eq!(utc(u64::MAX), "18446744073709551615 s after 1970-01-01 UTC");
    }

    #[test]
    fn lengths_show_their_two_largest_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (58, "58 s"),
            (60, "1 min"),
            (1_798, "29 min 58 s"),
            (3_605, "1 h"),
            (7_380, "2 h 3 min"),
            (366 * 86_400, "366 d"),
        ] {
            assert_eq!(length(seconds), expected);
        }
    }

    #[test]
    fn ttls_are_parsed() {
        for (text, seconds) in
            [("1800", 1_800), ("10s", 10), ("30m", 1_800), ("1h30m", 5_400), ("366d", 366 * 86_400), ("1d1s", 86_401)]
        {
            assert_eq!(ttl_ms(text), Ok(seconds * 1_000), "{text}");
        }
    }

    #[test]
    fn invalid_ttls_are_refused() {
        for text in ["", "0", "m", "1x", "1h30", "-1", "1.5h", "30 m", "367d", "99999999999999999999", "9999999999999d"]
        {
            assert!(ttl_ms(text).is_err(), "{text}");
        }
    }
}
