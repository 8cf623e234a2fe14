//! `ticket show`: a ticket, or the part of it that was asked for.

use serde::Serialize;
use ticket_host::store::clock::{Clock, SystemClock};
use ticket_host::{Summary, Ticket, Tickets};

use super::args::{Field, Format, Part};
use super::exit::Failure;
use super::output::Output;
use super::render;

/// Shows a ticket or a part of it.
pub(crate) async fn run(tickets: &Tickets, id: &str, part: Part, output: &Output) -> Result<(), Failure> {
    match part {
        Part { field: Some(field), .. } => output.json_text(&stored(&tickets.get(id).await?, field)),
        Part { fact: Some(pointer), .. } => match tickets.get_fact(id, &pointer).await?.value {
            Some(value) => output.json_text(&value),
            None => Err(Failure::NoFact { id: id.to_owned(), pointer }),
        },
        Part { last: Some(count), .. } => {
            let messages = tickets.get_messages(id, count, None).await?.messages;
            messages.iter().try_for_each(|message| output.json_text(&message.replace(['\n', '\r'], " ")))
        }
        Part { summary: true, .. } => summary(&tickets.get_summary(id).await?, output),
        _ => output.ticket(&tickets.get(id).await?),
    }
}

/// Fails, without a word, unless there is a ticket or something else that has its place.
pub(crate) async fn exists(tickets: &Tickets, id: &str) -> Result<(), Failure> {
    if tickets.exists(id).await? { Ok(()) } else { Err(Failure::Absent { id: id.to_owned() }) }
}

fn stored(ticket: &Ticket, field: Field) -> String {
    match field {
        Field::Facts => ticket.facts.clone(),
        Field::History => ticket.history.clone(),
        Field::LastDecision => ticket.last_decision.clone(),
        Field::CreatedAt => ticket.created_at.to_string(),
        Field::UpdatedAt => ticket.updated_at.to_string(),
        Field::Version => ticket.version.to_string(),
    }
}

fn summary(summary: &Summary, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown<'a> {
        id: &'a str,
        facts_bytes: u32,
        history_bytes: u32,
        last_decision_bytes: u32,
        history_entries: u32,
        created_at: u64,
        updated_at: u64,
        version: u32,
        revision: &'a str,
        expires_at_ms: u64,
    }
    match output.format() {
        Format::Json => output.json(&Shown {
            id: &summary.id,
            facts_bytes: summary.facts_bytes,
            history_bytes: summary.history_bytes,
            last_decision_bytes: summary.last_decision_bytes,
            history_entries: summary.history_entries,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            version: summary.version,
            revision: &summary.revision,
            expires_at_ms: summary.expires_at_ms,
        }),
        Format::Table => output.table(&render::summary(summary, SystemClock.now_ms())),
    }
}
