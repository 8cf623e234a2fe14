//! `ticket replay`: replays conversations through the engine, with a digest of what is stored at the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::io::{BufRead, Read};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use ticket_host::{Change, Error, Ticket, Tickets};

use super::args::Format;
use super::exit::Failure;
use super::input::Lines;
use super::output::Output;
use super::render;
use super::transcript::{self, Conversation, Step};

/// Longest line, in bytes: far more than any ticket takes.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Digits of a digest that a table shows.
const DIGITS_SHOWN: usize = 16;

/// The result of one conversation.
#[derive(Serialize)]
struct Row {
    id: String,
    messages: u64,
    decisions: u64,
    facts: u64,
    rollbacks: u64,
    sha256: String,
}

/// The sums of all rows.
#[derive(Default, Serialize)]
struct Total {
    tickets: u64,
    messages: u64,
    decisions: u64,
    facts: u64,
    rollbacks: u64,
    sha256: String,
}

/// The last line.
#[derive(Serialize)]
struct LastLine<'a> {
    total: &'a Total,
}

/// Replays every line and shows a row for each, then the total.
pub(crate) async fn run(tickets: &Tickets, lines: Lines, replace: bool, output: &Output) -> Result<(), Failure> {
    let started = Instant::now();
    let bar = bar(lines.bytes);
    let mut replay = Replay { tickets, replace, output, bar: &bar, rows: vec![], total: Total::default() };
    let done = replay.lines(lines).await;
    bar.finish_and_clear();
    let Replay { rows, total, .. } = replay;
    match output.format() {
        // A replay that stopped shows its rows without a total.
        Format::Table => output.table(&table(&rows, done.is_ok().then_some(&total)))?,
        Format::Json if done.is_ok() => output.json(&LastLine { total: &total })?,
        Format::Json => {}
    }
    done?;
    let seconds = started.elapsed().as_secs_f64();
    output.remark(&format!("{} tickets replayed in {seconds:.2} s into {}", total.tickets, tickets.store()));
    Ok(())
}

struct Replay<'a> {
    tickets: &'a Tickets,
    replace: bool,
    output: &'a Output,
    bar: &'a ProgressBar,
    rows: Vec<Row>,
    total: Total,
}

impl Replay<'_> {
    async fn lines(&mut self, mut lines: Lines) -> Result<(), Failure> {
        let mut digests = Sha256::new();
        let mut line_of: HashMap<String, usize> = HashMap::new();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let bytes = read_line(&mut lines.reader, &mut line)
                .map_err(|wrong| Failure::Input(format!("line {number}: {wrong}")))?;
            if bytes == 0 {
                break;
            }
            let wrong = |wrong: String| Failure::Input(format!("line {number} is not a conversation: {wrong}"));
            let text = std::str::from_utf8(&line).map_err(|error| wrong(error.to_string()))?;
            if text.trim().is_empty() {
                continue;
            }
            let conversation = transcript::parse(text).map_err(wrong)?;
            if let Some(first) = line_of.insert(conversation.id.clone(), number) {
                return Err(Failure::Input(format!(
                    "line {number} has the same id as line {first}: {}",
                    conversation.id
                )));
            }
            let row = self.conversation(conversation, number, &mut digests).await?;
            self.show(row)?;
            self.bar.inc(bytes as u64);
        }
        self.total.sha256 = hex(digests);
        Ok(())
    }

    /// Replays one conversation on a new ticket.
    async fn conversation(
        &self,
        conversation: Conversation,
        line: usize,
        digests: &mut Sha256,
    ) -> Result<Row, Failure> {
        let Conversation { id, steps } = conversation;
        let stopped = |source| Failure::Replay { line, source };
        if self.replace {
            match self.tickets.close(&id, None).await {
                Ok(()) | Err(Error::NotFound(_)) => {}
                Err(error) => return Err(stopped(error)),
            }
        }
        match self.tickets.create(Some(&id), &[]).await {
            Ok(_) => {}
            Err(Error::Exists(_)) => return Err(Failure::AlreadyThere { line, id }),
            Err(error) => return Err(stopped(error)),
        }
        let mut row = Row { id, messages: 0, decisions: 0, facts: 0, rollbacks: 0, sha256: String::new() };
        self.apply(&mut row, steps).await.map_err(stopped)?;
        let ticket = self.tickets.get(&row.id).await.map_err(stopped)?;
        row.facts = fact_count(&ticket);
        let digest = digest(&ticket);
        digests.update(digest.clone().finalize());
        row.sha256 = hex(digest);
        Ok(row)
    }

    async fn apply(&self, row: &mut Row, steps: Vec<Step>) -> Result<(), Error> {
        let wanted: HashSet<usize> =
            steps.iter().filter_map(|step| if let Step::RollBack(to) = step { Some(*to) } else { None }).collect();
        let mut snapshots: HashMap<usize, String> = HashMap::new();
        for (place, step) in steps.into_iter().enumerate() {
            let changes = match step {
                Step::Say(message) => {
                    row.messages += 1;
                    vec![Change::Say(message)]
                }
                Step::Decide(decisions) => {
                    // An agent cannot know which snapshot it will need, so it takes each.
                    let snapshot = self.tickets.snapshot(&row.id).await?;
                    if wanted.contains(&place) {
                        snapshots.insert(place, snapshot);
                    }
                    row.decisions += decisions.len() as u64;
                    decisions.into_iter().map(Change::Decide).collect()
                }
                Step::Learn(patches) => patches.into_iter().map(Change::Learn).collect(),
                Step::RollBack(to) => {
                    row.rollbacks += 1;
                    let snapshot = snapshots.get(&to).map(String::as_str).unwrap_or_default();
                    self.tickets.rollback(&row.id, snapshot, None).await?;
                    continue;
                }
            };
            self.tickets.apply(&row.id, &changes, None).await?;
        }
        Ok(())
    }

    fn show(&mut self, row: Row) -> Result<(), Failure> {
        self.total.tickets += 1;
        self.total.messages += row.messages;
        self.total.decisions += row.decisions;
        self.total.facts += row.facts;
        self.total.rollbacks += row.rollbacks;
        match self.output.format() {
            Format::Json => self.bar.suspend(|| self.output.json(&row)),
            Format::Table => {
                self.rows.push(row);
                Ok(())
            }
        }
    }
}

/// Reads a line with its end; 0 bytes at the end of the file.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<usize, String> {
    let mut limited = reader.take(LINE_BYTES_MAX as u64 + 1);
    let bytes = limited.read_until(b'\n', line).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes > LINE_BYTES_MAX { Err(format!("has more than {LINE_BYTES_MAX} bytes")) } else { Ok(bytes) }
}

/// SHA-256 over what is stored and does not depend on the time, each text after its length.
fn digest(ticket: &Ticket) -> Sha256 {
    let mut digest = Sha256::new();
    for text in [&ticket.id, &ticket.facts, &ticket.history, &ticket.last_decision] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn fact_count(ticket: &Ticket) -> u64 {
    let facts: BTreeMap<String, &RawValue> = serde_json::from_str(&ticket.facts).unwrap_or_default();
    facts.len() as u64
}

/// Shows how much of the file is done, on stderr where that is a terminal, else nothing.
fn bar(bytes: Option<u64>) -> ProgressBar {
    match bytes {
        Some(bytes) => ProgressBar::new(bytes).with_style(style("{wide_bar} {percent} %, {elapsed}")),
        None => ProgressBar::new_spinner().with_style(style("{spinner} {pos} bytes, {elapsed}")),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn table(rows: &[Row], total: Option<&Total>) -> comfy_table::Table {
    let mut table = render::headed(&["ticket", "messages", "decisions", "facts", "rollbacks", "sha-256"]);
    let shown = |digest: &str| digest.chars().take(DIGITS_SHOWN).collect::<String>();
    let cells = |name: String, counts: [u64; 4], sha256: &str| {
        let [messages, decisions, facts, rollbacks] = counts.map(|count| count.to_string());
        [name, messages, decisions, facts, rollbacks, shown(sha256)]
    };
    for row in rows {
        let counts = [row.messages, row.decisions, row.facts, row.rollbacks];
        table.add_row(cells(row.id.clone(), counts, &row.sha256));
    }
    if let Some(total) = total {
        let counts = [total.messages, total.decisions, total.facts, total.rollbacks];
        table.add_row(cells(format!("{} in all", total.tickets), counts, &total.sha256));
    }
    render::align_right(&mut table, &[1, 2, 3, 4]);
    table
}
