//! `ticket workflow`: runs the workflow of a file on a ticket.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;
use ticket_host::workflow::{Grants, Run, RunError, RunLimits, Spent, Workflow};
use ticket_host::{Error, Ticket, Tickets};

use super::args::{Format, GrantArg, WorkflowRun};
use super::diff::{self, Operation};
use super::escape::printable;
use super::exit::{self, Failure};
use super::failed_run::FailedRun;
use super::output::Output;
use super::session;
use super::time::utc;

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
    attempts: u32,
    time_us: u64,
    memory_bytes: usize,
    host_calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
}

/// How a run came about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Written,
    Dry,
    Replayed,
}

/// Runs a workflow on a ticket of the store.
pub(crate) async fn run(run: WorkflowRun, tickets: &Tickets, output: &Output) -> Result<(), Failure> {
    let WorkflowRun { id, file, input, dry_run, grant, .. } = run;
    let input = input.map_or_else(|| Ok("null".to_owned()), super::input::typed)?;
    let workflow = load(&file, &grant)?;
    let before = tickets.snapshot(&id).await?;
    let (done, mode) = match dry_run {
        true => (tickets.dry_run(&id, &workflow, &input).await, Mode::Dry),
        false => (tickets.run(&id, &workflow, &input).await, Mode::Written),
    };
    match done {
        Ok(run) => show(&run, mode, output),
        Err(error) => {
            // A failed run has changed nothing: what is there now is what it read, if no other client changed it.
            if is_of_workflow(&error) && tickets.snapshot(&id).await.is_ok_and(|after| after == before) {
                keep(&id, &before, &input, grant, &workflow, &error);
            }
            Err(error.into())
        }
    }
}

/// Runs a workflow again as it failed before, on no store.
pub(crate) async fn replay(run: WorkflowRun, output: &Output) -> Result<(), Failure> {
    let Some(file) = run.replay else { return Ok(()) };
    let failed = FailedRun::read(&file)?;
    let grants = if run.grant.is_empty() { failed.grants } else { run.grant };
    let workflow = load(&run.file, &grants)?;
    let tickets = session::builder("memory:").open().await?;
    let id = tickets.restore(failed.snapshot.get()).await?.id;
    if id != run.id {
        let text = format!("{} is of a run on ticket `{id}`, not on `{}`", file.display(), run.id);
        return Err(Failure::Input(text));
    }
    show(&tickets.dry_run(&id, &workflow, failed.input.get()).await?, Mode::Replayed, output)
}

/// Whether the workflow is to blame, and not the ticket, the store or the caller.
fn is_of_workflow(error: &RunError) -> bool {
    !matches!(error, RunError::Tickets(_) | RunError::Input(_) | RunError::LostRace { .. })
}

/// Keeps a failed run in a file, and says where.
fn keep(id: &str, snapshot: &str, input: &str, grants: Vec<GrantArg>, workflow: &Workflow, error: &RunError) {
    let raw = |text: &str| RawValue::from_string(text.to_owned());
    let (Ok(snapshot), Ok(input)) = (raw(snapshot), raw(input)) else { return };
    let digest = workflow.digest().to_owned();
    let failed = FailedRun { snapshot, input, grants, digest, error: error.to_string() };
    let told = match failed.keep(id) {
        Ok(Some(file)) => format!("the run is kept: `--replay {}` runs it again with another build", file.display()),
        Ok(None) => return,
        Err(error) => format!("warning: the run cannot be kept: {error}"),
    };
    exit::tell(&printable(&told));
}

fn load(file: &Path, grants: &[GrantArg]) -> Result<Workflow, Failure> {
    let bytes = fs::read(file).map_err(|error| Failure::Input(format!("cannot read {}: {error}", file.display())))?;
    let granted = grants.iter().fold(Grants::default(), |granted, grant| match grant {
        GrantArg::Log => granted.log(),
        GrantArg::WasiStubs => granted.wasi_stubs(),
    });
    Workflow::load(bytes, granted, RunLimits::default())
        .map_err(|source| Failure::Workflow { file: file.display().to_string(), source })
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
        attempts: run.attempts,
        time_us: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
        memory_bytes,
        host_calls,
        fuel,
    })
}

/// A run as JSON; or as what differs, the log and the output, and remarks on what became of the ticket.
fn show(run: &Run, mode: Mode, output: &Output) -> Result<(), Failure> {
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
