//! `ticket branches`: lists, shows, applies and drops states that did not fit into their tickets.

use serde::Serialize;
use serde_json::value::RawValue;
use ticket_host::fallback::{Branch, Branches};

use super::args::{BranchCommand, Common, FallbackArg, Format};
use super::escape::{beginning, printable};
use super::exit::Failure;
use super::output::Output;
use super::render::{self, TEXT_CHARS_MAX};
use super::session::{self, Session};
use super::time::utc;

/// A branch in a listing.
#[derive(Serialize)]
struct Row<'a> {
    number: u64,
    id: &'a str,
    why: &'a str,
    at_ms: u64,
}

/// A branch with its fields, raw where they are JSON.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    fields: std::collections::BTreeMap<&'a str, Text<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Text<'a> {
    Json(&'a RawValue),
    Other(&'a str),
}

pub(crate) async fn run(command: BranchCommand, common: Common, output: &Output) -> Result<(), Failure> {
    match command {
        BranchCommand::List => list(&session::branches(&common).await?, output).await,
        BranchCommand::Show { number } => {
            let branches = session::branches(&common).await?;
            show(&branches.get(number).await?.ok_or_else(|| none(number))?, output)
        }
        BranchCommand::Drop { number } => {
            if !session::branches(&common).await?.drop_branch(number).await? {
                return Err(none(number));
            }
            output.remark(&format!("branch {number} is dropped"));
            Ok(())
        }
        BranchCommand::Apply { number } => {
            let branch = session::branches(&common).await?.get(number).await?.ok_or_else(|| none(number))?;
            if common.fallback == Some(FallbackArg::None) {
                let text = "a branch is applied by the fallback: leave `--fallback none` or TICKET_FALLBACK=none out";
                return Err(Failure::Input(text.into()));
            }
            let session = Session::open(common, Some(&branch.id)).await?;
            let done = match session.tickets.apply_branch(number).await {
                Ok(ticket) => output.ticket(&ticket),
                Err(error) => Err(error.into()),
            };
            session.shutdown(None, done).await
        }
    }
}

fn none(number: u64) -> Failure {
    Failure::Input(format!("there is no branch {number}: `ticket branches list` shows all"))
}

fn row(branch: &Branch) -> Row<'_> {
    Row { number: branch.number, id: &branch.id, why: &branch.why, at_ms: branch.at_ms }
}

async fn list(branches: &Branches, output: &Output) -> Result<(), Failure> {
    let branches = branches.list().await?;
    match output.format() {
        Format::Json => output.json(&branches.iter().map(row).collect::<Vec<_>>()),
        Format::Table if branches.is_empty() => {
            output.remark("no branches");
            Ok(())
        }
        Format::Table => {
            let mut table = render::headed(&["branch", "ticket", "when", "why"]);
            for branch in &branches {
                let at = utc(branch.at_ms / 1_000);
                table.add_row([branch.number.to_string(), printable(&branch.id), at, printable(&branch.why)]);
            }
            render::align_right(&mut table, &[0]);
            output.table(&table)
        }
    }
}

fn show(branch: &Branch, output: &Output) -> Result<(), Failure> {
    match output.format() {
        Format::Json => {
            let fields = branch.entry.fields.iter().map(|(name, value)| {
                let shown = match serde_json::from_str::<&RawValue>(value) {
                    Ok(raw) => Text::Json(raw),
                    Err(_) => Text::Other(value),
                };
                (name.as_str(), shown)
            });
            output.json(&Whole { row: row(branch), fields: fields.collect() })
        }
        Format::Table => {
            let mut table = render::plain();
            table.add_row(["branch".to_owned(), branch.number.to_string()]);
            table.add_row(["ticket".to_owned(), printable(&branch.id)]);
            table.add_row(["when".to_owned(), utc(branch.at_ms / 1_000)]);
            table.add_row(["why".to_owned(), printable(&branch.why)]);
            for (name, value) in branch.entry.fields.iter() {
                table.add_row([printable(name), beginning(value, TEXT_CHARS_MAX)]);
            }
            output.table(&table)
        }
    }
}
