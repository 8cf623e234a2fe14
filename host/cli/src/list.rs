//! `ticket list`: the ids of all tickets, or a few numbers about each of them.

use std::collections::BTreeSet;

use serde::Serialize;
use ticket_host::{Error, ServedBy, Ticket, Tickets};

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
        messages: usize,
        updated_at: u64,
        expires_at_ms: u64,
    },
    /// It is stored and cannot be read.
    Damaged {
        error: String,
    },
}

/// Lists all tickets, or `limit` of them, sorted by id.
pub(crate) async fn run(
    tickets: &Tickets,
    columns: Columns,
    limit: Option<u32>,
    output: &Output,
) -> Result<(), Failure> {
    let ids = ids(tickets, limit.map_or(usize::MAX, |limit| limit as usize)).await?;
    match (columns, output.format()) {
        (Columns::Id, _) if ids.is_empty() => Ok(()),
        (Columns::Id, _) => output.ids(&ids),
        (Columns::Usual, Format::Json) => output.json(&ids),
        (Columns::All, Format::Json) => output.json(&rows(tickets, &ids).await?),
        (_, Format::Table) => {
            let rows = rows(tickets, &ids).await?;
            if rows.is_empty() {
                output.remark(&format!("no tickets in {}", tickets.store()));
                return Ok(());
            }
            output.table(&table(&rows))
        }
    }
}

/// The ids of `limit` tickets; those that the store names first.
pub(crate) async fn ids(tickets: &Tickets, limit: usize) -> Result<Vec<String>, Failure> {
    let mut ids = BTreeSet::new();
    let (mut cursor, mut partial) = (None, false);
    'pages: loop {
        let page = tickets.list(cursor.as_deref()).await?;
        partial |= page.served_by == ServedBy::Fallback;
        // A page may repeat ids.
        for id in page.ids {
            if ids.len() < limit || ids.contains(&id) {
                ids.insert(id);
            } else {
                exit::tell(&format!("note: there are more tickets than these {limit}"));
                break 'pages;
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    if partial {
        exit::tell("warning: the list may be incomplete: the store may have tickets that this host does not know");
    }
    Ok(ids.into_iter().collect())
}

/// Reads tickets; one that is gone since it was listed is left out.
async fn rows(tickets: &Tickets, ids: &[String]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::with_capacity(ids.len());
    for ids in ids.chunks(READS_MAX) {
        for (id, read) in ids.iter().zip(read(tickets, ids).await?) {
            let ticket = match read {
                Ok(ticket) => Read::Ticket {
                    messages: ticket.message_count(),
                    updated_at: ticket.updated_at,
                    expires_at_ms: ticket.expires_at_ms,
                },
                Err(Error::NotFound(_)) => continue,
                Err(error @ (Error::Corrupt(_) | Error::UnsupportedVersion(_) | Error::TooLarge(_))) => {
                    Read::Damaged { error: error.to_string() }
                }
                Err(error) => return Err(error.into()),
            };
            rows.push(Row { id: id.clone(), ticket });
        }
    }
    Ok(rows)
}

/// Reads these tickets at the same time.
pub(crate) async fn read(tickets: &Tickets, ids: &[String]) -> Result<Vec<Result<Ticket, Error>>, Failure> {
    let begin = |id: &String| {
        let (tickets, id) = (tickets.clone(), id.clone());
        tokio::spawn(async move { tickets.get(&id).await })
    };
    let begun: Vec<_> = ids.iter().map(begin).collect();
    let mut done = Vec::with_capacity(begun.len());
    for read in begun {
        done.push(read.await.map_err(|error| Error::Internal(error.into()))?);
    }
    Ok(done)
}

fn table(rows: &[Row]) -> comfy_table::Table {
    let mut table = render::headed(&["ticket", "messages", "updated", "expires"]);
    let or = |number: u64, zero: &str, unix_s: u64| if number == 0 { zero.to_owned() } else { utc(unix_s) };
    for Row { id, ticket } in rows {
        match ticket {
            Read::Ticket { messages, updated_at, expires_at_ms } => {
                let updated = or(*updated_at, "unknown", *updated_at);
                let expires = or(*expires_at_ms, "never", *expires_at_ms / 1_000);
                table.add_row([id, &messages.to_string(), &updated, &expires]);
            }
            Read::Damaged { error } => {
                table.add_row([id, "—", &printable(error), "—"]);
            }
        }
    }
    render::align_right(&mut table, &[1]);
    table
}
