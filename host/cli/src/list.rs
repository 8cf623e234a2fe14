//! `ticket list`: the ids of tickets, or a few numbers about each of them.

use std::collections::BTreeMap;

use serde::Serialize;
use ticket_host::{Error, ServedBy, Tickets};

use super::args::Format;
use super::escape::printable;
use super::exit::{self, Failure};
use super::output::Output;
use super::render;
use super::time::utc;

/// Tickets that are read at the same time: a far server is not asked one by one, and few are in memory.
pub(crate) const READS_MAX: usize = 32;

/// What is listed of each ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    /// The id alone, one a line.
    Id,
    /// In JSON the id, in a table all.
    Usual,
    /// All.
    All,
}

impl Columns {
    /// The columns that the options ask for.
    pub(crate) fn of(quiet: bool, long: bool) -> Self {
        match (quiet, long) {
            (true, _) => Self::Id,
            (false, true) => Self::All,
            (false, false) => Self::Usual,
        }
    }
}

/// What is listed of a ticket.
#[derive(Serialize)]
struct Row {
    id: String,
    #[serde(flatten)]
    ticket: Read,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Read {
    Ticket {
        messages: u32,
        /// Of facts, history and last decision.
        bytes: u64,
        updated_at: u64,
        expires_at_ms: u64,
    },
    /// It is stored and cannot be read.
    Damaged { error: String },
}

/// Lists the tickets whose ids begin with `prefix`, or `limit` of them, sorted by id.
pub(crate) async fn run(
    tickets: &Tickets,
    prefix: &str,
    columns: Columns,
    limit: Option<u32>,
    output: &Output,
) -> Result<(), Failure> {
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    match (columns, output.format()) {
        (Columns::Usual, Format::Json) => output.json(&ids(tickets, prefix, limit).await?),
        (Columns::Id, _) => match ids(tickets, prefix, limit).await? {
            ids if ids.is_empty() => Ok(()),
            ids => output.ids(&ids),
        },
        (Columns::All, Format::Json) => output.json(&rows(tickets, prefix, limit).await?),
        (_, Format::Table) => {
            let rows = rows(tickets, prefix, limit).await?;
            if rows.is_empty() {
                let named = if prefix.is_empty() { String::new() } else { format!(" that begin with `{prefix}`") };
                output.remark(&format!("no tickets{named} in {}", tickets.store()));
                return Ok(());
            }
            output.table(&table(&rows))
        }
    }
}

/// The ids of `limit` tickets; those that the store names first.
pub(crate) async fn ids(tickets: &Tickets, prefix: &str, limit: usize) -> Result<Vec<String>, Failure> {
    Ok(listed(tickets, prefix, limit).await?.finish().into_keys().collect())
}

/// All ids, and whether the fallback named some, so that others may be missing.
pub(crate) async fn all_ids(tickets: &Tickets, prefix: &str) -> Result<(Vec<String>, bool), Failure> {
    let Listing { listed, is_partial, .. } = listed(tickets, prefix, usize::MAX).await?;
    Ok((listed.into_keys().collect(), is_partial))
}

async fn listed(tickets: &Tickets, prefix: &str, limit: usize) -> Result<Listing<()>, Failure> {
    let mut listing = Listing::new(limit);
    while !listing.is_done {
        let page = tickets.list(prefix, listing.cursor.as_deref()).await?;
        listing.add_page(page.ids.into_iter().map(|id| (id, ())), page.served_by, page.cursor);
    }
    Ok(listing)
}

/// What is listed of `limit` tickets; one that is gone since it was listed is left out.
async fn rows(tickets: &Tickets, prefix: &str, limit: usize) -> Result<Vec<Row>, Failure> {
    let mut listing = Listing::new(limit);
    loop {
        let page = tickets.list_summaries(prefix, listing.cursor.as_deref()).await?;
        let read = page.summaries.into_iter().map(|summary| {
            let bytes = [summary.facts_bytes, summary.history_bytes, summary.last_decision_bytes];
            let ticket = Read::Ticket {
                messages: summary.history_entries,
                bytes: bytes.into_iter().map(u64::from).sum(),
                updated_at: summary.updated_at,
                expires_at_ms: summary.expires_at_ms,
            };
            (summary.id, Some(ticket))
        });
        let unreadable = page.unreadable.into_iter().map(|id| (id, None));
        listing.add_page(read.chain(unreadable), page.served_by, page.cursor);
        if listing.is_done {
            break;
        }
    }
    let mut rows = Vec::new();
    for (id, ticket) in listing.finish() {
        let ticket = match ticket {
            Some(ticket) => ticket,
            // Why it cannot be read, only reading tells; it may have become readable, or be gone.
            None => match tickets.get_summary(&id).await {
                Err(Error::NotFound(_)) => continue,
                Err(error) if is_unreadable(&error) => Read::Damaged { error: error.to_string() },
                Err(error) => return Err(error.into()),
                Ok(_) => Read::Damaged { error: "it could not be read when it was listed".into() },
            },
        };
        rows.push(Row { id, ticket });
    }
    Ok(rows)
}

/// What pages have named so far, each ticket once.
struct Listing<T> {
    limit: usize,
    listed: BTreeMap<String, T>,
    cursor: Option<String>,
    is_partial: bool,
    is_done: bool,
}

impl<T> Listing<T> {
    fn new(limit: usize) -> Self {
        Self { limit, listed: BTreeMap::new(), cursor: None, is_partial: false, is_done: false }
    }

    fn add_page(&mut self, page: impl Iterator<Item = (String, T)>, served_by: ServedBy, cursor: Option<String>) {
        self.is_partial |= served_by == ServedBy::Fallback;
        self.is_done = cursor.is_none();
        self.cursor = cursor;
        for (id, item) in page {
            if self.listed.len() == self.limit && !self.listed.contains_key(&id) {
                exit::tell(&format!("note: there are more tickets than these {}", self.limit));
                self.is_done = true;
                return;
            }
            self.listed.insert(id, item);
        }
    }

    fn finish(self) -> BTreeMap<String, T> {
        if self.is_partial {
            exit::tell("warning: the list may be incomplete: the store may have tickets that this host does not know");
        }
        self.listed
    }
}

/// Reads these tickets at the same time.
pub(crate) async fn read<T, F>(
    tickets: &Tickets,
    ids: &[String],
    one: impl Fn(Tickets, String) -> F,
) -> Result<Vec<Result<T, Error>>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let begun: Vec<_> = ids.iter().map(|id| tokio::spawn(one(tickets.clone(), id.clone()))).collect();
    let mut done = Vec::with_capacity(begun.len());
    for read in begun {
        done.push(read.await.map_err(|error| Error::Internal(error.into()))?);
    }
    Ok(done)
}

/// Whether an error is of what is stored under the id: there is something, and it cannot be read.
pub(crate) fn is_unreadable(error: &Error) -> bool {
    matches!(error, Error::Corrupt(_) | Error::UnsupportedVersion(_) | Error::TooLarge(_))
}

fn table(rows: &[Row]) -> comfy_table::Table {
    let mut table = render::headed(&["ticket", "messages", "bytes", "updated", "expires"]);
    let or = |number: u64, zero: &str, unix_s: u64| if number == 0 { zero.to_owned() } else { utc(unix_s) };
    for Row { id, ticket } in rows {
        match ticket {
            Read::Ticket { messages, bytes, updated_at, expires_at_ms } => {
                let updated = or(*updated_at, "unknown", *updated_at);
                let expires = or(*expires_at_ms, "never", *expires_at_ms / 1_000);
                table.add_row([id, &messages.to_string(), &bytes.to_string(), &updated, &expires]);
            }
            Read::Damaged { error } => {
                table.add_row([id, "—", "—", &printable(error), "—"]);
            }
        }
    }
    render::align_right(&mut table, &[1, 2]);
    table
}
