//! What each command does with the tickets of a store.

use clap::CommandFactory;
use serde::Serialize;
use ticket_host::store;
use ticket_host::{Change, Settings, Ticket, Tickets};

use super::args::{Args, Command, Common, Field, Format};
use super::exit::Failure;
use super::output::Output;
use super::{doctor, home, input, replay};

/// What is printed of a ticket that was closed.
#[derive(Serialize)]
struct Closed<'a> {
    id: &'a str,
    closed: bool,
}

/// Does what a command says and shows what came of it.
pub(crate) async fn run(command: Command, common: Common, output: &Output) -> Result<(), Failure> {
    match command {
        Command::New { id, facts, quiet } => {
            let changes = match facts {
                Some(json) => vec![Change::Learn(input::typed(json)?)],
                None => vec![],
            };
            let ticket = open(common).await?.create(id.as_deref(), &changes).await?;
            if quiet { output.ids(&[ticket.id]) } else { output.ticket(&ticket) }
        }
        Command::Show { id, field } => {
            let ticket = open(common).await?.get(&id).await?;
            match field {
                Some(field) => output.json_text(&stored(&ticket, field)),
                None => output.ticket(&ticket),
            }
        }
        Command::List => list(&open(common).await?, output).await,
        Command::Say { id, text, json, at } => {
            let change = match (text, json) {
                (_, Some(json)) => Change::Say(input::typed(json)?),
                (text, None) => Change::say(&input::said(text.unwrap_or_default())?),
            };
            change_ticket(common, output, &id, &[change], at.at).await
        }
        Command::Learn { id, json, at } => {
            let change = Change::Learn(input::typed(json)?);
            change_ticket(common, output, &id, &[change], at.at).await
        }
        Command::Decide { id, json, at } => {
            let change = Change::Decide(input::typed(json)?);
            change_ticket(common, output, &id, &[change], at.at).await
        }
        Command::Apply { id, file, at } => {
            let changes = input::changes(&input::file(&file)?)?;
            change_ticket(common, output, &id, &changes, at.at).await
        }
        Command::Touch { id } => output.ticket(&open(common).await?.touch(&id).await?),
        Command::Close { id, at } => {
            open(common).await?.close(&id, at.at.as_deref()).await?;
            match output.format() {
                Format::Json => output.json(&Closed { id: &id, closed: true }),
                Format::Table => {
                    output.remark(&format!("ticket `{id}` is closed"));
                    Ok(())
                }
            }
        }
        Command::Snapshot { id } => output.json_text(&open(common).await?.snapshot(&id).await?),
        Command::Rollback { id, file, at } => {
            let snapshot = input::file(&file)?;
            output.ticket(&open(common).await?.rollback(&id, &snapshot, at.at.as_deref()).await?)
        }
        Command::Restore { file } => {
            let snapshot = input::file(&file)?;
            output.ticket(&open(common).await?.restore(&snapshot).await?)
        }
        Command::Replay { file, replace } => {
            let lines = input::open(&file)?;
            replay::run(&open(common).await?, lines, replace, output).await
        }
        Command::Doctor => doctor::run(&open(common).await?, output).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "ticket", &mut script);
            output.script(&script)
        }
    }
}

/// The tickets of the store that the options name.
async fn open(common: Common) -> Result<Tickets, Failure> {
    // An empty variable is the usual way to unset one for a command.
    let url = match common.store.filter(|url| !url.is_empty()) {
        Some(url) => url,
        None => home::default_store()?,
    };
    let options = store::Options { namespace: common.namespace, ..store::Options::default() };
    let mut settings = Settings { image_folder: home::image_folder(), ..Settings::default() };
    if let Some(ttl_ms) = common.ttl {
        settings.ttl_ms = ttl_ms;
    }
    Ok(Tickets::new(store::open(&url, &options).await?, settings)?)
}

async fn change_ticket(
    common: Common,
    output: &Output,
    id: &str,
    changes: &[Change],
    at: Option<String>,
) -> Result<(), Failure> {
    output.ticket(&open(common).await?.apply(id, changes, at.as_deref()).await?)
}

async fn list(tickets: &Tickets, output: &Output) -> Result<(), Failure> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = tickets.list(cursor.as_deref()).await?;
        ids.extend(page.ids);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    ids.sort_unstable();
    ids.dedup();
    match output.format() {
        Format::Json => output.json(&ids),
        Format::Table if ids.is_empty() => {
            output.remark(&format!("no tickets in {}", tickets.store()));
            Ok(())
        }
        Format::Table => output.ids(&ids),
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
