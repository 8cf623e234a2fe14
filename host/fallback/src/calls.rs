//! The fallback's side of the store contract: where each call goes, and what follows from its answer.

use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::changes::ChangeRequest;
use super::record::Record;
use super::replica::{self, Known, RecordUpdate};
use super::{FallbackStore, Inner};
use ticket_store::Key;
use ticket_store::deadline::check_ttl;
use ticket_store::operation;
use ticket_store::{Cause, Failure};
use ticket_store::{Condition, Entry, Fields, Freshness, Outcome, Page, check_fields};
use ticket_store::{Error, Kind};
use ticket_store::{Finding, Health, Severity};
use ticket_store::{Store, check_limit};

/// What the cursor of a page begins with that the primary gave, and one that the fallback gave.
const OF_PRIMARY: char = 'p';
const OF_FALLBACK: char = 'f';
/// How long an answer waits until it is noted where the time of the operation is up.
const NOTE_TIME: Duration = Duration::from_millis(10);
/// Pause between two looks at the health of a primary that is away: with the supervisor's attempts still less than two
/// connections a second.
const PROBE_PAUSE: Duration = Duration::from_secs(5);

#[async_trait]
impl Store for FallbackStore {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        let inner = &self.inner;
        let now_ms = inner.now_ms();
        let known = inner.known(key, now_ms).await?;
        if let Some(Known { record, .. }) = &known {
            let pending = record.pending.is_some();
            if pending {
                operation::served_by_fallback();
            }
            let copy = record.alive(now_ms);
            // That there is nothing is never said from a copy while the primary can be asked.
            let may = inner.recent && freshness == Freshness::Recent;
            let suffices = may && copy.is_some() && inner.link().is_some();
            if pending || suffices {
                return Ok(copy.cloned());
            }
        }
        let Some(route) = inner.route() else { return inner.read_replica(known, now_ms) };
        let answer = inner.primary.read(key, route.until).await;
        inner.report_call(route, answer.as_ref().err());
        match answer {
            Ok(shown) => {
                inner.heard(key, known.map(|known| known.stamp), shown.clone()).await;
                Ok(shown)
            }
            Err(Failure { error, cause: Cause::Data }) => {
                inner.forget(key).await;
                Err(error)
            }
            Err(_) => inner.read_replica(known, now_ms),
        }
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        self.inner.change(key, ChangeRequest::Write { fields: fields.into(), ttl_ms }, when).await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        match self.inner.change(key, ChangeRequest::Touch { ttl_ms }, &Condition::Present).await? {
            Outcome::Refused(_) => Ok(Outcome::Refused(None)),
            outcome => Ok(outcome),
        }
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        self.inner.change(key, ChangeRequest::Remove, when).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let keys_max = check_limit(limit)?;
        let inner = &self.inner;
        let cursor = Cursor::parse(cursor)?;
        let Some(route) = inner.route() else { return inner.page_of_replica(&cursor, keys_max).await };
        // A listing that began on the other side begins anew here; it may repeat keys.
        let from = if let Cursor::Primary(from) = &cursor { Some(from.as_str()) } else { None };
        let answer = inner.primary.scan(from, limit, route.until).await;
        inner.report_call(route, answer.as_ref().err());
        match answer {
            Ok(page) => Ok(inner.with_pending(page, from.is_none()).await),
            Err(Failure { error, cause: Cause::Data }) => Err(error),
            Err(_) => inner.page_of_replica(&cursor, keys_max).await,
        }
    }

    async fn health(&self) -> Result<Health, Error> {
        let status = self.status().await?;
        let branches = self.branches().count().await?;
        let mut facts = vec![
            ("fallback", self.inner.replica.to_string()),
            ("breaker", if status.primary_is_up { "closed" } else { "open" }.to_owned()),
            ("unsaved_tickets", status.pending.to_string()),
            ("branches", branches.to_string()),
        ];
        facts.extend(status.last_error.clone().map(|error| ("last_error", error)));
        let now_ms = self.inner.now_ms();
        facts.extend(status.last_sync.map(|last| ("last_reconciliation", last.describe(now_ms))));
        let mut findings = Vec::new();
        if !status.primary_is_up {
            let why = status.last_error.unwrap_or_default();
            let text =
                format!("the store is away and its fallback serves ({why}); mend that, and it is back by itself");
            findings.push(Finding { severity: Severity::Problem, text });
        }
        if status.primary_is_up || self.inner.may_probe() {
            match self.inner.primary.health().await {
                Ok(health) => {
                    facts.splice(0..0, health.facts);
                    findings.extend(health.findings);
                }
                Err(error) if status.primary_is_up => return Err(error),
                // Why it is away is said already.
                Err(_) => {}
            }
        }
        if branches > 0 {
            let waiting = if branches == 1 { "1 branch waits".into() } else { format!("{branches} branches wait") };
            let text = format!("{waiting} to be looked at: see `ticket branches list`");
            findings.push(Finding { severity: Severity::Warning, text });
        }
        Ok(Health { facts, findings })
    }
}

/// A way to the primary for one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    link: u64,
    pub(super) until: Instant,
    /// Whether there is time enough for an answer.
    is_fair: bool,
}

/// Where a page begins.
enum Cursor {
    Start,
    Primary(String),
    Fallback(Key),
}

impl Cursor {
    fn parse(text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text else { return Ok(Self::Start) };
        let mut chars = text.chars();
        match chars.next() {
            Some(OF_PRIMARY) => Ok(Self::Primary(chars.as_str().to_owned())),
            Some(OF_FALLBACK) => Ok(Self::Fallback(Key::parse(chars.as_str())?)),
            _ => Err(Error::invalid("cursor is none that a page of this store gave")),
        }
    }
}

impl Inner {
    /// The way to ask the primary; none where the fallback serves.
    pub(super) fn route(&self) -> Option<Route> {
        let link = self.link()?;
        let now = Instant::now();
        let until = (now + self.call_time).min(operation::until().unwrap_or(now + self.call_time));
        // An operation whose time is up goes on here.
        (until > now).then_some(Route { link, until, is_fair: until - now >= self.call_time / 2 })
    }

    /// Notes how a call on its way ended. One that had waited for other things first says nothing by its silence.
    pub(super) fn report_call(&self, route: Route, failure: Option<&Failure>) {
        match failure {
            Some(failure) if failure.cause == Cause::Time && !route.is_fair => {
                self.reporter.failed(&failure.error.chain());
            }
            failure => self.note(route.link, failure),
        }
    }

    /// Whether a primary that is away may be looked at by a connection for that alone: the supervisor tries it too.
    fn may_probe(&self) -> bool {
        let mut probed_at = self.probed_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = probed_at.is_none_or(|probed_at| probed_at.elapsed() >= PROBE_PAUSE);
        if may {
            *probed_at = Some(Instant::now());
        }
        may
    }

    /// What the fallback knows of an entry.
    fn read_replica(&self, known: Option<Known>, now_ms: u64) -> Result<Option<Entry>, Error> {
        operation::served_by_fallback();
        match known {
            Some(known) => Ok(known.record.alive(now_ms).cloned()),
            None => Err(self.down_error()),
        }
    }

    /// The record of a ticket. Where it cannot be read, nothing is known while the primary can be asked instead.
    pub(super) async fn known(&self, key: &Key, now_ms: u64) -> Result<Option<Known>, Error> {
        match self.replica.get(key, now_ms).await {
            Err(error) if self.link().is_some() => {
                self.replica_failed(&error);
                Ok(None)
            }
            known => known,
        }
    }

    /// A record could not be kept up to date, as where its disk is full. What the primary has answered holds all the
    /// same; in an outage this host would know an older state.
    pub(super) fn replica_failed(&self, error: &Error) {
        tracing::warn!(store = %self.primary, error = %error.chain(), "the fallback cannot keep up");
        self.reporter.failed(&error.chain());
    }

    /// Changes a record by what the primary has answered.
    pub(super) async fn update_replica(
        &self,
        key: &Key,
        step: impl FnOnce(Option<&Known>) -> (RecordUpdate, ()) + Send + 'static,
    ) {
        self.within_note_time(self.replica.update(key, self.now_ms(), step)).await;
    }

    /// Notes something that follows from an answer. It may go on after the time of the call, which it must not take.
    async fn within_note_time<T>(&self, noting: impl Future<Output = Result<T, Error>>) {
        let soon = Instant::now() + NOTE_TIME;
        let until = operation::until().map_or(soon, |until| until.max(soon));
        match timeout_at(until, noting).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.replica_failed(&error),
            Err(_) => self.replica_failed(&replica::late(Kind::Unavailable)),
        }
    }

    /// The primary has shown what it has. Not news where the record was changed since the question.
    pub(super) async fn heard(&self, key: &Key, stamp: Option<u64>, shown: Option<Entry>) {
        let now_ms = self.now_ms();
        let heard = move |known: Option<&Known>| {
            RecordUpdate::Put(Record::heard(known.map(|known| known.record.clone()), shown, now_ms))
        };
        self.within_note_time(self.replica.update_at(key, stamp, now_ms, heard)).await;
    }

    /// What is there cannot be read: nothing is known of it.
    pub(super) async fn forget(&self, key: &Key) {
        self.update_replica(key, |known| match known {
            Some(known) if known.record.pending.is_none() => (RecordUpdate::Forget, ()),
            Some(_) | None => (RecordUpdate::Keep, ()),
        })
        .await;
    }

    /// A page of what the fallback knows.
    async fn page_of_replica(&self, cursor: &Cursor, keys_max: usize) -> Result<Page, Error> {
        operation::served_by_fallback();
        let from = if let Cursor::Fallback(from) = cursor { Some(from) } else { None };
        let (keys, more) = self.replica.page(from, keys_max, self.now_ms()).await?;
        let cursor = keys.last().filter(|_| more).map(|last| format!("{OF_FALLBACK}{last}"));
        Ok(Page { keys, cursor })
    }

    /// A page of the primary without what was closed here, and the first with what was made here.
    async fn with_pending(&self, page: Page, first: bool) -> Page {
        let Page { mut keys, cursor } = page;
        let pending = self.replica.pending_alive(self.now_ms()).await.unwrap_or_else(|error| {
            self.replica_failed(&error);
            Vec::new()
        });
        for (key, alive) in pending {
            match (alive, keys.contains(&key)) {
                (true, false) if first => keys.push(key),
                (false, true) => keys.retain(|listed| *listed != key),
                (_, _) => {}
            }
        }
        Page { keys, cursor: cursor.map(|cursor| format!("{OF_PRIMARY}{cursor}")) }
    }

    /// The error where a change finds no record that its condition could be held against.
    pub(super) fn unknown(&self, failure: Option<Failure>) -> Error {
        match failure {
            Some(Failure { error, .. }) if error.kind() == Kind::Uncertain => error,
            Some(_) | None => self.down_error(),
        }
    }
}
