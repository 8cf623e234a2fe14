//! Plays a scenario on a host and writes its transcript.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::backend::BoxError;
use super::interruption::{Fault, Interruptions};
use super::scenario::{Scenario, Step};
use super::transcript::{Answer, Transcript};
use ticket_host::{Change, Error, State};

/// A host with the engine and an empty store, on which a scenario is played.
#[async_trait]
pub trait ScenarioHost: Send {
    /// Runs an operation, in the course of which the interruptions happen; those that it does not come to are forgotten.
    /// An `Err` within is the engine's answer, one without ends the play.
    async fn call(&mut self, call: Call, interruptions: Interruptions) -> Result<Result<Answer, Error>, BoxError>;

    /// Lets time pass for the store and for the engine.
    async fn pass(&mut self, ms: u64) -> Result<(), BoxError>;

    /// Moves the engine's clock alone.
    async fn date(&mut self, ms: i64) -> Result<(), BoxError>;

    /// Does a foreign deed.
    async fn act(&mut self, external_write: ExternalWrite) -> Result<(), BoxError>;

    /// What deadlines are counted from, in milliseconds since the epoch: the start by the clock that ends entries, earlier
    /// by what passed where deadlines came nearer instead.
    fn began_ms(&self) -> u64;

    /// What a revision that was held before `ms` passed is called after it.
    fn moved(&self, revision: &str, ms: u64) -> String;
}

/// An operation of the engine, every name in it resolved.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of tickets.wit")]
pub enum Call {
    Create { id: Option<String>, changes: Vec<Change> },
    Get { id: String },
    Apply { id: String, changes: Vec<Change>, at: Option<String> },
    Touch { id: String },
    Snapshot { id: String },
    Rollback { id: String, snapshot: String, at: Option<String> },
    Restore { snapshot: String },
    Close { id: String, at: Option<String> },
    List,
    Merge { base: State, ours: State, theirs: State },
}

/// What a foreign program does to an entry.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of the steps")]
pub enum ExternalWrite {
    Put { id: String, fields: BTreeMap<String, String>, ttl_ms: u64 },
    Drop { id: String },
}

/// Plays a scenario to its end.
///
/// # Errors
/// Where the host does not work; what the engine refuses is an answer.
pub async fn run_scenario(scenario: &Scenario, host: &mut dyn ScenarioHost) -> Result<Transcript, BoxError> {
    let mut transcript = Transcript::default();
    let mut interruptions = Interruptions::default();
    for (step, number) in scenario.steps.iter().zip(2..) {
        match step {
            Step::Pass { ms } => {
                host.pass(*ms).await?;
                transcript.rename(|revision| host.moved(revision, *ms));
            }
            Step::Date { ms } => host.date(*ms).await?,
            Step::Put { id, fields, ttl_ms, before } => {
                let put = ExternalWrite::Put { id: transcript.id(id), fields: fields.clone(), ttl_ms: *ttl_ms };
                match before {
                    Some(call) => interruptions.add_external_write(*call, put),
                    None => host.act(put).await?,
                }
            }
            Step::Drop { id, before } => {
                let removal = ExternalWrite::Drop { id: transcript.id(id) };
                match before {
                    Some(call) => interruptions.add_external_write(*call, removal),
                    None => host.act(removal).await?,
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
                    transcript.made_id(&ticket.id);
                }
                transcript.add(number, op, answer, host.began_ms());
            }
        }
    }
    Ok(transcript)
}

/// The name of an operation, and the call that it is; none for a step that is none.
fn resolve(step: &Step, names: &Transcript) -> Option<(&'static str, Call)> {
    let at = |id: &str, at: &Option<_>| at.as_ref().map(|at| names.revision(id, at));
    Some(match step {
        Step::Create { id, changes } => {
            ("create", Call::Create { id: id.as_deref().map(|id| names.id(id)), changes: changes.clone() })
        }
        Step::Get { id } => ("get", Call::Get { id: names.id(id) }),
        Step::Apply { id, changes, at: named } => {
            let id = names.id(id);
            ("apply", Call::Apply { at: at(&id, named), id, changes: changes.clone() })
        }
        Step::Touch { id } => ("touch", Call::Touch { id: names.id(id) }),
        Step::Snapshot { id } => ("snapshot", Call::Snapshot { id: names.id(id) }),
        Step::Rollback { id, snapshot, at: named } => {
            let id = names.id(id);
            ("rollback", Call::Rollback { at: at(&id, named), id, snapshot: names.snapshot(snapshot) })
        }
        Step::Restore { snapshot } => ("restore", Call::Restore { snapshot: names.snapshot(snapshot) }),
        Step::Close { id, at: named } => {
            let id = names.id(id);
            ("close", Call::Close { at: at(&id, named), id })
        }
        Step::List {} => ("list", Call::List),
        Step::Merge { base, ours, theirs } => {
            ("merge", Call::Merge { base: base.clone(), ours: ours.clone(), theirs: theirs.clone() })
        }
        Step::Pass { .. } | Step::Date { .. } | Step::Put { .. } | Step::Drop { .. } | Step::Fail { .. } => {
            return None;
        }
    })
}
