//! Snapshot files: one snapshot a line, read by an engine of their own.

use std::path::{Path, PathBuf};

use ticket_host::{Ticket, Tickets};

use super::exit::Failure;
use super::input;
use super::session;

/// Reads snapshots as tickets. The engine checks them, and migrates those of older versions.
pub(crate) struct Snapshots {
    tickets: Tickets,
}

impl Snapshots {
    pub(crate) async fn open() -> Result<Self, Failure> {
        Ok(Self { tickets: session::builder("memory:").open().await? })
    }

    /// All snapshots of a file, which are of the ticket `id`.
    pub(crate) async fn all(&self, id: &str, file: &Path) -> Result<Vec<Ticket>, Failure> {
        let text = input::file(file)?;
        let mut states = Vec::new();
        for (number, line) in snapshots(&text) {
            states.push(self.read(id, line, &format!("{}, line {number}", file.display())).await?);
        }
        Ok(states)
    }

    /// The only snapshot of a file `FILE`, or snapshot N of `FILE:N`, from 1.
    pub(crate) async fn one(&self, id: &str, file: &Path) -> Result<Ticket, Failure> {
        let (path, number) = match numbered(file) {
            Some((path, number)) if !file.exists() => (path, Some(number)),
            _ => (file.to_owned(), None),
        };
        let text = input::file(&path)?;
        let lines: Vec<&str> = snapshots(&text).map(|(_, line)| line).collect();
        let wanted = match number {
            Some(number) => number.checked_sub(1).and_then(|place| lines.get(place)),
            None => lines.first().filter(|_| lines.len() == 1),
        };
        let Some(line) = wanted else {
            let (path, count) = (path.display(), lines.len());
            let advice = if count > 1 { format!(": name one as {path}:1 to :{count}") } else { String::new() };
            return Err(Failure::Input(format!("{path} holds {count} snapshots{advice}")));
        };
        self.read(id, line, &file.display().to_string()).await
    }

    async fn read(&self, id: &str, snapshot: &str, place: &str) -> Result<Ticket, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::Input(format!("{place}: {error}"));
        let ticket = self.tickets.restore(snapshot).await.map_err(|error| wrong(&error))?;
        self.tickets.close(&ticket.id, None).await?;
        if ticket.id == id {
            return Ok(ticket);
        }
        Err(wrong(&format!("the snapshot is of ticket `{}`, not of `{id}`", ticket.id)))
    }
}

/// The lines of a file that hold snapshots, with their numbers.
fn snapshots(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

/// The parts of `FILE:N`.
fn numbered(file: &Path) -> Option<(PathBuf, usize)> {
    let (path, number) = file.to_str()?.rsplit_once(':')?;
    Some((path.into(), number.parse().ok()?))
}
