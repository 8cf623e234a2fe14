//! A run as it is shown: JSON for programs, what differs for people.

use serde::Serialize;
use serde_json::value::RawValue;
use ticket_host::workflow::{Run, Spent};
use ticket_host::{Error, Ticket};

use super::super::args::Format;
use super::super::diff::{self, Operation};
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::time::utc;

/// A run, for programs.
#[derive(Serialize)]
struct Report<'a> {
    ticket: Option<&'a Ticket>,
    output: &'a RawValue,
    closed: bool,
    dry_run: bool,
    patch: Vec<Operation<'a>>,
    log: &'a [String],
    log_dropped: u64,
    used: Vec<String>,
    attempts: u32,
    time_us: u64,
    memory_bytes: usize,
    host_calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
}

/// How a run came about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Written,
    Dry,
    Replayed,
}

fn patch(run: &Run) -> Result<Vec<Operation<'_>>, Failure> {
    run.after.as_ref().map_or_else(|| Ok(Vec::new()), |after| diff::operations(&run.before, after))
}

fn report(run: &Run, mode: Mode) -> Result<Report<'_>, Failure> {
    let Spent { time, fuel, memory_bytes, host_calls, .. } = run.spent;
    Ok(Report {
        ticket: run.after.as_ref(),
        output: serde_json::from_str(&run.output).map_err(|error| Error::Internal(error.into()))?,
        closed: run.after.is_none(),
        dry_run: mode != Mode::Written,
        patch: patch(run)?,
        log: &run.log,
        log_dropped: run.log_dropped,
        used: run.used.iter().map(ToString::to_string).collect(),
        attempts: run.attempts,
        time_us: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
        memory_bytes,
        host_calls,
        fuel,
    })
}

/// A run as JSON; or as what differs, the log and the output, and remarks on what became of the ticket.
pub(super) fn show(run: &Run, mode: Mode, output: &Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        return output.json(&report(run, mode)?);
    }
    let patch = patch(run)?;
    if !patch.is_empty() {
        output.table(&diff::table(&patch))?;
    }
    for line in &run.log {
        output.line(&format!("log: {line}"))?;
    }
    output.line(&format!("output: {}", run.output))?;
    output.remark(&spent(&run.spent));
    if run.log_dropped > 0 {
        output.remark(&format!("{} lines of the log were over its limit", run.log_dropped));
    }
    output.remark(&became(run, mode));
    Ok(())
}

fn spent(spent: &Spent) -> String {
    let (us, kib, calls) = (spent.time.as_micros(), spent.memory_bytes.div_ceil(1_024), spent.host_calls);
    let fuel = spent.fuel.map(|fuel| format!(", {fuel} fuel")).unwrap_or_default();
    format!("took {us} µs, {kib} KiB of memory, {calls} calls of the host{fuel}")
}

/// What became of the ticket, or would have.
fn became(run: &Run, mode: Mode) -> String {
    let id = &run.before.id;
    match (&run.after, mode) {
        (Some(after), Mode::Written) => format!("ticket `{id}` is kept until {}", utc(after.expires_at_ms / 1_000)),
        (None, Mode::Written) => format!("ticket `{id}` is closed"),
        (Some(_), Mode::Dry) => format!("a dry run: nothing is written to ticket `{id}`"),
        (None, Mode::Dry) => format!("a dry run: ticket `{id}` would be closed"),
        (_, Mode::Replayed) => format!("a replay: ticket `{id}` of the store was not asked for"),
    }
}
