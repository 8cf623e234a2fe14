//! Tables for people.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::value::RawValue;
use ticket_host::store::clock::{Clock, SystemClock};
use ticket_host::{Effect, Summary, Ticket};

use super::escape::{beginning, printable};
use super::time::{length, utc};

/// Characters that are shown of one message, fact or decision; more is for `--field`.
pub(crate) const TEXT_CHARS_MAX: usize = 400;
/// Messages and facts that are shown of one ticket.
const ENTRIES_MAX: usize = 50;

/// Narrower than this, in columns, cells cut to the terminal hold a letter or two a line: the terminal wraps rows instead.
const NARROW: u16 = 60;

/// A line under the header, and no other.
const HEADED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table without lines, cut to the width of the terminal.
pub(crate) fn plain() -> Table {
    let mut table = Table::new();
    let is_narrow = table.width().is_some_and(|columns| columns < NARROW);
    let arrangement = if is_narrow { ContentArrangement::Disabled } else { ContentArrangement::Dynamic };
    table.load_style(presets::NOTHING).set_content_arrangement(arrangement);
    table
}

/// A table with a header, cut to the width of the terminal.
pub(crate) fn headed(header: &[&str]) -> Table {
    let mut table = plain();
    table.load_style(HEADED).set_header(header.iter().copied());
    table
}

/// Aligns columns of numbers to the right.
pub(crate) fn align_right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Shows how much of the file is done, on stderr where that is a terminal, else nothing.
pub(crate) fn file_bar(bytes: Option<u64>) -> ProgressBar {
    match bytes {
        Some(bytes) => ProgressBar::new(bytes).with_style(style("{wide_bar} {percent} %, {elapsed}")),
        None => ProgressBar::new_spinner().with_style(style("{spinner} {pos} bytes, {elapsed}")),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A number of tickets, in words for people.
pub(crate) fn tickets(count: u64) -> String {
    if count == 1 { "1 ticket".into() } else { format!("{count} tickets") }
}

/// A ticket, with a row for each message and fact.
pub(crate) fn ticket(ticket: &Ticket) -> Table {
    let now_ms = SystemClock.now_ms();
    let now_s = now_ms / 1_000;
    let mut table = plain();
    section(&mut table, "ticket", [(String::new(), ticket.id.clone())]);
    section(&mut table, "facts", facts(&ticket.facts));
    section(&mut table, "history", history(&ticket.history));
    section(&mut table, "decision", [(String::new(), beginning(&ticket.last_decision, TEXT_CHARS_MAX))]);
    section(&mut table, "created", [(String::new(), past(ticket.created_at, now_s))]);
    section(&mut table, "updated", [(String::new(), past(ticket.updated_at, now_s))]);
    section(&mut table, "expires", [(String::new(), deadline(ticket.expires_at_ms, now_ms))]);
    section(&mut table, "revision", [(String::new(), printable(&ticket.revision))]);
    let Effect { retracted, trimmed, .. } = &ticket.effect;
    section(&mut table, "retracted", numbered(retracted.iter().map(String::as_str), 0));
    if *trimmed > 0 {
        let messages = if *trimmed == 1 { "message was" } else { "messages were" };
        section(&mut table, "trimmed", [(trimmed.to_string(), format!("oldest {messages} dropped"))]);
    }
    table
}

/// The sizes and times of a ticket.
pub(crate) fn summary(summary: &Summary, now_ms: u64) -> Table {
    let mut table = plain();
    let bytes = |bytes: u32| format!("{bytes} bytes");
    let messages = if summary.history_entries == 1 { "message" } else { "messages" };
    let history = format!("{}, {} {messages}", bytes(summary.history_bytes), summary.history_entries);
    for (label, text) in [
        ("ticket", summary.id.clone()),
        ("facts", bytes(summary.facts_bytes)),
        ("history", history),
        ("decision", bytes(summary.last_decision_bytes)),
        ("created", past(summary.created_at, now_ms / 1_000)),
        ("updated", past(summary.updated_at, now_ms / 1_000)),
        ("expires", deadline(summary.expires_at_ms, now_ms)),
        ("revision", printable(&summary.revision)),
    ] {
        section(&mut table, label, [(String::new(), text)]);
    }
    table
}

/// Messages with their numbers, of which so many come before.
fn numbered<'a>(messages: impl Iterator<Item = &'a str>, before: usize) -> Vec<(String, String)> {
    let row = |(place, message): (usize, &str)| {
        // A lone surrogate, which Python may have stored, is not text: then the JSON as it is.
        let text = serde_json::from_str::<String>(message).unwrap_or_else(|_| message.to_owned());
        ((before + place + 1).to_string(), beginning(&text, TEXT_CHARS_MAX))
    };
    messages.enumerate().map(row).collect()
}

/// Rows under one label: a name or number each, and a text.
fn section(table: &mut Table, label: &str, rows: impl IntoIterator<Item = (String, String)>) {
    let mut label = label;
    for (name, text) in rows {
        table.add_row([label.to_owned(), name, text]);
        label = "";
    }
}

fn facts(stored: &str) -> Vec<(String, String)> {
    let Ok(facts) = serde_json::from_str::<BTreeMap<String, &RawValue>>(stored) else {
        return vec![(String::new(), beginning(stored, TEXT_CHARS_MAX))];
    };
    if facts.is_empty() {
        return vec![(String::new(), "none yet".into())];
    }
    let rest = facts.len().saturating_sub(ENTRIES_MAX);
    let mut rows: Vec<_> = facts
        .iter()
        .take(ENTRIES_MAX)
        .map(|(name, value)| (beginning(name, TEXT_CHARS_MAX), beginning(value.get(), TEXT_CHARS_MAX)))
        .collect();
    if rest > 0 {
        rows.push(("…".into(), format!("{rest} more, `--field facts` shows them")));
    }
    rows
}

fn history(stored: &str) -> Vec<(String, String)> {
    let Ok(messages) = serde_json::from_str::<Vec<&RawValue>>(stored) else {
        return vec![(String::new(), beginning(stored, TEXT_CHARS_MAX))];
    };
    if messages.is_empty() {
        return vec![(String::new(), "none yet".into())];
    }
    let earlier = messages.len().saturating_sub(ENTRIES_MAX);
    let mut rows = Vec::new();
    if earlier > 0 {
        rows.push(("…".into(), format!("{earlier} earlier, `--field history` shows them")));
    }
    rows.extend(numbered(messages.iter().skip(earlier).map(|message| message.get()), earlier));
    rows
}

fn past(unix_s: u64, now_s: u64) -> String {
    match now_s.checked_sub(unix_s) {
        _ if unix_s == 0 => "unknown".into(),
        Some(0) => format!("{}, now", utc(unix_s)),
        Some(ago) => format!("{}, {} ago", utc(unix_s), length(ago)),
        None => format!("{}, in {}", utc(unix_s), length(unix_s - now_s)),
    }
}

fn deadline(expires_at_ms: u64, now_ms: u64) -> String {
    let at = utc(expires_at_ms / 1_000);
    match expires_at_ms.checked_sub(now_ms) {
        _ if expires_at_ms == 0 => "never: the next change sets a deadline".into(),
        Some(left_ms) => format!("{at}, in {}", length(left_ms / 1_000)),
        None => format!("{at}, just now"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_shown_key_by_key_as_they_are_stored() {
        let rows = facts("{\"b\": 1.0, \"a\\n\": \"x\u{9b}\"}");
        assert_eq!(rows, [("a\\n".into(), "\"x\\u{9b}\"".into()), ("b".into(), "1.0".to_owned())]);
    }

    #[test]
    fn messages_are_numbered_and_one_line_each() {
        let rows = history(r#"["h\u00e9\n2  forged", {"id":"m"}, "\ud800"]"#);
        let texts = ["hé\\n2  forged", "{\"id\":\"m\"}", "\"\\ud800\""];
        assert_eq!(rows, [1, 2, 3].map(|number| (number.to_string(), texts[number - 1].to_owned())));
    }

    #[test]
    fn a_long_history_shows_its_end() {
        let stored = serde_json::to_string(&(1..=60).map(|number| format!("m{number}")).collect::<Vec<_>>()).unwrap();
        let rows = history(&stored);
        assert_eq!(rows.len(), 51);
        assert!(rows[0].1.starts_with("10 earlier"));
        assert_eq!(rows[50], ("60".into(), "m60".into()));
    }

    #[test]
    fn times_are_shown_relative_to_now() {
        assert_eq!(past(100, 400), "1970-01-01 00:01:40 UTC, 5 min ago");
        assert_eq!(past(0, 400), "unknown");
        assert_eq!(deadline(1_900_999, 102_000), "1970-01-01 00:31:40 UTC, in 29 min 58 s");
        assert!(deadline(0, 5).starts_with("never"));
    }
}
