//! Runs every check on a ground, each on an empty store, and says what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::backend::{BoxError, TestBackend};
use super::fixture::Fixture;
use super::native::Native;
use super::promise::Promise;
use super::promises::promises;
use super::scenario::Scenario;
use super::scenario_host::run_scenario;
use super::{backends, random};
use ticket_host::store::{Error, Kind};
use ticket_store::clock::ManualClock;

/// Random scenarios that are compared.
const SCENARIOS: u32 = 100;
/// How often a scenario that shows a difference is played again before that counts.
const PLAYS_MORE: u32 = 4;
/// The same of a shorter one.
const PLAYS_SHORTER: u32 = 2;
/// Most attempts to make a scenario shorter that shows a difference.
const SHORTENINGS_MAX: u32 = 200;

/// What is checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Random scenarios that are played on the store and on memory; 100 unless set.
    pub scenarios: u32,
    /// What the random numbers come from; the same seed gives the same scenarios.
    pub seed: u64,
    /// The numbers of the promises that are checked; all where it is empty.
    pub only: Vec<String>,
    /// What namespaces begin with, before `conform-` and a number that nobody else has; nothing unless set.
    pub namespace: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { scenarios: SCENARIOS, seed: fastrand::u64(..), only: Vec::new(), namespace: String::new() }
    }
}

/// What came of all checks.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Of each promise, in the order of the contracts.
    pub promises: Vec<Checked>,
    /// Of the random scenarios.
    pub comparison: Comparison,
}

/// What came of the check of one promise.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its number: `P7`, `E3`.
    pub promise: String,
    /// What it says.
    pub sentence: &'static str,
    /// Whether it is kept.
    pub verdict: Verdict,
}

/// Whether a promise is kept.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Kept,
    /// It is not, and this was seen instead.
    Broken(String),
    /// It could not be checked, for this reason.
    NotChecked(&'static str),
}

/// What came of the random scenarios.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// What gives the same scenarios again.
    pub seed: u64,
    /// Scenarios that were played on the store and on memory.
    pub scenarios: u32,
    /// Answers that were compared.
    pub answers: usize,
    /// Of the scenarios, those that differed at first and not when they were played again.
    pub unrepeated: u32,
    /// The first difference that showed every time; none where there was none.
    pub difference: Option<Difference>,
}

/// A scenario in which a store and memory differ.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The fewest steps that were found to show it, as a file.
    pub scenario: String,
    /// The first line in which the transcripts differ, as memory has it; empty where it has none.
    pub expected: String,
    /// And as the store has it.
    pub found: String,
}

impl Report {
    /// Whether every promise that was checked is kept, and every answer equal.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.broken() == 0
    }

    /// How many promises are broken; a difference counts as one.
    #[must_use]
    pub fn broken(&self) -> usize {
        let broken = self.promises.iter().filter(|checked| matches!(checked.verdict, Verdict::Broken(_)));
        broken.count() + usize::from(self.comparison.difference.is_some())
    }
}

/// Runs the checks, one after the other, in namespaces of their own, which are cleaned.
///
/// # Errors
/// Where the store cannot be opened or cleaned. A store that breaks a promise is no error.
pub async fn run(backend: Arc<dyn TestBackend>, options: &Options) -> Result<Report, Error> {
    let place = ReplicaStorage {
        base: format!("{}conform-{:08x}", options.namespace, fastrand::u32(..)),
        backend,
        seed: options.seed,
        plays: AtomicU64::new(0),
    };
    let mut checked = Vec::new();
    for promise in promises() {
        if options.only.is_empty() || options.only.contains(&promise.number()) {
            let verdict = place.check(&promise).await?;
            checked.push(Checked { promise: promise.number(), sentence: promise.sentence(), verdict });
        }
    }
    let comparison = place.compare(options.scenarios).await?;
    Ok(Report { promises: checked, comparison })
}

/// A ground and the names that are used there.
struct ReplicaStorage {
    backend: Arc<dyn TestBackend>,
    base: String,
    seed: u64,
    plays: AtomicU64,
}

impl ReplicaStorage {
    async fn fixture(&self, of: &str) -> Result<Fixture, Error> {
        Fixture::new(Arc::clone(&self.backend), &format!("{}-{of}-", self.base), self.seed).await
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
            Err(ended) => Verdict::Broken(said(ended)),
        })
    }

    /// Plays random scenarios here and in memory until one differs.
    async fn compare(&self, scenarios: u32) -> Result<Comparison, Error> {
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut comparison = Comparison { seed: self.seed, scenarios: 0, answers: 0, unrepeated: 0, difference: None };
        for _ in 0..scenarios {
            let scenario = random::scenario(&mut rng);
            let (expected, found) = self.play_both(&scenario).await?;
            comparison.scenarios += 1;
            comparison.answers += expected.lines().count();
            if expected == found {
                continue;
            }
            if let Some(both) = self.difference(&scenario, PLAYS_MORE).await? {
                comparison.difference = Some(self.shorten(scenario, both).await?);
                break;
            }
            comparison.unrepeated += 1;
        }
        Ok(comparison)
    }

    /// The transcripts of a scenario in memory and here. What ends the play here is the last line.
    async fn play_both(&self, scenario: &Scenario) -> Result<(String, String), Error> {
        let memory: Arc<dyn TestBackend> = Arc::new(backends::memory(&ManualClock::at(0)));
        let expected = transcript(Fixture::new(memory, "memory-", self.seed).await?, scenario.clone()).await;
        // Each on an empty store, also where nothing can be cleaned.
        let here = format!("r{}", self.plays.fetch_add(1, Ordering::Relaxed));
        let found = transcript(self.fixture(&here).await?, scenario.clone()).await;
        self.fixture(&here).await?.clean().await.map_err(unclean)?;
        Ok((expected, found))
    }

    /// The last of some plays where all differ. A state has the revision of one of a former life once in some hundred
    /// times, in memory too: what is no chance shows every time.
    async fn difference(&self, scenario: &Scenario, plays: u32) -> Result<Option<(String, String)>, Error> {
        let mut shown = None;
        for _ in 0..plays {
            let both = self.play_both(scenario).await?;
            if both.0 == both.1 {
                return Ok(None);
            }
            shown = Some(both);
        }
        Ok(shown)
    }

    /// Leaves steps out as long as there is a difference.
    async fn shorten(&self, scenario: Scenario, shown: (String, String)) -> Result<Difference, Error> {
        let (mut shortest, mut shown) = (scenario, shown);
        let (mut attempts, mut index) = (0, shortest.steps.len());
        while index > 0 && attempts < SHORTENINGS_MAX {
            (attempts, index) = (attempts + 1, index - 1);
            let mut shorter = shortest.clone();
            shorter.steps.remove(index);
            if let Some(both) = self.difference(&shorter, PLAYS_SHORTER).await? {
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

/// Plays a scenario; a panic or a trouble in it is its last line.
async fn transcript(fixture: Fixture, scenario: Scenario) -> String {
    let played = tokio::spawn(async move {
        let mut native = Native::new(fixture, &scenario.header.settings).await?;
        run_scenario(&scenario, &mut native).await
    });
    match played.await {
        Ok(Ok(transcript)) => transcript.text().to_owned(),
        Ok(Err(trouble)) => format!("{trouble}\n"),
        Err(ended) => format!("{}\n", said(ended)),
    }
}

/// What a check said when it failed.
fn said(ended: tokio::task::JoinError) -> String {
    let Ok(payload) = ended.try_into_panic() else { return "the check was cancelled".into() };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            payload.downcast::<&str>().map_or_else(|_| "the check failed".into(), |text| (*text).to_owned())
        }
    }
}

fn unclean(trouble: BoxError) -> Error {
    Error::new(Kind::Unavailable, format!("what a check left in the store cannot be removed: {trouble}"))
}
