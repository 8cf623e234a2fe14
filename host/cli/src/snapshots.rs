//! Snapshot files: one snapshot a line, read by an engine of their own.

use std::path::{Path, PathBuf};

use ticket_host::{Ticket, Tickets};

use super::exit::Failure;
use super::input;
use super::state_folder;

/// Reads snapshots as tickets. The engine checks them, and migrates those of older versions.
pub(crate) struct Snapshots {
    tickets: Tickets,
}

impl Snapshots {
    pub(crate) async fn open() -> Result<Self, Failure> {
        let mut builder = Tickets::builder("memory:");
        if let Some(folder) = state_folder::image_folder() {
            builder = builder.image_folder(folder);
        }
        Ok(Self { tickets: builder.open().await? })
    }

    /// All snapshots of a file, which are of the ticket `id`.
    pub(crate) async fn all(&self, id: &str, file: &Path) -> Result<Vec<Ticket>, Failure> {
        let text = input::file(file)?;
        let mut states = Vec::new();
        for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            states.push(self.read(id, line, &format!("{}, line {}", file.display(), place + 1)).await?);
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
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let count = lines.len();
        let line = match number {
            None if count == 1 => lines[0],
            Some(number) if (1..=count).contains(&number) => lines[number - 1],
            _ => {
                let wanted =
                    if count > 1 { format!("name one as {}:1 to :{count}", path.display()) } else { String::new() };
                let text = format!("{} holds {count} snapshots: {wanted}", path.display());
                return Err(Failure::Input(text.trim_end_matches([' ', ':']).to_owned()));
            }
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

/// The parts of `FILE:N`.
fn numbered(file: &Path) -> Option<(PathBuf, usize)> {
    let (path, number) = file.to_str()?.rsplit_once(':')?;
    Some((path.into(), number.parse().ok()?))
}
