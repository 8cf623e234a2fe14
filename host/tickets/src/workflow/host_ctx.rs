//! What a workflow imports: its ticket, and what was granted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::time::Instant;
use wasmtime::{ResourceLimiter, Result};

use super::bindings::agent::workflow::{clock, log, random, ticket as wit, tools};
use super::draft::Draft;
use super::grants::Grant;
use super::limits::{RunLimits, TABLE_ELEMENTS_MAX};
use super::log::Log;
use super::outside::{Outside, RANDOM_BYTES_MAX};
use crate::error::Error;
use crate::ticket::Change;

/// How far a run has come; it outlives the run.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) host_calls: AtomicU64,
    pub(super) in_host_call: AtomicBool,
    /// Memory, in bytes.
    pub(super) memory_bytes: AtomicUsize,
    /// The memory, or the elements of a table, that were refused last; 0 for none.
    pub(super) refused_bytes: AtomicUsize,
    pub(super) refused_elements: AtomicUsize,
}

/// The host context of one run.
pub(super) struct HostCtx {
    pub(super) draft: Draft,
    pub(super) outside: Outside,
    pub(super) log: Log,
    /// When the time of the run is up.
    pub(super) deadline: Instant,
    pub(super) progress: Arc<Progress>,
    memory_bytes_max: usize,
}

impl HostCtx {
    pub(super) fn new(
        draft: Draft,
        outside: Outside,
        limits: &RunLimits,
        deadline: Instant,
        progress: Arc<Progress>,
    ) -> Self {
        let log = Log::new(limits.log_lines_max, limits.log_bytes_max);
        Self { draft, outside, log, deadline, progress, memory_bytes_max: limits.memory_bytes_max }
    }

    /// Counts a call of the host.
    fn enter(&self) -> InHostCall {
        self.progress.host_calls.fetch_add(1, Ordering::Relaxed);
        InHostCall::begin(&self.progress)
    }

    async fn record(&mut self, change: Change) -> Result<Result<(), wit::Refusal>> {
        let _call = self.enter();
        refusal(self.draft.record(change).await)
    }
}

/// While it lives, the run is in a call of the host.
struct InHostCall(Arc<Progress>);

impl InHostCall {
    fn begin(progress: &Arc<Progress>) -> Self {
        progress.in_host_call.store(true, Ordering::Relaxed);
        Self(Arc::clone(progress))
    }
}

impl Drop for InHostCall {
    fn drop(&mut self) {
        self.0.in_host_call.store(false, Ordering::Relaxed);
    }
}

/// An answer as it crosses into the workflow; what no workflow can cause ends the run.
fn refusal<T>(answer: Result<T, Error>) -> Result<Result<T, wit::Refusal>> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Error::Invalid(text)) => Ok(Err(wit::Refusal::Invalid(text.to_string()))),
        Err(Error::TooLarge(text)) => Ok(Err(wit::Refusal::TooLarge(text.to_string()))),
        Err(error) => Err(error.into()),
    }
}

impl wit::Host for HostCtx {
    async fn id(&mut self) -> Result<String> {
        let _call = self.enter();
        Ok(self.draft.before.id.clone())
    }

    async fn revision(&mut self) -> Result<String> {
        let _call = self.enter();
        Ok(self.draft.before.revision.clone())
    }

    async fn created_at(&mut self) -> Result<u64> {
        let _call = self.enter();
        Ok(self.draft.before.created_at)
    }

    async fn updated_at(&mut self) -> Result<u64> {
        let _call = self.enter();
        Ok(self.draft.before.updated_at)
    }

    async fn expires_at_ms(&mut self) -> Result<u64> {
        let _call = self.enter();
        Ok(self.draft.before.expires_at_ms)
    }

    async fn facts(&mut self) -> Result<String> {
        let _call = self.enter();
        Ok(self.draft.after.facts.clone())
    }

    async fn fact(&mut self, pointer: String) -> Result<Result<Option<String>, wit::Refusal>> {
        let _call = self.enter();
        refusal(self.draft.fact(&pointer).await)
    }

    async fn message_count(&mut self) -> Result<u32> {
        let _call = self.enter();
        Ok(u32::try_from(self.draft.after.message_count()).unwrap_or(u32::MAX))
    }

    async fn last_messages(&mut self, count: u32) -> Result<Vec<String>> {
        let _call = self.enter();
        Ok(self.draft.last_messages(count))
    }

    async fn last_decision(&mut self) -> Result<String> {
        let _call = self.enter();
        Ok(self.draft.after.last_decision.clone())
    }

    async fn say(&mut self, message: String) -> Result<Result<(), wit::Refusal>> {
        self.record(Change::Say(message)).await
    }

    async fn learn(&mut self, facts: String) -> Result<Result<(), wit::Refusal>> {
        self.record(Change::Learn(facts)).await
    }

    async fn decide(&mut self, decision: String) -> Result<Result<(), wit::Refusal>> {
        self.record(Change::Decide(decision)).await
    }
}

impl log::Host for HostCtx {
    async fn write(&mut self, line: String) -> Result<()> {
        let _call = self.enter();
        self.outside.used.insert(Grant::Log);
        self.log.write(line);
        Ok(())
    }
}

impl clock::Host for HostCtx {
    async fn now_ms(&mut self) -> Result<u64> {
        let _call = self.enter();
        self.outside.used.insert(Grant::Clock);
        Ok(self.outside.clock_ms)
    }
}

impl random::Host for HostCtx {
    async fn bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        let _call = self.enter();
        self.outside.used.insert(Grant::Random);
        if count > RANDOM_BYTES_MAX {
            wasmtime::bail!("it asked for {count} random bytes at once, more than {RANDOM_BYTES_MAX}");
        }
        Ok(self.outside.random(count as usize))
    }
}

impl tools::Host for HostCtx {
    async fn call(&mut self, name: String, input: String) -> Result<Result<String, tools::Refusal>> {
        let _call = self.enter();
        Ok(self.outside.call(name, input).await?)
    }
}

impl ResourceLimiter for HostCtx {
    /// A component may have several memories: their sum counts, and it only grows.
    fn memory_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> Result<bool> {
        let memory_bytes = &self.progress.memory_bytes;
        let all = memory_bytes.load(Ordering::Relaxed).saturating_add(desired - current);
        let allowed = all <= self.memory_bytes_max;
        if allowed {
            memory_bytes.store(all, Ordering::Relaxed);
        } else {
            self.progress.refused_bytes.store(all, Ordering::Relaxed);
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _max: Option<usize>) -> Result<bool> {
        let allowed = desired <= TABLE_ELEMENTS_MAX;
        if !allowed {
            self.progress.refused_elements.store(desired, Ordering::Relaxed);
        }
        Ok(allowed)
    }
}
