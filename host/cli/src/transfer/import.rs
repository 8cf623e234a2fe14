//! `ticket import`: makes the tickets of an export again, as often as it is run.

use std::io::BufRead;
use std::time::Duration;

use serde::Serialize;
use ticket_host::store::clock::{Clock, SystemClock};
use ticket_host::store::{TTL_MS_MAX, TTL_MS_MIN};
use ticket_host::{Error, Tickets};
use ticket_model::json;

use super::{Digests, Snapshot, TicketLine, TotalLine, internal};
use crate::args::Format;
use crate::exit::{self, Failure};
use crate::input::Lines;
use crate::list::READS_MAX;
use crate::output::Output;
use crate::render;

/// What became of the tickets of an export.
#[derive(Default, Serialize)]
struct Counts {
    tickets: u64,
    created: u64,
    unchanged: u64,
    replaced: u64,
    kept: u64,
    expired: u64,
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
    task: tokio::task::JoinHandle<Result<Outcome, Error>>,
}

/// Imports every ticket; `replace` also those that are in the store with other content.
pub(crate) async fn run(tickets: &Tickets, lines: Lines, replace: bool, output: &Output) -> Result<(), Failure> {
    let bar = render::file_bar(lines.bytes);
    let mut import = Import { tickets, replace, counts: Counts::default(), begun: Vec::new() };
    let (mut all, mut since_total) = (Digests::default(), Digests::default());
    for (number, line) in (1..).zip(lines.reader.lines()) {
        let line = line.map_err(|error| Failure::Input(format!("cannot read line {number}: {error}")))?;
        bar.inc(line.len() as u64 + 1);
        if line.trim().is_empty() {
            continue;
        }
        if let Ok(TotalLine { total }) = json::from_object(&line) {
            let found = std::mem::take(&mut since_total).total();
            if found != total {
                return Err(Failure::Input(format!(
                    "line {number}: the export had {} tickets with the SHA-256 {}, and the lines before have {} with {}: \
                     the file was cut or edited",
                    total.tickets, total.sha256, found.tickets, found.sha256
                )));
            }
            continue;
        }
        let (id, sha256) = import.begin(number, &line).await?;
        all.add(Snapshot { id: id.clone(), sha256: sha256.clone() });
        since_total.add(Snapshot { id, sha256 });
    }
    import.finish().await?;
    bar.finish_and_clear();
    if let Some(id) = since_total.last_id() {
        exit::tell(&format!(
            "warning: the file ends without a total, so the export was cut: `ticket export --after {id}` writes the rest"
        ));
    }
    let counts = Counts { sha256: all.total().sha256, ..import.counts };
    show(&counts, output)?;
    if counts.kept > 0 { Err(Failure::Kept { count: counts.kept }) } else { Ok(()) }
}

/// An import, some lines of which are being written.
struct Import<'a> {
    tickets: &'a Tickets,
    replace: bool,
    counts: Counts,
    begun: Vec<Begun>,
}

impl Import<'_> {
    /// Begins to import a line; returns the id and the digest of its ticket.
    async fn begin(&mut self, number: usize, line: &str) -> Result<(String, String), Failure> {
        let invalid = |error: serde_json::Error| {
            Failure::Input(format!("line {number} is not of an export: {error}: see `ticket export --help`"))
        };
        let TicketLine { expires_at_ms, snapshot } = json::from_object(line).map_err(invalid)?;
        let snapshot = snapshot.get().to_owned();
        let Snapshot { id, sha256 } = json::from_object(&snapshot).map_err(invalid)?;
        if self.begun.len() == READS_MAX {
            self.finish().await?;
        }
        let (tickets, replace, of) = (self.tickets.clone(), self.replace, id.clone());
        let task = tokio::spawn(async move { put(&tickets, &of, &snapshot, expires_at_ms, replace).await });
        self.begun.push(Begun { number, task });
        Ok((id, sha256))
    }

    /// Waits for the lines that are being imported.
    async fn finish(&mut self) -> Result<(), Failure> {
        let mut failed = None;
        for Begun { number, task } in self.begun.drain(..) {
            match task.await.map_err(internal)? {
                Ok(outcome) => self.counts.add(&outcome),
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
async fn put(tickets: &Tickets, id: &str, snapshot: &str, expires_at_ms: u64, replace: bool) -> Result<Outcome, Error> {
    let left_ms = expires_at_ms.saturating_sub(SystemClock.now_ms());
    let lasting = match expires_at_ms {
        // It had no deadline, which only another client can cause: it gets the usual one.
        0 => tickets.clone(),
        _ if left_ms < TTL_MS_MIN => return Ok(Outcome::Expired),
        _ => tickets.with_ttl(Duration::from_millis(left_ms.min(TTL_MS_MAX))),
    };
    match lasting.restore(snapshot).await {
        Err(Error::Exists(_)) => {}
        restored => return restored.map(|_| Outcome::Created),
    }
    if tickets.snapshot(id).await.is_ok_and(|current| current == snapshot) {
        return Ok(Outcome::Unchanged);
    }
    if !replace {
        return Ok(Outcome::Kept);
    }
    match lasting.rollback(id, snapshot, None).await {
        // Another incarnation of it.
        Err(Error::Invalid(_)) => {
            tickets.close(id, None).await?;
            lasting.restore(snapshot).await?;
        }
        rolled_back => drop(rolled_back?),
    }
    Ok(Outcome::Replaced)
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
                "{}: {created} created, {unchanged} unchanged, {replaced} replaced, {kept} kept as they \
                 were, {expired} expired; SHA-256 {sha256}",
                render::tickets(*tickets)
            ))
        }
    }
}
