//! Runs each command on the tickets of a store.

use clap::CommandFactory;
use serde::Serialize;
use ticket_host::{Bounds, Change, Put, Ticket, Tickets};

use super::args::{Args, Command, Common, Expected, FallbackArg, Format, WorkflowCommand};
use super::exit::Failure;
use super::list::{self, Columns};
use super::output::Output;
use super::session::Session;
use super::{branches, conform, diff, doctor, input, replay, show, transfer, watch, workflow};

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
        Command::Workflow { workflows, command } if !command.needs_store() => {
            workflow::manage(command, workflows, output).await
        }
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
            let mut common = common;
            if matches!(command, Command::Import { .. }) {
                // What a fallback would take is not in the store that is imported into.
                common.fallback.get_or_insert(FallbackArg::None);
            }
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
            let changes = facts.map(|json| input::typed(json).map(Change::Learn)).transpose()?;
            let ticket = tickets.create(id.as_deref(), changes.as_slice()).await?;
            if quiet {
                return output.ids(&[ticket.id]);
            }
            ticket
        }
        Command::Show { id, part } => return show::run(tickets, &id, part, output).await,
        Command::Exists { id } => return show::exists(tickets, &id).await,
        Command::Say { id, text, json, expected } => change(tickets, &id, &[said(text, json)?], &expected).await?,
        Command::Learn { id, json, expected } => {
            change(tickets, &id, &[Change::Learn(input::typed(json)?)], &expected).await?
        }
        Command::Decide { id, json, expected } => {
            change(tickets, &id, &[Change::Decide(input::typed(json)?)], &expected).await?
        }
        Command::Put { id, pointer, json, only_if_absent, expected } => {
            let put = Put { pointer, value: input::typed(json)?, only_if_absent };
            change(tickets, &id, &[Change::Put(put)], &expected).await?
        }
        Command::Apply { id, file, expected } => {
            let changes = input::changes(&input::file(&file)?)?;
            if changes.is_empty() {
                return Err(Failure::Input("no change is given".into()));
            }
            change(tickets, &id, &changes, &expected).await?
        }
        Command::Retract { id, count, at } => tickets.apply(&id, &[Change::Retract(count)], at.at.as_deref()).await?,
        Command::Trim { id, entries, bytes, at } => {
            let bounds = Bounds { entries_max: entries, bytes_max: bytes };
            tickets.apply(&id, &[Change::Trim(bounds)], at.at.as_deref()).await?
        }
        Command::Touch { id } => tickets.touch(&id).await?,
        Command::Rollback { id, file, at } => tickets.rollback(&id, &input::file(&file)?, at.at.as_deref()).await?,
        Command::Restore { file } => tickets.restore(&input::file(&file)?).await?,
        Command::Snapshot { id } => return output.json_text(&tickets.snapshot(&id).await?),
        Command::List { prefix, quiet, long, limit } => {
            return list::run(tickets, &prefix, Columns::of(quiet, long), limit, output).await;
        }
        Command::Close { id, at } => return close(tickets, output, &id, at.at.as_deref()).await,
        Command::Replay { file, from, error_pattern, keep_media, strict, replace, wait: _ } => {
            let reading = replay::reading(from, error_pattern, keep_media);
            let options = replay::Options { reading, replace, strict };
            return replay::run(tickets, input::open(&file)?, options, output).await;
        }
        Command::Export { prefix, after } => return transfer::export(tickets, &prefix, after.as_deref(), output).await,
        Command::Import { file, replace } => {
            return transfer::import(tickets, input::open(&file)?, replace, output).await;
        }
        Command::Diff { id, before, after } => {
            return diff::run(tickets, &id, &before, after.as_deref(), output).await;
        }
        Command::History { id, file } => return diff::history(tickets, &id, &file, output).await,
        Command::Watch { id, interval } => return watch::run(tickets, id.as_deref(), interval, output).await,
        Command::Workflow { workflows, command: WorkflowCommand::Run(run) } => {
            return workflow::run(run, workflows, tickets, output).await;
        }
        Command::Doctor => return doctor::run(tickets, output).await,
        // These need no tickets.
        Command::Branches { .. } | Command::Workflow { .. } | Command::Conform { .. } | Command::Completions { .. } => {
            return Ok(());
        }
    };
    output.ticket(&ticket)
}

/// The change that appends what was typed.
fn said(text: Option<String>, json: Option<String>) -> Result<Change, Failure> {
    Ok(match (text, json) {
        (_, Some(json)) => Change::Say(input::typed(json)?),
        (text, None) => Change::say(&input::said(text.unwrap_or_default())?),
    })
}

/// Applies changes to a ticket, and creates it if that was asked for.
async fn change(tickets: &Tickets, id: &str, changes: &[Change], expected: &Expected) -> Result<Ticket, Failure> {
    let changed = match expected.create {
        true => tickets.ensure(id, changes).await,
        false => tickets.apply(id, changes, expected.at.at.as_deref()).await,
    };
    Ok(changed?)
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
