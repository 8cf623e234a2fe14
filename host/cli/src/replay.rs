//! `ticket replay`: replays conversations through the engine, with a digest of what is stored at the end.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::time::Instant;

use indicatif::ProgressBar;
use regex::Regex;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use ticket_host::{Error, Ticket, Tickets};
use ticket_transcripts::{Conversation, Documents, Form, Place, Reading, Skipped};

use super::args::{FormArg, Format};
use super::digest;
use super::escape::printable;
use super::exit::{self, Failure};
use super::input::Lines;
use super::output::Output;
use super::render;

mod agent;

use agent::Agent;

/// Digits of a digest that a table shows.
const DIGITS_SHOWN: usize = 16;

/// How conversations are replayed.
pub(crate) struct Options {
    /// How transcripts are read.
    pub(crate) reading: Reading,
    /// Whether tickets of the same ids are closed first.
    pub(crate) replace: bool,
    /// Whether what would be skipped stops the replay.
    pub(crate) strict: bool,
}

/// How transcripts are read, as the options say.
pub(crate) fn reading(from: FormArg, error_pattern: Option<Regex>, keep_media: bool) -> Reading {
    let mut reading = Reading::default();
    reading.form = from.form();
    reading.error_pattern = error_pattern;
    reading.keep_media = keep_media;
    reading
}

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

/// What people are told at the end.
#[derive(Default)]
struct Notes {
    forms: BTreeMap<Form, u64>,
    references: usize,
    skipped: usize,
    /// The first that was skipped, and where it is.
    first_skipped: Option<(Place, Skipped)>,
}

/// Replays every conversation and shows a row for each, then the total.
pub(crate) async fn run(tickets: &Tickets, lines: Lines, options: Options, output: &Output) -> Result<(), Failure> {
    let started = Instant::now();
    let bar = render::file_bar(lines.bytes);
    let (rows, total, notes) = (vec![], Total::default(), Notes::default());
    let mut replay = Replay { tickets, options, output, bar: &bar, rows, total, notes };
    let done = replay.documents(Documents::new(lines.reader)).await;
    bar.finish_and_clear();
    let Replay { rows, total, notes, .. } = replay;
    match output.format() {
        // A replay that stopped shows its rows without a total.
        Format::Table => output.table(&table(&rows, done.is_ok().then_some(&total)))?,
        Format::Json if done.is_ok() => output.json(&LastLine { total: &total })?,
        Format::Json => {}
    }
    notes.tell();
    done?;
    let seconds = started.elapsed().as_secs_f64();
    let (count, store, forms) = (total.tickets, tickets.store().to_string(), notes.forms());
    let tickets = render::tickets(count);
    output.remark(&format!("{tickets} replayed in {seconds:.2} s into {store}{forms}"));
    Ok(())
}

impl Notes {
    fn tell(&self) {
        if self.references > 0 {
            let count = self.references;
            exit::tell(&format!(
                "note: images and files are kept as media type, size and SHA-256 ({count} of them): `--keep-media` keeps \
                 them whole"
            ));
        }
        if let Some((place, Skipped { place: message, what })) = &self.first_skipped {
            let count = self.skipped;
            let text = format!("warning: skipped {count} of the transcript, the first at {place}, {message}: {what}");
            exit::tell(&printable(&text));
        }
    }

    /// How conversations were read, for the remark.
    fn forms(&self) -> String {
        match self.forms.len() {
            0 => String::new(),
            1 => self.forms.keys().map(|form| format!(", read as {form}")).collect(),
            _ => {
                let forms: Vec<String> = self.forms.iter().map(|(form, count)| format!("{form} ({count})")).collect();
                format!(", read as {}", forms.join(", "))
            }
        }
    }
}

struct Replay<'a> {
    tickets: &'a Tickets,
    options: Options,
    output: &'a Output,
    bar: &'a ProgressBar,
    rows: Vec<Row>,
    total: Total,
    notes: Notes,
}

impl Replay<'_> {
    async fn documents(&mut self, mut documents: Documents<impl BufRead>) -> Result<(), Failure> {
        let refused = |wrong: ticket_transcripts::Invalid| Failure::Input(wrong.to_string());
        let mut digests = Sha256::new();
        let mut place_of: HashMap<String, Place> = HashMap::new();
        while let Some(text) = documents.read_next().map_err(refused)? {
            for document in text.conversations().map_err(refused)? {
                let place = document.place;
                let conversation = ticket_transcripts::read(&document, &self.options.reading)
                    .map_err(|wrong| Failure::Input(format!("{place} is not a conversation: {wrong}")))?;
                if let Some(first) = place_of.insert(conversation.id.clone(), place) {
                    let id = conversation.id;
                    return Err(Failure::Input(format!("{place} has the same id as {first}: {id}")));
                }
                self.note(&conversation, place)?;
                let row = self.conversation(conversation, place, &mut digests).await?;
                self.show(row)?;
            }
            self.bar.set_position(documents.bytes_read());
        }
        self.total.sha256 = digest::hex(digests);
        Ok(())
    }

    /// Remembers what people are told about a conversation.
    fn note(&mut self, conversation: &Conversation, place: Place) -> Result<(), Failure> {
        if let Some(first) = conversation.skipped.first() {
            if self.options.strict {
                let Skipped { place: message, what } = first;
                return Err(Failure::Input(format!("{place}, {message} has no effect on a ticket: {what}")));
            }
            self.notes.first_skipped.get_or_insert_with(|| (place, first.clone()));
        }
        self.notes.skipped += conversation.skipped.len();
        self.notes.references += conversation.references;
        *self.notes.forms.entry(conversation.form).or_default() += 1;
        Ok(())
    }

    /// Replays one conversation on a new ticket. If it fails, what was there before is there again.
    async fn conversation(
        &self,
        conversation: Conversation,
        place: Place,
        digests: &mut Sha256,
    ) -> Result<Row, Failure> {
        let Conversation { id, steps, .. } = conversation;
        let stopped = |source| Failure::Replay { place, source };
        let replaced = if self.options.replace { self.close(&id).await.map_err(stopped)? } else { None };
        match self.tickets.create(Some(&id), &[]).await {
            Ok(_) => {}
            Err(Error::Exists(_)) => return Err(Failure::AlreadyThere { place, id }),
            Err(error) => return Err(stopped(error)),
        }
        let counts = match Agent::run(self.tickets, &id, &steps).await {
            Ok(counts) => counts,
            Err(error) => {
                if let Err(why) = self.take_back(&id, replaced).await {
                    let text = format!("warning: ticket `{id}` may hold a part of {place}: {why}");
                    exit::tell(&printable(&text));
                }
                return Err(stopped(error));
            }
        };
        let ticket = self.tickets.get(&id).await.map_err(stopped)?;
        let digest = digest(&ticket);
        digests.update(digest.clone().finalize());
        Ok(Row {
            id,
            messages: counts.messages,
            decisions: counts.decisions,
            facts: fact_count(&ticket),
            rollbacks: counts.rollbacks,
            sha256: digest::hex(digest),
        })
    }

    /// Closes a ticket, and returns its snapshot; none if there was no ticket, or a damaged one.
    async fn close(&self, id: &str) -> Result<Option<String>, Error> {
        let snapshot = match self.tickets.snapshot(id).await {
            Ok(snapshot) => Some(snapshot),
            Err(Error::NotFound(_)) => return Ok(None),
            Err(Error::Corrupt(_) | Error::TooLarge(_)) => None,
            Err(error) => return Err(error),
        };
        match self.tickets.close(id, None).await {
            Ok(()) | Err(Error::NotFound(_)) => Ok(snapshot),
            Err(error) => Err(error),
        }
    }

    /// Removes what a conversation left that failed, and brings back the ticket that it replaced.
    async fn take_back(&self, id: &str, replaced: Option<String>) -> Result<(), Error> {
        self.close(id).await?;
        if let Some(snapshot) = replaced {
            self.tickets.restore(&snapshot).await?;
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

/// SHA-256 over what is stored and does not depend on the time, each text after its length.
fn digest(ticket: &Ticket) -> Sha256 {
    let mut digest = Sha256::new();
    for text in [&ticket.id, &ticket.facts, &ticket.history, &ticket.last_decision] {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest
}

fn fact_count(ticket: &Ticket) -> u64 {
    let facts: BTreeMap<String, &RawValue> = serde_json::from_str(&ticket.facts).unwrap_or_default();
    facts.len() as u64
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

#[cfg(test)]
mod tests;
