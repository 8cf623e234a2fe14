//! Runs each command on the tickets of a store.

use clap::CommandFactory;
use serde::Serialize;
use ticket_host::{Change, Ticket, Tickets};
use ticket_transcripts::Reading;

use super::args::{Args, Command, Common, Field, Format};
use super::exit::Failure;
use super::list::{self, Columns};
use super::output::Output;
use super::session::Session;
use super::{branches, conform, diff, doctor, input, replay, watch};

/// The result of `ticket close`.
#[derive(Serialize)]
struct Closed<'a> {
    id: &'a str,
    closed: bool,
}

/// Runs a command and shows its result.
pub(crate) async fn run(command: Command, common: Common, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Branches { command } => branches::run(command, common, output).await,
        Command::Conform { scenario: Some(file), .. } => {
            conform::run_scenario(common, &input::file(&file)?, output).await
        }
        Command::Conform { only, random, seed, scenario: None } => {
            conform::run(common, conform::Wanted { only, random, seed }, output).await
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "ticket", &mut script);
            output.script(&script)
        }
        command => {
            let wait = if let Command::Replay { wait, .. } = &command { Some(*wait) } else { None };
            let doctor_url = matches!(command, Command::Doctor).then(|| common.store.clone()).flatten();
            let session = match (Session::open(common, command.ticket()).await, doctor_url) {
                (Err(failure), Some(url)) => return doctor::refused(&url, &failure, output).and(Err(failure)),
                (session, _) => session?,
            };
            let done = on_tickets(command, &session.tickets, output).await;
            session.shutdown(wait, done).await
        }
    }
}

/// Runs a command on the tickets of a store.
async fn on_tickets(command: Command, tickets: &Tickets, output: &Output) -> Result<(), Failure> {
    let ticket = match command {
        Command::New { id, facts, quiet } => {
            let changes = match facts {
                Some(json) => vec![Change::Learn(input::typed(json)?)],
                None => vec![],
            };
            let ticket = tickets.create(id.as_deref(), &changes).await?;
            if quiet {
                return output.ids(&[ticket.id]);
            }
            ticket
        }
        Command::Show { id, field } => {
            let ticket = tickets.get(&id).await?;
            if let Some(field) = field {
                return output.json_text(&stored(&ticket, field));
            }
            ticket
        }
        Command::Say { id, text, json, at } => {
            let change = match (text, json) {
                (_, Some(json)) => Change::Say(input::typed(json)?),
                (text, None) => Change::say(&input::said(text.unwrap_or_default())?),
            };
            tickets.apply(&id, &[change], at.at.as_deref()).await?
        }
        Command::Learn { id, json, at } => {
            tickets.apply(&id, &[Change::Learn(input::typed(json)?)], at.at.as_deref()).await?
        }
        Command::Decide { id, json, at } => {
            tickets.apply(&id, &[Change::Decide(input::typed(json)?)], at.at.as_deref()).await?
        }
        Command::Apply { id, file, at } => {
            tickets.apply(&id, &input::changes(&input::file(&file)?)?, at.at.as_deref()).await?
        }
        Command::Touch { id } => tickets.touch(&id).await?,
        Command::Rollback { id, file, at } => tickets.rollback(&id, &input::file(&file)?, at.at.as_deref()).await?,
        Command::Restore { file } => tickets.restore(&input::file(&file)?).await?,
        Command::Snapshot { id } => return output.json_text(&tickets.snapshot(&id).await?),
        Command::List { quiet, long, limit } => {
            let columns = match (quiet, long) {
                (true, _) => Columns::Id,
                (false, true) => Columns::All,
                (false, false) => Columns::Usual,
            };
            return list::run(tickets, columns, limit, output).await;
        }
        Command::Close { id, at } => return close(tickets, output, &id, at.at.as_deref()).await,
        Command::Replay { file, from, error_pattern, keep_media, strict, replace, wait: _ } => {
            let mut reading = Reading::default();
            reading.form = from.form();
            reading.error_pattern = error_pattern;
            reading.keep_media = keep_media;
            let options = replay::Options { reading, replace, strict };
            return replay::run(tickets, input::open(&file)?, options, output).await;
        }
        Command::Diff { id, before, after } => {
            return diff::run(tickets, &id, &before, after.as_deref(), output).await;
        }
        Command::History { id, file } => return diff::history(tickets, &id, &file, output).await,
        Command::Watch { id, interval } => return watch::run(tickets, id.as_deref(), interval, output).await,
        Command::Doctor => return doctor::run(tickets, output).await,
        // These need no tickets.
        Command::Branches { .. } | Command::Conform { .. } | Command::Completions { .. } => return Ok(()),
    };
    output.ticket(&ticket)
}

async fn close(tickets: &Tickets, output: &Output, id: &str, at: Option<&str>) -> Result<(), Failure> {
    tickets.close(id, at).await?;
    match output.format() {
        Format::Json => output.json(&Closed { id, closed: true }),
        Format::Table => {
            output.remark(&format!("ticket `{id}` is closed"));
            Ok(())
        }
    }
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
