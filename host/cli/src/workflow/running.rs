//! Runs a workflow of the registry or of a file on a ticket, and keeps what is needed to replay a run that failed.

use std::fs;
use std::path::{Path, PathBuf};

use ticket_host::Tickets;
use ticket_host::workflow::{Aborted, Grant, Grants, Run, RunError, RunLimits, Workflow};
use ticket_workflows::{Audit, Error, FailedRun, Limits, Operator, Workflows};

use super::super::args::WorkflowRun;
use super::super::escape::printable;
use super::super::exit::{self, Failure};
use super::super::output::Output;
use super::super::{input, session, state_folder};
use super::folder;
use super::report::{self, Mode};

/// A workflow that is to be run.
enum Runnable {
    /// Of the registry.
    Registered(Workflows, String),
    /// Of a file.
    File { file: String, workflow: Workflow, audit: Option<Audit> },
}

/// Runs a workflow on a ticket of the store.
pub(crate) async fn run(
    run: WorkflowRun,
    folder: Option<PathBuf>,
    tickets: &Tickets,
    output: &Output,
) -> Result<(), Failure> {
    let WorkflowRun { id, workflow, input, dry_run, grant, .. } = run;
    let input = input.map_or_else(|| Ok("null".to_owned()), input::typed)?;
    let runnable = Runnable::open(workflow, &grant, folder).await?;
    let mode = if dry_run { Mode::Dry } else { Mode::Written };
    match runnable.run(tickets, &id, &input, dry_run).await {
        Ok(run) => report::show(&run, mode, output),
        Err(Error::Run(RunError::Aborted(aborted))) => {
            tell_log(&aborted);
            runnable.keep(&aborted, &input, &grant);
            Err(RunError::Aborted(aborted).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs a workflow as a run before did that failed, on no store.
pub(super) async fn replay(run: WorkflowRun, folder: Option<PathBuf>, output: &Output) -> Result<(), Failure> {
    let Some(file) = run.replay else { return Ok(()) };
    let failed = FailedRun::read(&file)?;
    let wrong = |reason: String| Failure::Input(format!("{}: {reason}", file.display()));
    if failed.ticket_id() != run.id {
        return Err(wrong(format!("it is of a run on ticket `{}`, not on `{}`", failed.ticket_id(), run.id)));
    }
    let trace = failed.trace().map_err(wrong)?;
    let workflow = if folder::is_file(&run.workflow) {
        let granted: Result<Vec<Grant>, _> = failed.grants.iter().map(|grant| grant.parse()).collect();
        let granted = if run.grant.is_empty() { granted.map_err(|error| wrong(error.to_string()))? } else { run.grant };
        load(&run.workflow, as_before(&granted), failed.limits.over(&RunLimits::default()))?
    } else {
        folder::open(folder).await?.workflow(&run.workflow)?
    };
    let tickets = session::builder("memory:").open().await?;
    match tickets.replay(&trace, &workflow, failed.input.get()).await {
        Ok(run) => report::show(&run, Mode::Replayed, output),
        Err(error) => {
            if let RunError::Aborted(aborted) = &error {
                tell_log(aborted);
            }
            Err(error.into())
        }
    }
}

impl Runnable {
    async fn open(typed: String, grant: &[Grant], folder: Option<PathBuf>) -> Result<Self, Failure> {
        if !folder::is_file(&typed) {
            if !grant.is_empty() {
                let text = format!(
                    "`{typed}` is a workflow of the registry, which is granted something when it is added: \
                     `ticket workflow add FOLDER --grant …`"
                );
                return Err(Failure::Input(text));
            }
            return Ok(Self::Registered(folder::open(folder).await?, typed));
        }
        // Without a folder there is neither a tool nor a ceiling, and no audit log.
        let folder = folder::path(folder).ok();
        let operator = folder.as_deref().map_or_else(|| Ok(Operator::default()), Operator::read)?;
        let audit = folder.as_deref().map(Audit::new);
        let grants = operator.grants(grant);
        let grants =
            grants.map_err(|tool| Failure::Input(format!("there is no tool `{tool}`: operator.toml has none")))?;
        let limits = RunLimits::default().intersect(&operator.ceiling());
        match load(&typed, grants, limits) {
            Ok(workflow) => Ok(Self::File { file: typed, workflow, audit }),
            Err(failure) => {
                if let (Failure::Workflows(error), Some(audit)) = (&failure, &audit) {
                    audit.refused(&typed, error);
                }
                Err(failure)
            }
        }
    }

    async fn run(&self, tickets: &Tickets, id: &str, input: &str, is_dry: bool) -> Result<Run, Error> {
        match (self, is_dry) {
            (Self::Registered(workflows, name), false) => workflows.run(tickets, id, name, input).await,
            (Self::Registered(workflows, name), true) => workflows.dry_run(tickets, id, name, input).await,
            (Self::File { file, workflow, audit }, false) => {
                let ran = tickets.run(id, workflow, input).await;
                if let Some(audit) = audit {
                    audit.ran(file, workflow.digest(), id, &ran);
                }
                Ok(ran?)
            }
            (Self::File { workflow, .. }, true) => Ok(tickets.dry_run(id, workflow, input).await?),
        }
    }

    /// Keeps a failed run in a file, and says where.
    fn keep(&self, aborted: &Aborted, input: &str, grant: &[Grant]) {
        let Some(folder) = state_folder::failed_runs() else { return };
        let failed = match self {
            Self::File { file, workflow, .. } => {
                let grants = grant.iter().map(ToString::to_string).collect();
                FailedRun::of(aborted, file, workflow.digest(), input, grants, Limits::from(workflow.limits()))
            }
            Self::Registered(workflows, name) => {
                let Ok(workflow) = workflows.workflow(name) else { return };
                let limits = Limits::from(workflow.limits());
                FailedRun::of(aborted, name, workflow.digest(), input, workflows.granted(name), limits)
            }
        };
        let told = match failed.map_err(std::io::Error::from).and_then(|failed| failed.keep(&folder)) {
            Ok(Some(file)) => {
                format!("the run is kept: `--replay {}` runs it again with another build", file.display())
            }
            Ok(None) => return,
            Err(error) => format!("warning: the run cannot be kept: {error}"),
        };
        exit::tell(&printable(&told));
    }
}

/// Grants as those of a run before, whose tools answer what they answered then.
fn as_before(granted: &[Grant]) -> Grants {
    granted.iter().fold(Grants::default(), |grants, grant| match grant {
        Grant::Log => grants.log(),
        Grant::Clock => grants.clock(),
        Grant::Random => grants.random(),
        Grant::WasiStubs => grants.wasi_stubs(),
        Grant::Tool(name) => grants.tool(name, |_| async { Err("a replay calls no tool".to_owned()) }),
    })
}

fn load(file: &str, grants: Grants, limits: RunLimits) -> Result<Workflow, Failure> {
    let path = Path::new(file);
    let bytes = fs::read(path).map_err(|error| Failure::Input(format!("cannot read {}: {error}", path.display())))?;
    let loaded = Workflow::load(bytes, grants, limits);
    Ok(loaded.map_err(|source| Error::Load { name: file.to_owned(), source })?)
}

/// What a workflow that failed said before.
fn tell_log(aborted: &Aborted) {
    for line in &aborted.log {
        exit::tell(&printable(&format!("log: {line}")));
    }
}
