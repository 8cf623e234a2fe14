//! One run of a workflow on a ticket as it was read. It writes nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};
use wasmtime::{Store, Trap, UpdateDeadline};

use super::bindings::exports::agent::workflow::handler::{Afterwards, Failure, Reply};
use super::component::Runnable;
use super::draft::Draft;
use super::error::RunError;
use super::host_ctx::{HostCtx, Progress};
use super::limits::{CALL_BYTES_MAX, RunLimits, TABLE_ELEMENTS_MAX};
use super::log::Log;
use super::report::Spent;
use super::ticker::Ticking;
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
    pub(super) spent: Spent,
}

/// The time of the run is up.
#[derive(Debug, thiserror::Error)]
#[error("the time is up")]
struct TimeIsUp;

/// Runs a workflow on a draft.
pub(super) async fn run(runnable: &Runnable, limits: &RunLimits, draft: Draft, input: &str) -> Result<Ran, RunError> {
    let _slot = match runnable.slots {
        Some(slots) => Some(slots.acquire().await.map_err(Error::internal)?),
        None => None,
    };
    let (begun, progress) = (Instant::now(), Arc::new(Progress::default()));
    let deadline = begun + limits.time_max;
    let ctx = HostCtx::new(draft, limits, deadline, Arc::clone(&progress));
    let mut store = store(runnable, limits, ctx)?;
    let _ticking = Ticking::begin();
    let called = timeout_at(deadline, async {
        let workflow = runnable.pre.instantiate_async(&mut store).await?;
        workflow.agent_workflow_handler().call_run(&mut store, input).await
    });
    let in_time = called.await;
    let answer = match in_time {
        Ok(Ok(answer)) => answer,
        Ok(Err(trap)) => return Err(trapped(trap, limits, &progress)),
        Err(_) => return Err(over_time(limits, &progress)),
    };
    let fuel = runnable.is_metered.then(|| limits.fuel_max.saturating_sub(store.get_fuel().unwrap_or(0)));
    let ctx = store.into_data();
    let Reply { output, afterwards } = answer.map_err(failed)?;
    check_output(&output, limits)?;
    let spent = spent(begun.elapsed(), fuel, &progress);
    Ok(Ran { draft: ctx.draft, output, closes: matches!(afterwards, Afterwards::Close), log: ctx.log, spent })
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

fn over_time(limits: &RunLimits, progress: &Progress) -> RunError {
    RunError::OverTime { limit: limits.time_max, in_host_call: progress.in_host_call.load(Ordering::Relaxed) }
}

/// Why a run ended without an answer.
fn trapped(trap: wasmtime::Error, limits: &RunLimits, progress: &Progress) -> RunError {
    if trap.is::<TimeIsUp>() {
        return over_time(limits, progress);
    }
    let trap = match trap.downcast::<Error>() {
        Ok(error) => return RunError::Tickets(error),
        Err(trap) => trap,
    };
    let kind = trap.downcast_ref::<Trap>().copied();
    if kind == Some(Trap::OutOfFuel) {
        return RunError::OverFuel { limit: limits.fuel_max };
    }
    // Code that is refused memory ends by a trap of its own.
    let (bytes, elements) = (&progress.refused_bytes, &progress.refused_elements);
    for (refused, limit, unit) in
        [(bytes, limits.memory_bytes_max, "bytes of memory"), (elements, TABLE_ELEMENTS_MAX, "elements of a table")]
    {
        let asked = refused.load(Ordering::Relaxed);
        if asked > 0 {
            return RunError::OverMemory { asked, limit, unit };
        }
    }
    RunError::Trapped(kind.map_or_else(|| trap.root_cause().to_string(), |kind| kind.to_string()))
}

/// The failure that a workflow answered, cut to what can be shown.
fn failed(failure: Failure) -> RunError {
    let Failure { code, text, try_again } = failure;
    let is_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_valid = (1..=CODE_BYTES_MAX).contains(&code.len()) && code.bytes().all(is_code);
    let code = if is_valid { code } else { CODE.to_owned() };
    let text = text[..text.floor_char_boundary(FAILURE_BYTES_MAX)].to_owned();
    RunError::Failed { code, text, try_again }
}

fn check_output(output: &str, limits: &RunLimits) -> Result<(), RunError> {
    if output.len() > limits.output_bytes_max {
        let text = format!("has {} bytes, more than {}", output.len(), limits.output_bytes_max);
        return Err(RunError::Output(text));
    }
    let parsed = serde_json::from_str::<&RawValue>(output);
    parsed.map(drop).map_err(|error| RunError::Output(format!("is not JSON: {error}")))
}
