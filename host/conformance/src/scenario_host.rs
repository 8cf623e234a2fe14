//! Runs a scenario on a host and writes its transcript.

use async_trait::async_trait;
use ticket_host::{Change, Error, State};

use crate::backend::BoxError;
use crate::external_write::ExternalWrite;
use crate::interruption::{Fault, Interruptions};
use crate::scenario::{Scenario, Step};
use crate::transcript::{Answer, Transcript};

/// A host that can run scenarios: the engine over an empty store.
#[async_trait]
pub trait ScenarioHost: Send {
    /// Runs an operation with these interruptions. Those that are not due at any call of the operation are dropped.
    ///
    /// # Errors
    /// The inner `Err` is an answer of the engine. The outer one ends the scenario.
    async fn call(&mut self, call: Call, interruptions: Interruptions) -> Result<Result<Answer, Error>, BoxError>;

    /// Lets time pass for the store and the engine.
    async fn pass(&mut self, ms: u64) -> Result<(), BoxError>;

    /// Moves the clock of the engine alone.
    async fn shift_clock(&mut self, ms: i64) -> Result<(), BoxError>;

    /// Writes as another client does.
    async fn external_write(&mut self, write: ExternalWrite) -> Result<(), BoxError>;

    /// The start of the scenario by the clock that ends entries, in milliseconds since the Unix epoch. If `pass` made
    /// deadlines earlier instead of moving that clock, the start is earlier by as much.
    fn start_ms(&self) -> u64;

    /// The revision after `pass(ms)` of a state that had `revision` before.
    fn revision_after(&self, revision: &str, ms: u64) -> String;
}

/// An operation of the engine, with ids, revisions and snapshots as the engine knows them.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "operations and parameters of the interface `tickets`")]
pub enum Call {
    Create { id: Option<String>, changes: Vec<Change>, ttl_ms: Option<u64> },
    Ensure { id: String, changes: Vec<Change>, ttl_ms: Option<u64> },
    Get { id: String },
    Exists { id: String },
    GetSummary { id: String },
    GetMessages { id: String, entries_max: u32, bytes_max: Option<u32> },
    GetFact { id: String, pointer: String },
    Apply { id: String, changes: Vec<Change>, at: Option<String>, ttl_ms: Option<u64> },
    Touch { id: String, ttl_ms: Option<u64> },
    Snapshot { id: String },
    Rollback { id: String, snapshot: String, at: Option<String>, ttl_ms: Option<u64> },
    Restore { snapshot: String, ttl_ms: Option<u64> },
    Close { id: String, at: Option<String> },
    List { prefix: String },
    ListSummaries { prefix: String },
    Merge { base: State, ours: State, theirs: State },
}

/// Runs a scenario.
///
/// # Errors
/// If the host fails. A refusal of the engine is an answer in the transcript.
pub async fn run_scenario(scenario: &Scenario, host: &mut dyn ScenarioHost) -> Result<Transcript, BoxError> {
    let mut transcript = Transcript::default();
    let mut interruptions = Interruptions::default();
    for (step, number) in scenario.steps.iter().zip(2..) {
        match step {
            Step::Pass { ms } => {
                host.pass(*ms).await?;
                transcript.rename_revisions(|revision| host.revision_after(revision, *ms));
            }
            Step::Date { ms } => host.shift_clock(*ms).await?,
            Step::Put { id, fields, ttl_ms, before } => {
                let put = ExternalWrite::Put { id: transcript.id(id), fields: fields.clone(), ttl_ms: *ttl_ms };
                match before {
                    Some(call) => interruptions.add_external_write(*call, put),
                    None => host.external_write(put).await?,
                }
            }
            Step::Drop { id, before } => {
                let removal = ExternalWrite::Drop { id: transcript.id(id) };
                match before {
                    Some(call) => interruptions.add_external_write(*call, removal),
                    None => host.external_write(removal).await?,
                }
            }
            Step::Fail { call, error, made } => {
                interruptions.add_fault(*call, Fault { error: *error, made: *made });
            }
            operation => {
                let Some((op, call)) = resolve(operation, &transcript) else { continue };
                let makes_id = matches!(call, Call::Create { id: None, .. });
                let answer = host.call(call, std::mem::take(&mut interruptions)).await?;
                if let (true, Ok(Answer::Ticket(ticket))) = (makes_id, &answer) {
                    transcript.add_fresh_id(&ticket.id);
                }
                transcript.add(number, op, answer, host.start_ms());
            }
        }
    }
    Ok(transcript)
}

/// The name and the call of an operation; none for a step that is not an operation.
fn resolve(step: &Step, names: &Transcript) -> Option<(&'static str, Call)> {
    let at = |id: &str, at: &Option<_>| at.as_ref().map(|at| names.revision(id, at));
    Some(match step {
        Step::Create { id, changes, ttl_ms } => {
            let id = id.as_deref().map(|id| names.id(id));
            ("create", Call::Create { id, changes: changes.clone(), ttl_ms: *ttl_ms })
        }
        Step::Ensure { id, changes, ttl_ms } => {
            ("ensure", Call::Ensure { id: names.id(id), changes: changes.clone(), ttl_ms: *ttl_ms })
        }
        Step::Get { id } => ("get", Call::Get { id: names.id(id) }),
        Step::Exists { id } => ("exists", Call::Exists { id: names.id(id) }),
        Step::GetSummary { id } => ("get_summary", Call::GetSummary { id: names.id(id) }),
        Step::GetMessages { id, entries_max, bytes_max } => {
            let (entries_max, bytes_max) = (*entries_max, *bytes_max);
            ("get_messages", Call::GetMessages { id: names.id(id), entries_max, bytes_max })
        }
        Step::GetFact { id, pointer } => ("get_fact", Call::GetFact { id: names.id(id), pointer: pointer.clone() }),
        Step::Apply { id, changes, at: named, ttl_ms } => {
            let id = names.id(id);
            ("apply", Call::Apply { at: at(&id, named), id, changes: changes.clone(), ttl_ms: *ttl_ms })
        }
        Step::Touch { id, ttl_ms } => ("touch", Call::Touch { id: names.id(id), ttl_ms: *ttl_ms }),
        Step::Snapshot { id } => ("snapshot", Call::Snapshot { id: names.id(id) }),
        Step::Rollback { id, snapshot, at: named, ttl_ms } => {
            let id = names.id(id);
            let snapshot = names.snapshot(snapshot);
            ("rollback", Call::Rollback { at: at(&id, named), id, snapshot, ttl_ms: *ttl_ms })
        }
        Step::Restore { snapshot, ttl_ms } => {
            ("restore", Call::Restore { snapshot: names.snapshot(snapshot), ttl_ms: *ttl_ms })
        }
        Step::Close { id, at: named } => {
            let id = names.id(id);
            ("close", Call::Close { at: at(&id, named), id })
        }
        Step::List { prefix } => ("list", Call::List { prefix: prefix.clone() }),
        Step::ListSummaries { prefix } => ("list_summaries", Call::ListSummaries { prefix: prefix.clone() }),
        Step::Merge { base, ours, theirs } => {
            ("merge", Call::Merge { base: base.clone(), ours: ours.clone(), theirs: theirs.clone() })
        }
        Step::Pass { .. } | Step::Date { .. } | Step::Put { .. } | Step::Drop { .. } | Step::Fail { .. } => {
            return None;
        }
    })
}
