//! Workflows: components of others that act on one ticket, all or nothing.
//!
//! A workflow gets the ticket of its run and nothing else. What it records is held back, and written in one change at the
//! revision that it read when it succeeds. If it fails, traps, or takes too much time or memory, nothing is written.
//!
//! | file | what it does |
//! |---|---|
//! | `component`, `form` | [`Workflow`]: checks, compiles and links a component |
//! | `machine`, `images`, `ticker` | the Wasmtime engines, what they compiled, and the clock that interrupts a loop |
//! | `run` | one run on a ticket that was read |
//! | `host_ctx`, `draft`, `log`, `outside` | what a run imports: the ticket with what was recorded, and what was granted |
//! | `grants`, `limits` | what a run may import and take |
//! | `report`, `error`, `trace` | what a run took, why it failed, and what it takes to replay it |

mod bindings;
mod component;
mod draft;
mod error;
mod form;
mod grants;
mod host_ctx;
mod images;
mod limits;
mod log;
mod machine;
mod outside;
mod report;
mod run;
mod ticker;
mod trace;

pub use component::{Contract, Workflow};
pub use error::{Aborted, Cause, LoadError, RunError};
pub use form::digest;
pub use grants::{Grant, Grants, Tool, ToolAnswer, ToolCalling, UnknownGrant, is_tool_name};
pub use images::Images;
pub use limits::RunLimits;
pub use report::{Run, Spent};
pub use trace::{ToolCall, Trace};

use self::draft::Draft;
use self::log::Log;
use self::outside::Outside;
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
        check_input(workflow, input)?;
        let (runs_max, is_metered) = (workflow.limits().repeats_max + 1, workflow.limits().counts_fuel);
        for attempt in 1..=runs_max {
            let ticket = self.get(id).await?;
            let outside = Outside::live(workflow.grants(), false)?;
            let ran = run::run(workflow, is_metered, Draft::of(ticket, self.engine()), outside, input).await?;
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

    /// The same, and nothing is written: [`Run::after`] is the ticket as it would be. Instructions are counted. Only tools
    /// that change nothing are called.
    ///
    /// # Errors
    /// As [`Tickets::run`].
    pub async fn dry_run(&self, id: &str, workflow: &Workflow, input: &str) -> Result<Run, RunError> {
        check_input(workflow, input)?;
        let ticket = self.get(id).await?;
        let outside = Outside::live(workflow.grants(), true)?;
        self.rehearse(workflow, Draft::of(ticket, self.engine()), outside, input).await
    }

    /// Runs a workflow again as a run before saw the world: the ticket, the time, random bytes and answers of tools are
    /// those of the trace. The store is not asked, and nothing is written.
    ///
    /// # Errors
    /// As [`Tickets::run`].
    pub async fn replay(&self, trace: &Trace, workflow: &Workflow, input: &str) -> Result<Run, RunError> {
        check_input(workflow, input)?;
        let draft = Draft::of(trace.ticket.clone(), self.engine());
        self.rehearse(workflow, draft, Outside::replayed(trace), input).await
    }

    async fn rehearse(
        &self,
        workflow: &Workflow,
        draft: Draft,
        outside: Outside,
        input: &str,
    ) -> Result<Run, RunError> {
        let ran = run::run(workflow, true, draft, outside, input).await?;
        let after = (!ran.closes).then(|| ran.draft.after.clone());
        Ok(report(ran, after, 1))
    }
}

fn check_input(workflow: &Workflow, input: &str) -> Result<(), RunError> {
    let parsed = serde_json::from_str::<&serde_json::value::RawValue>(input);
    parsed.map_err(|error| RunError::Input(format!("is not JSON: {error}")))?;
    workflow.contract().map_or(Ok(()), |contract| contract.check_input(input)).map_err(RunError::Input)
}

fn report(ran: Ran, after: Option<crate::ticket::Ticket>, attempts: u32) -> Run {
    let Ran { draft: Draft { before, changes, .. }, output, log, used, refused, spent, .. } = ran;
    let Log { lines: log, dropped: log_dropped, .. } = log;
    Run { before, after, output, changes, log, log_dropped, used, refused, spent, attempts }
}
