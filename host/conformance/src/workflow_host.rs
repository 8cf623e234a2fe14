//! The contract with a host of workflows under test, and that of this project.

use async_trait::async_trait;
use ticket_host::workflow::{Cause, Grants, RunError, RunLimits, Workflow};
use ticket_host::{Error, Tickets};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It succeeded, with this output.
    Succeeded(String),
    /// The workflow failed, with this code.
    Failed(String),
    /// It trapped.
    Trapped,
    /// It was interrupted: over time, or over counted instructions.
    OverTime,
    /// It was refused memory.
    OverMemory,
    /// Its output was refused.
    BadOutput,
    /// Other clients changed the ticket in every attempt.
    LostRace,
    /// The component was refused.
    Refused,
    /// There is no such ticket.
    NotFound,
    /// Anything else.
    Other(String),
}

/// A host that runs workflows on the tickets of one store: without grants, with 16 MiB of memory, a time of at most a few
/// seconds, and a repeat after a lost race.
#[async_trait]
pub trait WorkflowHost: Send + Sync {
    /// Runs a component on a ticket; dry if nothing is to be written.
    async fn run(&self, id: &str, component: &[u8], is_dry: bool) -> RunEnd;
}

/// The host of this project.
#[derive(Clone, Debug)]
pub struct NativeWorkflows(pub Tickets);

#[async_trait]
impl WorkflowHost for NativeWorkflows {
    async fn run(&self, id: &str, component: &[u8], is_dry: bool) -> RunEnd {
        let Ok(workflow) = Workflow::load(component.to_vec(), Grants::default(), RunLimits::default()) else {
            return RunEnd::Refused;
        };
        let run = match is_dry {
            true => self.0.dry_run(id, &workflow, "null").await,
            false => self.0.run(id, &workflow, "null").await,
        };
        match run {
            Ok(run) => RunEnd::Succeeded(run.output),
            Err(RunError::Aborted(aborted)) => match aborted.cause {
                Cause::Failed { code, .. } => RunEnd::Failed(code),
                Cause::Trapped(_) => RunEnd::Trapped,
                Cause::OverTime { .. } | Cause::OverFuel { .. } => RunEnd::OverTime,
                Cause::OverMemory { .. } => RunEnd::OverMemory,
                Cause::Output(_) => RunEnd::BadOutput,
                cause => RunEnd::Other(cause.to_string()),
            },
            Err(RunError::LostRace { .. }) => RunEnd::LostRace,
            Err(RunError::Tickets(Error::NotFound(_))) => RunEnd::NotFound,
            Err(error) => RunEnd::Other(error.to_string()),
        }
    }
}
