//! A primary in memory that can be down, refuse calls, and lose answers.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use fastrand::Rng;
use ticket_host::clock::{Clock, ManualClock};
use ticket_host::store::{
    Answer, Cause, Condition, DatasetId, Entry, Error, Evictions, Expiry, Failure, Fields, HandshakeError, Health, Key,
    Kind, Misconfiguration, Page, Primary, Revision, WriteRequest,
};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How a primary behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    /// It answers everything.
    Up,
    /// It was never up.
    Down,
    /// It refuses some calls, loses connections, and loses answers.
    Flapping,
    /// It makes every change and never answers.
    Silent,
    /// It refuses the login.
    Locked,
}

/// Entries in memory, behind a connection that can be lost.
pub struct Flaky {
    inner: Mutex<Inner>,
    clock: ManualClock,
    ended: Notify,
}

struct Inner {
    entries: BTreeMap<Key, (Fields, u64)>,
    behavior: Behavior,
    linked: bool,
    losses: u32,
    evicted: u64,
    rng: Rng,
}

/// The result of one call.
enum Fate {
    Answered,
    Refused(Cause),
    Unanswered(Cause),
}

impl Flaky {
    /// An empty primary with random numbers of its own.
    #[must_use]
    pub fn new(behavior: Behavior, clock: ManualClock, rng: Rng) -> Arc<Self> {
        let inner = Inner { entries: BTreeMap::new(), behavior, linked: false, losses: 0, evicted: 0, rng };
        Arc::new(Self { inner: Mutex::new(inner), clock, ended: Notify::new() })
    }

    /// Changes how it behaves.
    pub fn set_behavior(&self, behavior: Behavior) {
        self.inner().behavior = behavior;
    }

    /// Loses its connection and all entries, as a server without persistence that restarts.
    pub fn lose_data(&self) {
        let mut inner = self.inner();
        inner.entries.clear();
        inner.losses += 1;
        self.lose(&mut inner, Cause::Link);
    }

    /// Evicts entries of other clients.
    pub fn evict(&self, entries: u64) {
        self.inner().evicted += entries;
    }

    /// The entry under a key.
    #[must_use]
    pub fn entry(&self, key: &Key) -> Option<Entry> {
        self.inner().entry(key, self.clock.now_ms())
    }

    /// Writes an entry as another host does.
    pub fn put(&self, key: &Key, entry: Entry) {
        self.inner().entries.insert(key.clone(), entry.into());
    }

    /// Removes an entry as another host does.
    pub fn delete(&self, key: &Key) {
        self.inner().entries.remove(key);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `make` on the entries, as the drawn fate of the call allows.
    fn call<T>(&self, changes: bool, make: impl FnOnce(&mut Inner, u64) -> T) -> Result<T, Failure> {
        let now_ms = self.clock.now_ms();
        let mut inner = self.inner();
        let failure = |kind, cause| Failure { error: Error::new(kind, "the primary is flaky"), cause };
        match inner.fate() {
            Fate::Answered => Ok(make(&mut inner, now_ms)),
            Fate::Refused(cause) => {
                self.lose(&mut inner, cause);
                Err(failure(Kind::Unavailable, cause))
            }
            Fate::Unanswered(cause) => {
                if inner.behavior == Behavior::Silent || inner.rng.bool() {
                    make(&mut inner, now_ms);
                }
                self.lose(&mut inner, cause);
                Err(failure(if changes { Kind::Uncertain } else { Kind::Unavailable }, cause))
            }
        }
    }

    fn lose(&self, inner: &mut Inner, cause: Cause) {
        if cause == Cause::Link {
            inner.linked = false;
            self.ended.notify_waiters();
        }
    }
}

impl Inner {
    fn fate(&mut self) -> Fate {
        if !self.linked || matches!(self.behavior, Behavior::Down | Behavior::Locked) {
            return Fate::Refused(Cause::Link);
        }
        match self.behavior {
            Behavior::Up => return Fate::Answered,
            Behavior::Silent => return Fate::Unanswered(Cause::Time),
            Behavior::Flapping | Behavior::Down | Behavior::Locked => {}
        }
        match self.rng.u32(0..100) {
            0..6 => Fate::Refused(Cause::Refused),
            6..8 => Fate::Refused(Cause::Link),
            8..14 => Fate::Unanswered(Cause::Time),
            14..18 => Fate::Unanswered(Cause::Link),
            _ => Fate::Answered,
        }
    }

    fn entry(&self, key: &Key, now_ms: u64) -> Option<Entry> {
        let (fields, expires_at_ms) = self.entries.get(key)?;
        (*expires_at_ms == 0 || now_ms <= *expires_at_ms).then(|| Entry::from((fields.clone(), *expires_at_ms)))
    }

    /// The refusal if the condition does not hold.
    fn check(&self, key: &Key, when: &Condition, now_ms: u64) -> Result<(), Answer> {
        let current = self.entry(key, now_ms);
        let holds = match when {
            Condition::Absent => current.is_none(),
            Condition::Present => current.is_some(),
            Condition::At(revision) => current.as_ref().is_some_and(|entry| entry.revision == *revision),
        };
        if holds { Ok(()) } else { Err(Answer::Refused(current)) }
    }

    fn write(&mut self, request: WriteRequest<'_>, now_ms: u64) -> Answer {
        let WriteRequest { key, fields, expiry, condition: when, repeated, .. } = request;
        let expires_at_ms = expiry.expires_at_ms;
        let wanted = Entry::from((fields.clone(), expires_at_ms));
        let written = Answer::Written { revision: wanted.revision.clone(), expires_at_ms, now_ms };
        let same = |current: &Entry| {
            let sorted = |fields: &Fields| fields.iter().cloned().collect::<BTreeMap<_, _>>();
            current.expires_at_ms == expires_at_ms && sorted(&current.fields) == sorted(fields)
        };
        if repeated && self.entry(key, now_ms).is_some_and(|current| same(&current)) {
            return written;
        }
        if let Err(refused) = self.check(key, when, now_ms) {
            return refused;
        }
        if expires_at_ms <= now_ms {
            return Answer::Clock(now_ms);
        }
        self.entries.insert(key.clone(), wanted.into());
        written
    }

    fn touch(&mut self, key: &Key, expires_at_ms: u64, from: Option<&Revision>, now_ms: u64) -> Answer {
        let Some(current) = self.entry(key, now_ms) else { return Answer::Refused(None) };
        if from.is_some_and(|from| *from != current.revision) {
            return Answer::Refused(Some(current));
        }
        let touched = Entry::from((current.into_fields(), expires_at_ms));
        let answer = Answer::Written { revision: touched.revision.clone(), expires_at_ms, now_ms };
        self.entries.insert(key.clone(), touched.into());
        answer
    }

    fn remove(&mut self, key: &Key, when: &Condition, repeated: bool, now_ms: u64) -> Answer {
        if self.entry(key, now_ms).is_none() && repeated {
            return Answer::Removed;
        }
        if let Err(refused) = self.check(key, when, now_ms) {
            return refused;
        }
        self.entries.remove(key);
        Answer::Removed
    }
}

impl fmt::Debug for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flaky")
    }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flaky:")
    }
}

#[async_trait]
impl Primary for Flaky {
    fn identity(&self) -> String {
        "flaky".into()
    }

    fn now_ms(&self) -> Option<u64> {
        Some(self.clock.now_ms())
    }

    async fn handshake(&self) -> Result<DatasetId, HandshakeError> {
        let mut inner = self.inner();
        let luck = inner.rng.u32(0..4) > 0;
        match inner.behavior {
            Behavior::Up | Behavior::Silent => {}
            Behavior::Flapping if luck => {}
            Behavior::Flapping | Behavior::Down => {
                let error = Error::new(Kind::Unavailable, "the primary is flaky");
                return Err(HandshakeError { error, is_incompatible: false });
            }
            Behavior::Locked => {
                let error = Error::new(Kind::Denied, "the primary is locked");
                let login = Misconfiguration::Login { user: "app".into() };
                return Err(HandshakeError { error: error.with_misconfiguration(login), is_incompatible: false });
            }
        }
        inner.linked = true;
        inner.evicted = 0;
        Ok(DatasetId(Some(format!("after {} losses", inner.losses))))
    }

    fn disconnect(&self) {
        self.lose(&mut self.inner(), Cause::Link);
    }

    async fn disconnected(&self) {
        let ended = self.ended.notified();
        if self.inner().linked {
            ended.await;
        }
    }

    async fn ping(&self, _until: Instant) -> Result<(), Failure> {
        self.call(false, |_, _| ())
    }

    async fn read(&self, key: &Key, _until: Instant) -> Result<Option<Entry>, Failure> {
        self.call(false, |inner, now_ms| inner.entry(key, now_ms))
    }

    async fn write(&self, request: WriteRequest<'_>, _until: Instant) -> Result<Answer, Failure> {
        self.call(true, |inner, now_ms| inner.write(request, now_ms))
    }

    async fn touch(
        &self,
        key: &Key,
        expiry: Expiry,
        from: Option<&Revision>,
        _until: Instant,
    ) -> Result<Answer, Failure> {
        self.call(true, |inner, now_ms| inner.touch(key, expiry.expires_at_ms, from, now_ms))
    }

    async fn remove(&self, key: &Key, when: &Condition, repeated: bool, _until: Instant) -> Result<Answer, Failure> {
        self.call(true, |inner, now_ms| inner.remove(key, when, repeated, now_ms))
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32, _until: Instant) -> Result<Page, Failure> {
        let from = match cursor.map(Key::parse).transpose() {
            Ok(from) => from.map_or(Bound::Unbounded, Bound::Excluded),
            Err(error) => return Err(Failure { error, cause: Cause::Data }),
        };
        self.call(false, |inner, now_ms| {
            let limit = limit as usize;
            let alive = inner.entries.range((from, Bound::Unbounded)).map(|(key, _)| key);
            let mut keys: Vec<Key> = alive.filter(|key| inner.entry(key, now_ms).is_some()).cloned().collect();
            let more = keys.len() > limit;
            keys.truncate(limit);
            let cursor = keys.last().filter(|_| more).map(Key::to_string);
            Page { keys, cursor }
        })
    }

    async fn health(&self) -> Result<Health, Error> {
        Ok(Health { facts: Vec::new(), findings: Vec::new() })
    }

    async fn evictions(&self, _until: Instant) -> Result<Option<Evictions>, Error> {
        let evicted = self.call(false, |inner, _| inner.evicted).map_err(|failure| failure.error)?;
        Ok(Some(Evictions { entries: evicted, policy: "allkeys-lru".into() }))
    }
}
