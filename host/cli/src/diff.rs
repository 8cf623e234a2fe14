//! What differs between two states of a ticket: a JSON Patch for programs, a table for people.

use std::path::Path;

use comfy_table::{Cell, Color, Table};
use serde::Serialize;
use serde_json::value::RawValue;
use ticket_host::{Error, Ticket, Tickets};
use ticket_model::json;

use super::args::Format;
use super::escape::beginning;
use super::exit::Failure;
use super::output::Output;
use super::render::{self, TEXT_CHARS_MAX};
use super::snapshots::Snapshots;
use super::time::utc;

/// Colours are left out if this variable is set to anything.
const NO_COLOR: &str = "NO_COLOR";

/// An operation of a JSON Patch (RFC 6902) on `{"facts":…,"history":…,"last_decision":…}`, with values as stored.
#[derive(Serialize)]
pub(crate) struct Operation<'a> {
    op: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    /// What was there, for people.
    #[serde(skip)]
    old: Option<&'a str>,
}

/// What led to a snapshot.
#[derive(Serialize)]
struct Step<'a> {
    /// The number of the snapshot in its file, from 1; null for the ticket as it is now.
    snapshot: Option<usize>,
    updated_at: u64,
    patch: Vec<Operation<'a>>,
}

/// Shows what differs between a snapshot and another, or the ticket as it is now.
pub(crate) async fn run(
    tickets: &Tickets,
    id: &str,
    before: &Path,
    after: Option<&Path>,
    output: &Output,
) -> Result<(), Failure> {
    let snapshots = Snapshots::open().await?;
    let before = snapshots.one(id, before).await?;
    let after = match after {
        Some(path) => snapshots.one(id, path).await?,
        None => tickets.get(id).await?,
    };
    let patch = operations(&before, &after)?;
    match output.format() {
        Format::Json => output.json(&patch),
        Format::Table if patch.is_empty() => {
            output.remark("no difference");
            Ok(())
        }
        Format::Table => output.table(&table(&patch)),
    }
}

/// Shows what led to each snapshot of a file, and then to the ticket as it is now.
pub(crate) async fn history(tickets: &Tickets, id: &str, file: &Path, output: &Output) -> Result<(), Failure> {
    let mut states = Snapshots::open().await?.all(id, file).await?;
    let count = states.len();
    match tickets.get(id).await {
        Ok(now) => states.push(now),
        Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let Some(first) = states.first() else {
        return Err(Failure::Input(format!("{} holds no snapshot", file.display())));
    };
    let (facts, history, last_decision) = ("{}".into(), "[]".into(), "{}".into());
    let new = Ticket { facts, history, last_decision, ..first.clone() };
    let mut table = render::plain();
    for (place, (before, after)) in std::iter::once(&new).chain(&states).zip(&states).enumerate() {
        let patch = operations(before, after)?;
        let snapshot = (place < count).then_some(place + 1);
        match output.format() {
            Format::Json => output.json(&Step { snapshot, updated_at: after.updated_at, patch })?,
            Format::Table => {
                let name = snapshot.map_or_else(|| "now".to_owned(), |number| format!("snapshot {number}"));
                let effect = if patch.is_empty() { "no difference".to_owned() } else { utc(after.updated_at) };
                table.add_row(["", &name, &effect]);
                add_rows(&mut table, &patch);
            }
        }
    }
    if output.format() == Format::Table { output.table(&table) } else { Ok(()) }
}

/// A table of operations, for people.
pub(crate) fn table(patch: &[Operation<'_>]) -> Table {
    let mut table = render::plain();
    add_rows(&mut table, patch);
    table
}

/// The operations that make `after` of `before`.
pub(crate) fn operations<'a>(before: &'a Ticket, after: &'a Ticket) -> Result<Vec<Operation<'a>>, Failure> {
    let mut operations = facts(&before.facts, &after.facts)?;
    operations.extend(messages(&before.history, &after.history)?);
    if !json::same(&before.last_decision, &after.last_decision) {
        let (old, new) = (Some(before.last_decision.as_str()), Some(after.last_decision.as_str()));
        operations.push(Operation::new("replace", "/last_decision".into(), old, new)?);
    }
    Ok(operations)
}

impl<'a> Operation<'a> {
    fn new(op: &'static str, path: String, old: Option<&'a str>, new: Option<&'a str>) -> Result<Self, Failure> {
        let value = new.map(serde_json::from_str).transpose().map_err(|error| Error::Internal(error.into()))?;
        Ok(Self { op, path, value, old })
    }
}

/// Facts by key.
fn facts<'a>(before: &'a str, after: &'a str) -> Result<Vec<Operation<'a>>, Failure> {
    let (old, new) = (json::by_key(before).unwrap_or_default(), json::by_key(after).unwrap_or_default());
    let mut operations = Vec::new();
    for (key, member) in &old {
        if !new.contains_key(key) {
            operations.push(Operation::new("remove", pointer(key), Some(member.value), None)?);
        }
    }
    for (key, member) in &new {
        let was = old.get(key).map(|member| member.value);
        if was.is_none_or(|was| !json::same(was, member.value)) {
            let op = if was.is_some() { "replace" } else { "add" };
            operations.push(Operation::new(op, pointer(key), was, Some(member.value))?);
        }
    }
    Ok(operations)
}

/// The pointer (RFC 6901) to a fact.
fn pointer(key: &[u8]) -> String {
    format!("/facts/{}", String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1"))
}

/// Messages between those that both begin with and those that both end with.
fn messages<'a>(before: &'a str, after: &'a str) -> Result<Vec<Operation<'a>>, Failure> {
    let items = |text: &'a str| json::items(text).map(Iterator::collect::<Vec<&str>>).unwrap_or_default();
    let (old, new) = (items(before), items(after));
    let equal = |(left, right): &(&&str, &&str)| json::same(left, right);
    let head = old.iter().zip(&new).take_while(equal).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(equal).count();
    let mut operations = Vec::new();
    for (place, message) in old_rest[..old_rest.len() - tail].iter().enumerate().rev() {
        operations.push(Operation::new("remove", format!("/history/{}", head + place), Some(message), None)?);
    }
    for (place, message) in new_rest[..new_rest.len() - tail].iter().enumerate() {
        operations.push(Operation::new("add", format!("/history/{}", head + place), None, Some(message))?);
    }
    Ok(operations)
}

/// A row for what was there and one for what is.
fn add_rows(table: &mut Table, patch: &[Operation<'_>]) {
    let coloured = std::env::var_os(NO_COLOR).is_none();
    for operation in patch {
        let place = beginning(operation.path.trim_start_matches('/'), TEXT_CHARS_MAX);
        let rows = [
            operation.old.map(|text| ("-", text, Color::Red)),
            operation.value.map(|value| ("+", value.get(), Color::Green)),
        ];
        for (mark, text, colour) in rows.into_iter().flatten() {
            let cells = [mark.to_owned(), place.clone(), beginning(text, TEXT_CHARS_MAX)];
            table.add_row(cells.map(|text| if coloured { Cell::new(text).fg(colour) } else { Cell::new(text) }));
        }
    }
}

#[cfg(test)]
mod tests;
