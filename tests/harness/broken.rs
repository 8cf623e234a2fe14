//! Stores that break one rule, to test that checks and transcripts show it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ticket_conformance::{RawClient, TestBackend};
use ticket_host::clock::ManualClock;
use ticket_host::store::{
    Condition, Entry, Error, Fields, Freshness, Health, Key, Namespace, Outcome, Page, Revision, SharedStore, Store,
};

/// Shortest time to live that a store accepts, in milliseconds.
const TTL_MS_MIN: u64 = 1_000;

/// A rule to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A change of an entry does not move its deadline.
    TtlNotRefreshed,
    /// A write keeps the fields that it does not name.
    MergeInsteadOfReplace,
    /// A change of an entry keeps its revision.
    RevisionNotRaised,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::TtlNotRefreshed, Self::MergeInsteadOfReplace, Self::RevisionNotRaised];

    /// The rule of `--break RULE` at the beginning of arguments, if given, and the rest.
    ///
    /// # Errors
    /// For an unknown rule.
    pub fn parse_option(arguments: &[String]) -> Result<(Option<Self>, &[String]), String> {
        let [option, name, rest @ ..] = arguments else { return Ok((None, arguments)) };
        if option != "--break" {
            return Ok((None, arguments));
        }
        let rule = Self::ALL.into_iter().find(|rule| rule.name() == name);
        Ok((Some(rule.ok_or_else(|| format!("unknown rule `{name}`"))?), rest))
    }

    /// Its name on the command line of a host.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TtlNotRefreshed => "ttl-not-refreshed",
            Self::MergeInsteadOfReplace => "merge-instead-of-replace",
            Self::RevisionNotRaised => "revision-not-raised",
        }
    }
}

/// A backend whose stores break a rule.
#[derive(Debug)]
pub struct BrokenBackend {
    inner: Arc<dyn TestBackend>,
    rule: Rule,
    /// Only stores of namespaces that contain this text break it.
    part: &'static str,
    /// Replaced revisions, shared by all handles of the backend.
    revisions: Arc<Mutex<Revisions>>,
}

/// By name in the store: the revision shown, and the real one.
type Revisions = HashMap<String, (Revision, Revision)>;

impl BrokenBackend {
    /// Wraps a backend.
    #[must_use]
    pub fn new(inner: Arc<dyn TestBackend>, rule: Rule) -> Self {
        Self::only_in(inner, rule, "")
    }

    /// Wraps a backend; only stores of namespaces that contain `part` break the rule.
    #[must_use]
    pub fn only_in(inner: Arc<dyn TestBackend>, rule: Rule, part: &'static str) -> Self {
        Self { inner, rule, part, revisions: Arc::default() }
    }
}

#[async_trait]
impl TestBackend for BrokenBackend {
    async fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        let inner = self.inner.open(namespace).await?;
        let space = namespace.map(|namespace| namespace.as_str().to_owned()).unwrap_or_default();
        if !space.contains(self.part) {
            return Ok(inner);
        }
        let (rule, revisions) = (self.rule, Arc::clone(&self.revisions));
        Ok(Arc::new(Broken { inner, rule, revisions, space, clock: self.inner.clock().cloned() }))
    }

    fn clock(&self) -> Option<&ManualClock> {
        self.inner.clock()
    }

    fn is_private(&self) -> bool {
        self.inner.is_private()
    }

    fn raw_client(&self) -> Option<&dyn RawClient> {
        self.inner.raw_client()
    }
}

/// A store that breaks a rule.
#[derive(Debug)]
struct Broken {
    inner: SharedStore,
    rule: Rule,
    revisions: Arc<Mutex<Revisions>>,
    space: String,
    clock: Option<ManualClock>,
}

impl Broken {
    fn revisions(&self) -> std::sync::MutexGuard<'_, Revisions> {
        self.revisions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, key: &Key) -> String {
        format!("{}:{key}", self.space)
    }

    /// An entry with the revision to show.
    fn shown(&self, key: &Key, entry: Entry) -> Entry {
        match self.revisions().get(&self.name(key)) {
            Some((shown, real)) if *real == entry.revision => Entry { revision: shown.clone(), ..entry },
            _ => entry,
        }
    }

    /// A condition with the real revision.
    fn real_condition(&self, key: &Key, when: &Condition) -> Condition {
        match (when, self.revisions().get(&self.name(key))) {
            (Condition::At(at), Some((shown, real))) if at == shown => Condition::At(real.clone()),
            _ => when.clone(),
        }
    }

    /// The time to live of a change.
    fn ttl_ms(&self, ttl_ms: u64, before: Option<&Entry>) -> u64 {
        use ticket_host::clock::{Clock, SystemClock};
        let now_ms = self.clock.as_ref().map_or_else(|| SystemClock.now_ms(), Clock::now_ms);
        match before {
            Some(entry) if self.rule == Rule::TtlNotRefreshed => {
                entry.expires_at_ms.saturating_sub(now_ms).max(TTL_MS_MIN)
            }
            _ => ttl_ms,
        }
    }

    async fn before(&self, key: &Key) -> Option<Entry> {
        self.inner.read(key, Freshness::Latest).await.ok().flatten()
    }

    /// The outcome to show.
    fn outcome(&self, key: &Key, before: Option<Entry>, outcome: Outcome) -> Outcome {
        match (outcome, before) {
            (Outcome::Written { revision, expires_at_ms }, Some(before)) if self.rule == Rule::RevisionNotRaised => {
                let shown = self.shown(key, before).revision;
                self.revisions().insert(self.name(key), (shown.clone(), revision));
                Outcome::Written { revision: shown, expires_at_ms }
            }
            (Outcome::Refused(entry), _) => Outcome::Refused(entry.map(|entry| self.shown(key, entry))),
            (outcome, _) => outcome,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.inner, self.rule.name())
    }
}

#[async_trait]
impl Store for Broken {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        Ok(self.inner.read(key, freshness).await?.map(|entry| self.shown(key, entry)))
    }

    async fn write(&self, key: &Key, mut fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        let before = self.before(key).await;
        if let (Rule::MergeInsteadOfReplace, Some(before)) = (self.rule, &before) {
            let kept = before.fields.iter().filter(|(name, _)| !fields.iter().any(|(given, _)| given == name));
            fields.extend(kept.cloned().collect::<Vec<_>>());
        }
        let ttl_ms = self.ttl_ms(ttl_ms, before.as_ref());
        let outcome = self.inner.write(key, fields, ttl_ms, &self.real_condition(key, when)).await?;
        Ok(self.outcome(key, before, outcome))
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        let before = self.before(key).await;
        let outcome = self.inner.touch(key, self.ttl_ms(ttl_ms, before.as_ref())).await?;
        Ok(self.outcome(key, before, outcome))
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let outcome = self.inner.remove(key, &self.real_condition(key, when)).await?;
        Ok(self.outcome(key, None, outcome))
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        self.inner.scan(cursor, limit).await
    }

    async fn health(&self) -> Result<Health, Error> {
        self.inner.health().await
    }
}
