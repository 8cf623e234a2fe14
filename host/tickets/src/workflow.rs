//! Workflows: components of others that act on one ticket, all or nothing.
//!
//! A workflow gets the ticket of its run and nothing else. What it records is held back, and written in one change at the
//! revision that it read when it succeeds. If it fails, traps, or takes too much time or memory, nothing is written.
//!
//! | file | what it does |
//! |---|---|
//! | `component` | [`Workflow`]: checks, compiles and links a component |
//! | `machine`, `ticker` | the Wasmtime engines, and the clock that interrupts a loop |
//! | `run` | one run on a ticket that was read |
//! | `host_ctx`, `draft`, `log` | what a run imports: the ticket with what was recorded, and the log |
//! | `limits`, `report`, `error` | what a run may take, what it took, and why it failed |

mod bindings;
mod component;
mod draft;
mod error;
mod host_ctx;
mod limits;
mod log;
mod machine;
mod report;
mod run;
mod ticker;

pub use component::{Grants, Workflow};
pub use error::{LoadError, RunError};
pub use limits::RunLimits;
pub use report::{Run, Spent};

use self::draft::Draft;
use self::run::Ran;
use crate::error::Error;
use crate::tickets::Tickets;

impl Tickets {
    /// Runs a workflow on a ticket, with `input`, which is JSON. If it succeeds, what it recorded is written, and the ticket
    /// is kept alive or closed. If another client changes the ticket meanwhile, the workflow runs again on the new state.
    ///
    /// # Errors
    /// [`RunError`] says why nothing was written. After `Uncertain` of [`RunError::Tickets`] it was written or not.
    pub async fn run(&self, id: &str, workflow: &Workflow, input: &str) -> Result<Run, RunError> {
        check_input(input)?;
        let runs_max = workflow.limits().repeats_max + 1;
        for attempt in 1..=runs_max {
            let ran = self.attempt(id, workflow, input, false).await?;
            let revision = Some(&*ran.draft.before.revision);
            let written = match (ran.closes, ran.draft.changes.is_empty()) {
                (true, _) => self.close(id, revision).await.map(|()| None),
                (false, true) => self.touch(id).await.map(Some),
                (false, false) => self.apply(id, &ran.draft.changes, revision).await.map(Some),
            };
            match written {
                Ok(after) => return Ok(report(ran, after, attempt)),
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RunError::LostRace { attempts: runs_max })
    }

    /// The same, and nothing is written: [`Run::after`] is the ticket as it would be. Instructions are counted.
    ///
    /// # Errors
    /// As [`Tickets::run`].
    pub async fn dry_run(&self, id: &str, workflow: &Workflow, input: &str) -> Result<Run, RunError> {
        check_input(input)?;
        let ran = self.attempt(id, workflow, input, true).await?;
        let after = (!ran.closes).then(|| ran.draft.after.clone());
        Ok(report(ran, after, 1))
    }

    async fn attempt(&self, id: &str, workflow: &Workflow, input: &str, metered: bool) -> Result<Ran, RunError> {
        let ticket = self.get(id).await?;
        let runnable = workflow.runnable(metered).map_err(Error::internal)?;
        run::run(runnable, workflow.limits(), Draft::of(ticket, self.engine()), input).await
    }
}

fn check_input(input: &str) -> Result<(), RunError> {
    serde_json::from_str::<&serde_json::value::RawValue>(input).map(drop).map_err(RunError::Input)
}

fn report(ran: Ran, after: Option<crate::ticket::Ticket>, attempts: u32) -> Run {
    let Ran { draft: Draft { before, changes, .. }, output, log, spent, .. } = ran;
    Run { before, after, output, changes, log: log.lines, log_dropped: log.dropped, spent, attempts }
}
