//! Runs all checks on a backend, each on an empty store, and reports the results.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use ticket_host::Tickets;
use ticket_host::store::{Error, Kind};
use ticket_store::clock::ManualClock;

use crate::backend::{BoxError, TestBackend};
use crate::fixture::Fixture;
use crate::native_host::NativeHost;
use crate::promise::Promise;
use crate::promises::{promises, workflows};
use crate::scenario::Scenario;
use crate::scenario_host::run_scenario;
use crate::workflow_host::WorkflowHost;
use crate::workflow_promises::WORKFLOW_PROMISES;
use crate::{backends, random};

/// Default number of random scenarios.
const SCENARIOS: u32 = 100;
/// How often a scenario with a difference runs again; the difference counts only if it shows every time.
const RERUNS: u32 = 4;
/// The same for a shortened scenario.
const RERUNS_OF_SHORTENED: u32 = 2;
/// Most attempts to shorten a scenario with a difference.
const SHORTENINGS_MAX: u32 = 200;

/// What to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of random scenarios that run on the store and on memory; 100 by default.
    pub scenarios: u32,
    /// Seed of the random numbers; the same seed gives the same scenarios.
    pub seed: u64,
    /// Numbers of the promises to check; empty means all.
    pub only: Vec<String>,
    /// Prefix of the namespaces, before `conform-` and a random number; empty by default.
    pub namespace: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { scenarios: SCENARIOS, seed: fastrand::u64(..), only: Vec::new(), namespace: String::new() }
    }
}

/// The results of all checks.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The promises, in order.
    pub promises: Vec<Checked>,
    /// The random scenarios.
    pub comparison: Comparison,
}

/// The result for one promise.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its number: `P7`, `E3`.
    pub promise: String,
    /// Its sentence.
    pub sentence: &'static str,
    /// The verdict.
    pub verdict: Verdict,
}

/// Whether a promise is kept.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The store keeps it.
    Kept,
    /// The store breaks it; the message of the check.
    Broken(String),
    /// It could not be checked, for this reason.
    NotChecked(&'static str),
}

/// The result of the random scenarios.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The seed that gives the same scenarios again.
    pub seed: u64,
    /// Scenarios that ran on the store and on memory.
    pub scenarios: u32,
    /// Answers that were compared.
    pub answers: usize,
    /// Scenarios that differed once, and not when they ran again.
    pub unrepeated: u32,
    /// The first difference that showed in every run.
    pub difference: Option<Difference>,
}

/// A scenario with different answers of store and memory.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The shortest scenario found that shows the difference, as the text of a file.
    pub scenario: String,
    /// The first different line in the transcript of memory; empty if that has no more lines.
    pub expected: String,
    /// The same line in the transcript of the store.
    pub found: String,
}

impl Report {
    /// Whether every checked promise is kept and every answer equal.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.broken() == 0
    }

    /// The number of broken promises; a difference counts as one.
    #[must_use]
    pub fn broken(&self) -> usize {
        let broken = self.promises.iter().filter(|checked| matches!(checked.verdict, Verdict::Broken(_)));
        broken.count() + usize::from(self.comparison.difference.is_some())
    }
}

/// Runs the checks one after the other, each in namespaces of its own, which are emptied afterwards.
///
/// # Errors
/// If the store cannot be opened or emptied. A broken promise is not an error but a verdict in the report.
pub async fn run(backend: Arc<dyn TestBackend>, options: &Options) -> Result<Report, Error> {
    let checker = Checker {
        base: format!("{}conform-{:08x}", options.namespace, fastrand::u32(..)),
        backend,
        seed: options.seed,
        runs: AtomicU64::new(0),
    };
    let mut checked = Vec::new();
    for promise in promises() {
        if options.only.is_empty() || options.only.contains(&promise.number()) {
            let verdict = checker.check(&promise).await?;
            checked.push(Checked { promise: promise.number(), sentence: promise.sentence(), verdict });
        }
    }
    let comparison = checker.compare(options.scenarios).await?;
    Ok(Report { promises: checked, comparison })
}

/// A backend and the names to use there.
struct Checker {
    backend: Arc<dyn TestBackend>,
    base: String,
    seed: u64,
    runs: AtomicU64,
}

impl Checker {
    async fn fixture(&self, purpose: &str) -> Result<Fixture, Error> {
        Fixture::new(Arc::clone(&self.backend), &format!("{}-{purpose}-", self.base), self.seed).await
    }

    /// Checks a promise on an empty store.
    async fn check(&self, promise: &Promise) -> Result<Verdict, Error> {
        if let (Some(reason), None) = (promise.needs_raw_client(), self.backend.raw_client()) {
            return Ok(Verdict::NotChecked(reason));
        }
        let number = promise.number();
        let (fixture, cleaner) = (self.fixture(&number).await?, self.fixture(&number).await?);
        let ended = tokio::spawn((promise.check)(fixture)).await;
        cleaner.clean().await.map_err(unclean)?;
        Ok(match ended {
            Ok(()) => Verdict::Kept,
            Err(failed) => Verdict::Broken(panic_message(failed)),
        })
    }

    /// Runs random scenarios on the store and on memory until one differs.
    async fn compare(&self, scenarios: u32) -> Result<Comparison, Error> {
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut comparison = Comparison { seed: self.seed, scenarios: 0, answers: 0, unrepeated: 0, difference: None };
        for _ in 0..scenarios {
            let scenario = random::scenario(&mut rng);
            let (expected, found) = self.run_both(&scenario).await?;
            comparison.scenarios += 1;
            comparison.answers += expected.lines().count();
            if expected == found {
                continue;
            }
            if let Some(both) = self.difference(&scenario, RERUNS).await? {
                comparison.difference = Some(self.shorten(scenario, both).await?);
                break;
            }
            comparison.unrepeated += 1;
        }
        Ok(comparison)
    }

    /// The transcripts of a scenario on memory and on the store.
    async fn run_both(&self, scenario: &Scenario) -> Result<(String, String), Error> {
        let memory: Arc<dyn TestBackend> = Arc::new(backends::memory(&ManualClock::at(0)));
        let expected = transcript(Fixture::new(memory, "memory-", self.seed).await?, scenario.clone()).await;
        // A new namespace for each run, because a backend without a raw client is not emptied.
        let purpose = format!("r{}", self.runs.fetch_add(1, Ordering::Relaxed));
        let found = transcript(self.fixture(&purpose).await?, scenario.clone()).await;
        self.fixture(&purpose).await?.clean().await.map_err(unclean)?;
        Ok((expected, found))
    }

    /// Runs a scenario several times and returns the last transcripts if they differ every time. One run is not enough:
    /// by chance a state may have the revision of a state of an earlier incarnation, on memory too.
    async fn difference(&self, scenario: &Scenario, runs: u32) -> Result<Option<(String, String)>, Error> {
        let mut shown = None;
        for _ in 0..runs {
            let both = self.run_both(scenario).await?;
            if both.0 == both.1 {
                return Ok(None);
            }
            shown = Some(both);
        }
        Ok(shown)
    }

    /// Leaves out steps as long as the difference shows.
    async fn shorten(&self, scenario: Scenario, shown: (String, String)) -> Result<Difference, Error> {
        let (mut shortest, mut shown) = (scenario, shown);
        let (mut attempts, mut index) = (0, shortest.steps.len());
        while index > 0 && attempts < SHORTENINGS_MAX {
            (attempts, index) = (attempts + 1, index - 1);
            let mut shorter = shortest.clone();
            shorter.steps.remove(index);
            if let Some(both) = self.difference(&shorter, RERUNS_OF_SHORTENED).await? {
                (shortest, shown) = (shorter, both);
            }
        }
        let mut lines = (shown.0.lines(), shown.1.lines());
        let (mut expected, mut found) = (lines.0.next(), lines.1.next());
        while expected.is_some() && expected == found {
            (expected, found) = (lines.0.next(), lines.1.next());
        }
        let text = |line: Option<&str>| line.unwrap_or_default().to_owned();
        Ok(Difference { scenario: shortest.to_string(), expected: text(expected), found: text(found) })
    }
}

/// Checks a host of workflows on tickets of the same store, whose ids `mia` and `max` must be free: number, sentence and
/// verdict of each promise.
pub async fn check_workflow_host(
    host: Arc<dyn WorkflowHost>,
    tickets: &Tickets,
) -> Vec<(&'static str, &'static str, Verdict)> {
    let mut verdicts = Vec::new();
    for ((number, sentence), check) in WORKFLOW_PROMISES.iter().zip(workflows::CHECKS) {
        // A check that fails panics: in a task that is its verdict.
        let checked = tokio::spawn(check(Arc::clone(&host), tickets.clone())).await;
        let verdict = match checked {
            Ok(()) => Verdict::Kept,
            Err(error) => Verdict::Broken(panic_message(error)),
        };
        verdicts.push((*number, *sentence, verdict));
    }
    verdicts
}

/// Runs a scenario. If it ends with a panic or an error, that is the last line.
async fn transcript(fixture: Fixture, scenario: Scenario) -> String {
    let run = tokio::spawn(async move {
        let mut native = NativeHost::new(fixture, &scenario.header.settings).await?;
        run_scenario(&scenario, &mut native).await
    });
    match run.await {
        Ok(Ok(transcript)) => transcript.text().to_owned(),
        Ok(Err(error)) => format!("{error}\n"),
        Err(failed) => format!("{}\n", panic_message(failed)),
    }
}

/// The message of a check that panicked.
fn panic_message(failed: tokio::task::JoinError) -> String {
    let Ok(payload) = failed.try_into_panic() else { return "the check was cancelled".into() };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            payload.downcast::<&str>().map_or_else(|_| "the check failed".into(), |text| (*text).to_owned())
        }
    }
}

fn unclean(error: BoxError) -> Error {
    Error::new(Kind::Unavailable, format!("cannot remove the entries of a check: {error}"))
}
