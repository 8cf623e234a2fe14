//! One run of a workflow on a ticket as it was read. It writes nothing.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};
use wasmtime::{Store, Trap, UpdateDeadline};

use super::bindings::exports::agent::workflow::handler::{Afterwards, Failure, Reply};
use super::component::{Runnable, Workflow};
use super::draft::Draft;
use super::error::{Aborted, Cause, RunError};
use super::grants::Grant;
use super::host_ctx::{HostCtx, Progress};
use super::limits::{CALL_BYTES_MAX, RunLimits, TABLE_ELEMENTS_MAX};
use super::log::Log;
use super::outside::{Outside, ToolInDryRun};
use super::report::Spent;
use super::ticker::Ticking;
use super::trace::Trace;
use crate::error::Error;

/// Longest text of a failure that is kept, in bytes.
const FAILURE_BYTES_MAX: usize = 4_096;
/// Longest code of a failure.
const CODE_BYTES_MAX: usize = 64;
/// The code of a failure whose own is not valid.
const CODE: &str = "failed";

/// What a run did that succeeded.
pub(super) struct Ran {
    pub(super) draft: Draft,
    pub(super) output: String,
    pub(super) closes: bool,
    pub(super) log: Log,
    pub(super) used: BTreeSet<Grant>,
    pub(super) refused: BTreeSet<Grant>,
    pub(super) spent: Spent,
}

/// The time of the run is up.
#[derive(Debug, thiserror::Error)]
#[error("the time is up")]
struct TimeIsUp;

/// Why a run has no answer that counts.
enum NoAnswer {
    Aborted(Cause),
    /// The engine of the tickets failed.
    Tickets(Error),
}

impl From<Cause> for NoAnswer {
    fn from(cause: Cause) -> Self {
        Self::Aborted(cause)
    }
}

/// Runs a workflow on a draft.
pub(super) async fn run(
    workflow: &Workflow,
    is_metered: bool,
    draft: Draft,
    outside: Outside,
    input: &str,
) -> Result<Ran, RunError> {
    workflow.make_ready(is_metered).await?;
    let (runnable, limits) = (workflow.runnable(is_metered).map_err(Error::internal)?, workflow.limits());
    let _slot = match runnable.slots {
        Some(slots) => Some(slots.acquire().await.map_err(Error::internal)?),
        None => None,
    };
    let (begun, progress) = (Instant::now(), Arc::new(Progress::default()));
    let deadline = begun + limits.time_max;
    let ctx = HostCtx::new(draft, outside, limits, deadline, Arc::clone(&progress));
    let mut store = store(runnable, limits, ctx)?;
    let _ticking = Ticking::begin();
    let reply = {
        let called = pin!(timeout_at(deadline, async {
            let workflow = runnable.pre.instantiate_async(&mut store).await?;
            workflow.agent_workflow_handler().call_run(&mut store, input).await
        }));
        match called.await {
            Ok(Ok(answer)) => answer.map_err(|failure| failed(failure).into()),
            Ok(Err(trap)) => Err(trapped(trap, limits, &progress)),
            // The call is not dropped yet: it can be told where it is.
            Err(_) => Err(over_time(limits, &progress).into()),
        }
    };
    let reply = reply.and_then(|reply| check_output(&reply.output, workflow).map(|()| reply).map_err(NoAnswer::from));
    let fuel = runnable.is_metered.then(|| limits.fuel_max.saturating_sub(store.get_fuel().unwrap_or(0)));
    let HostCtx { draft, outside, log, .. } = store.into_data();
    let spent = spent(begun.elapsed(), fuel, &progress);
    match reply {
        Ok(Reply { output, afterwards }) => {
            let closes = matches!(afterwards, Afterwards::Close);
            let Outside { used, refused, .. } = outside;
            Ok(Ran { draft, output, closes, log, used, refused, spent })
        }
        Err(NoAnswer::Aborted(cause)) => Err(RunError::Aborted(Box::new(aborted(cause, draft, outside, log, spent)))),
        Err(NoAnswer::Tickets(error)) => Err(error.into()),
    }
}

fn aborted(cause: Cause, draft: Draft, outside: Outside, log: Log, spent: Spent) -> Aborted {
    let Outside { clock_ms, random_seed, tool_calls, used, refused, .. } = outside;
    let trace = Trace { ticket: draft.before, clock_ms, random_seed, tool_calls };
    Aborted { cause, log: log.lines, log_dropped: log.dropped, used, refused, spent, trace }
}

fn store(runnable: &Runnable, limits: &RunLimits, ctx: HostCtx) -> Result<Store<HostCtx>, RunError> {
    let mut store = Store::new(runnable.pre.engine(), ctx);
    store.limiter(|ctx| ctx);
    store.set_hostcall_fuel(CALL_BYTES_MAX);
    store.set_epoch_deadline(1);
    // A run that yields lets others run, and is dropped where its caller gave it up.
    store.epoch_deadline_callback(|ctx| match Instant::now() < ctx.data().deadline {
        true => Ok(UpdateDeadline::Yield(1)),
        false => Err(TimeIsUp.into()),
    });
    if runnable.is_metered {
        store.set_fuel(limits.fuel_max).map_err(Error::internal)?;
    }
    Ok(store)
}

fn spent(time: Duration, fuel: Option<u64>, progress: &Progress) -> Spent {
    Spent {
        time,
        fuel,
        memory_bytes: progress.memory_bytes.load(Ordering::Relaxed),
        host_calls: progress.host_calls.load(Ordering::Relaxed),
    }
}

fn over_time(limits: &RunLimits, progress: &Progress) -> Cause {
    Cause::OverTime { limit: limits.time_max, in_host_call: progress.in_host_call.load(Ordering::Relaxed) }
}

/// Why a run ended without an answer.
fn trapped(trap: wasmtime::Error, limits: &RunLimits, progress: &Progress) -> NoAnswer {
    if trap.is::<TimeIsUp>() {
        return over_time(limits, progress).into();
    }
    if let Some(ToolInDryRun(name)) = trap.downcast_ref() {
        return Cause::ToolInDryRun(name.clone()).into();
    }
    let trap = match trap.downcast::<Error>() {
        Ok(error) => return NoAnswer::Tickets(error),
        Err(trap) => trap,
    };
    let kind = trap.downcast_ref::<Trap>().copied();
    if kind == Some(Trap::OutOfFuel) {
        return Cause::OverFuel { limit: limits.fuel_max }.into();
    }
    // Code that is refused memory ends by a trap of its own.
    let (bytes, elements) = (&progress.refused_bytes, &progress.refused_elements);
    for (refused, limit, unit) in
        [(bytes, limits.memory_bytes_max, "bytes of memory"), (elements, TABLE_ELEMENTS_MAX, "elements of a table")]
    {
        let asked = refused.load(Ordering::Relaxed);
        if asked > 0 {
            return Cause::OverMemory { asked, limit, unit }.into();
        }
    }
    Cause::Trapped(kind.map_or_else(|| trap.root_cause().to_string(), |kind| kind.to_string())).into()
}

/// The failure that a workflow answered, cut to what can be shown.
fn failed(failure: Failure) -> Cause {
    let Failure { code, text, try_again } = failure;
    let is_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_valid = (1..=CODE_BYTES_MAX).contains(&code.len()) && code.bytes().all(is_code);
    let code = if is_valid { code } else { CODE.to_owned() };
    let text = text[..text.floor_char_boundary(FAILURE_BYTES_MAX)].to_owned();
    Cause::Failed { code, text, try_again }
}

fn check_output(output: &str, workflow: &Workflow) -> Result<(), Cause> {
    let bytes_max = workflow.limits().output_bytes_max;
    if output.len() > bytes_max {
        return Err(Cause::Output(format!("has {} bytes, more than {bytes_max}", output.len())));
    }
    let parsed = serde_json::from_str::<&RawValue>(output);
    parsed.map_err(|error| Cause::Output(format!("is not JSON: {error}")))?;
    workflow.contract().map_or(Ok(()), |contract| contract.check_output(output)).map_err(Cause::Output)
}
