//! `ticket import`: makes the tickets of an export again, as often as it is run.

use std::io::{BufRead, Read};
use std::time::Duration;

use indicatif::ProgressBar;
use serde::Serialize;
use ticket_host::store::clock::{Clock, SystemClock};
use ticket_host::store::{TTL_MS_MAX, TTL_MS_MIN};
use ticket_host::{Error, Tickets};
use ticket_model::json;

use super::{Digests, Snapshot, TicketLine, TotalLine, internal};
use crate::args::Format;
use crate::exit::{self, Failure};
use crate::input::Lines;
use crate::list::{READS_MAX, is_unreadable};
use crate::output::Output;
use crate::render;

/// Most bytes of one line: a snapshot of the largest ticket, all of it escaped.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What became of the tickets of an export.
#[derive(Default, Serialize)]
struct Counts {
    tickets: u64,
    created: u64,
    unchanged: u64,
    replaced: u64,
    kept: u64,
    expired: u64,
    /// Over the snapshots that are in the store now: of what was created, unchanged or replaced.
    sha256: String,
}

/// What became of one ticket.
enum Outcome {
    Created,
    /// It is in the store with the same content.
    Unchanged,
    Replaced,
    /// It is in the store with other content, which stays.
    Kept,
    /// Its time was over.
    Expired,
}

/// A line that is being imported.
struct Begun {
    number: usize,
    snapshot: Snapshot,
    task: tokio::task::JoinHandle<Result<Outcome, Error>>,
}

/// Imports every ticket; `replace` also those that are in the store with other content.
pub(crate) async fn run(tickets: &Tickets, lines: Lines, replace: bool, output: &Output) -> Result<(), Failure> {
    let bar = render::file_bar(lines.bytes);
    let mut import = Import {
        tickets,
        replace,
        counts: Counts::default(),
        stored: Digests::default(),
        since_total: Digests::default(),
        has_total: false,
        begun: Vec::new(),
    };
    let read = import.lines(lines, &bar).await;
    // What was begun is finished and counted, also after a fault of the file.
    let finished = import.finish().await;
    bar.finish_and_clear();
    let Import { mut counts, stored, since_total, has_total, .. } = import;
    counts.sha256 = stored.total(None).sha256;
    show(&counts, output)?;
    if let Err(failure) = read.and(finished) {
        exit::tell(&format!("note: the lines before are imported ({}): correct it and import again", counts.tickets));
        return Err(failure);
    }
    if !has_total || since_total.last_id().is_some() {
        let rest = since_total
            .last_id()
            .map_or_else(String::new, |id| format!(": `ticket export --after {id}` writes the rest"));
        return Err(Failure::Input(format!("the file ends without a total, so the export was cut{rest}")));
    }
    if counts.kept > 0 { Err(Failure::Kept { count: counts.kept }) } else { Ok(()) }
}

/// An import, some lines of which are being written.
struct Import<'a> {
    tickets: &'a Tickets,
    replace: bool,
    counts: Counts,
    /// What is in the store now as the file has it.
    stored: Digests,
    /// What the file has since its last total.
    since_total: Digests,
    has_total: bool,
    begun: Vec<Begun>,
}

impl Import<'_> {
    async fn lines(&mut self, mut lines: Lines, bar: &ProgressBar) -> Result<(), Failure> {
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            let read = lines.reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line);
            let read = read.map_err(|error| Failure::Input(format!("cannot read line {number}: {error}")))? as u64;
            bar.inc(read);
            match read {
                0 => break,
                LINE_BYTES_MAX => {
                    return Err(Failure::Input(format!("line {number} has {LINE_BYTES_MAX} bytes or more")));
                }
                _ if line.trim().is_empty() => {}
                _ => self.line(number, &line).await?,
            }
        }
        Ok(())
    }

    async fn line(&mut self, number: usize, line: &str) -> Result<(), Failure> {
        let Ok(TotalLine { total }) = json::from_object(line) else { return self.begin(number, line).await };
        let found = std::mem::take(&mut self.since_total).total(total.after.as_deref());
        self.has_total = true;
        if found == total {
            return Ok(());
        }
        Err(Failure::Input(format!(
            "line {number}: the export had {} with the SHA-256 {}, and the lines before have {} with {}: the file was cut \
             or edited",
            render::tickets(total.tickets),
            total.sha256,
            found.tickets,
            found.sha256
        )))
    }

    /// Begins to import a ticket.
    async fn begin(&mut self, number: usize, line: &str) -> Result<(), Failure> {
        let invalid = |_| Failure::Input(format!("line {number} is not of an export: see `ticket export --help`"));
        let TicketLine { expires_at_ms, snapshot: text } = json::from_object(line).map_err(invalid)?;
        let text = text.get().to_owned();
        let snapshot: Snapshot = json::from_object(&text).map_err(invalid)?;
        let is_begun = self.begun.iter().any(|begun| begun.snapshot.id == snapshot.id);
        if is_begun || self.begun.len() == READS_MAX {
            self.finish().await?;
        }
        self.since_total.add(snapshot.clone());
        let (tickets, replace, of) = (self.tickets.clone(), self.replace, snapshot.clone());
        let task = tokio::spawn(async move { put(&tickets, &of, &text, expires_at_ms, replace).await });
        self.begun.push(Begun { number, snapshot, task });
        Ok(())
    }

    /// Waits for the lines that are being imported.
    async fn finish(&mut self) -> Result<(), Failure> {
        let mut failed = None;
        for Begun { number, snapshot, task } in self.begun.drain(..) {
            match task.await.map_err(internal)? {
                Ok(outcome) => {
                    if matches!(outcome, Outcome::Created | Outcome::Unchanged | Outcome::Replaced) {
                        self.stored.add(snapshot);
                    }
                    self.counts.add(&outcome);
                }
                Err(error) => failed = failed.or(Some(Failure::Import { line: number, source: error })),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        self.tickets += 1;
        *match outcome {
            Outcome::Created => &mut self.created,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Replaced => &mut self.replaced,
            Outcome::Kept => &mut self.kept,
            Outcome::Expired => &mut self.expired,
        } += 1;
    }
}

/// Makes a ticket again with the time that it has left.
async fn put(
    tickets: &Tickets,
    of: &Snapshot,
    text: &str,
    expires_at_ms: u64,
    replace: bool,
) -> Result<Outcome, Error> {
    let left_ms = expires_at_ms.saturating_sub(SystemClock.now_ms());
    let lasting = match expires_at_ms {
        // It had no deadline, which only another client can cause: it gets the usual one.
        0 => tickets.clone(),
        _ if left_ms < TTL_MS_MIN => return Ok(Outcome::Expired),
        _ => tickets.with_ttl(Duration::from_millis(left_ms.min(TTL_MS_MAX))),
    };
    loop {
        match lasting.restore(text).await {
            Err(Error::Exists(_)) => {}
            restored => return restored.map(|_| Outcome::Created),
        }
        match tickets.snapshot(&of.id).await {
            Ok(current) if digest_of(&current).as_ref() == Some(&of.sha256) => return Ok(Outcome::Unchanged),
            // It ended just now.
            Err(Error::NotFound(_)) => continue,
            Err(error) if !is_unreadable(&error) => return Err(error),
            _ if !replace => return Ok(Outcome::Kept),
            Ok(current) => return replaced(&lasting, of, text, Some(&current)).await,
            Err(_) => return replaced(&lasting, of, text, None).await,
        }
    }
}

/// Replaces a ticket, `current` if it can be read.
async fn replaced(lasting: &Tickets, of: &Snapshot, text: &str, current: Option<&str>) -> Result<Outcome, Error> {
    match lasting.rollback(&of.id, text, None).await {
        // Another incarnation of it: the only replacement in two steps. If the second fails, the first is undone.
        Err(Error::Invalid(_)) => {
            lasting.close(&of.id, None).await?;
            if let Err(error) = lasting.restore(text).await {
                if let Some(current) = current {
                    lasting.restore(current).await?;
                }
                return Err(error);
            }
        }
        rolled_back => drop(rolled_back?),
    }
    Ok(Outcome::Replaced)
}

fn digest_of(snapshot: &str) -> Option<String> {
    json::from_object::<Snapshot>(snapshot).ok().map(|snapshot| snapshot.sha256)
}

fn show(counts: &Counts, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Last<'a> {
        total: &'a Counts,
    }
    match output.format() {
        Format::Json => output.json(&Last { total: counts }),
        Format::Table => {
            let Counts { tickets, created, unchanged, replaced, kept, expired, sha256 } = counts;
            output.line(&format!(
                "{}: {created} created, {unchanged} unchanged, {replaced} replaced, {kept} kept as they were, {expired} \
                 expired; SHA-256 {sha256}",
                render::tickets(*tickets)
            ))
        }
    }
}
