//! The contract of a store: where each call goes, and what follows from its answer.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::outage::Outage;
use super::replica::Known;
use super::send::ChangeRequest;
use super::store::FallbackStore;
use ticket_store::check_ttl;
use ticket_store::operation;
use ticket_store::{Cause, Condition, Entry, Error, Failure, Fields, Finding, Freshness, Health, Key};
use ticket_store::{Outcome, Page, Severity, Store, check_fields, check_limit};

/// First character of a cursor: who gave it.
const OF_PRIMARY: char = 'p';
const OF_FALLBACK: char = 'f';

#[async_trait]
impl Store for FallbackStore {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        let (link, copies) = (&self.inner.link, &self.inner.copies);
        let now_ms = link.now_ms();
        let known = copies.get(key, now_ms).await?;
        if let Some(Known { record, .. }) = &known {
            let is_pending = record.pending.is_some();
            if is_pending {
                operation::served_by_fallback();
            }
            let copy = record.alive(now_ms);
            // Absence is never answered from a copy while the primary can be asked.
            let may_be_recent = self.inner.feeds_changes && freshness == Freshness::Recent;
            if is_pending || (may_be_recent && copy.is_some() && link.is_up()) {
                return Ok(copy.cloned());
            }
        }
        let Some(route) = link.route() else { return self.read_replica(known, now_ms) };
        let answer = link.primary.read(key, route.until).await;
        link.report_call(route, answer.as_ref().err());
        match answer {
            Ok(current) => {
                copies.after_read(key, known.map(|known| known.stamp), current.clone()).await;
                Ok(current)
            }
            Err(Failure { error, cause: Cause::Data }) => {
                copies.forget(key).await;
                Err(error)
            }
            Err(_) => self.read_replica(known, now_ms),
        }
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        self.inner.changes.change(key, ChangeRequest::Write { fields: fields.into(), ttl_ms }, when).await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        match self.inner.changes.change(key, ChangeRequest::Touch { ttl_ms }, &Condition::Present).await? {
            Outcome::Refused(_) => Ok(Outcome::Refused(None)),
            outcome => Ok(outcome),
        }
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        self.inner.changes.change(key, ChangeRequest::Remove, when).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let keys_max = check_limit(limit)?;
        let link = &self.inner.link;
        let cursor = Cursor::parse(cursor)?;
        let Some(route) = link.route() else { return self.page_of_replica(&cursor, keys_max).await };
        // A listing that began in the replica starts again in the primary; it may repeat keys.
        let from = if let Cursor::Primary(from) = &cursor { Some(from.as_str()) } else { None };
        let answer = link.primary.scan(from, limit, route.until).await;
        link.report_call(route, answer.as_ref().err());
        match answer {
            Ok(page) => Ok(self.with_pending(page, from.is_none()).await),
            Err(Failure { error, cause: Cause::Data }) => Err(error),
            Err(_) => self.page_of_replica(&cursor, keys_max).await,
        }
    }

    async fn health(&self) -> Result<Health, Error> {
        let (link, copies) = (&self.inner.link, &self.inner.copies);
        let status = self.status().await?;
        let branches = copies.branches.count().await?;
        let mut facts = vec![
            ("fallback", copies.replica.to_string()),
            ("breaker", if status.primary_is_up { "closed" } else { "open" }.to_owned()),
            ("primary", word(status.outage.as_ref()).to_owned()),
            ("unsaved_tickets", status.pending.to_string()),
            ("branches", branches.to_string()),
        ];
        facts.extend(status.last_error.clone().map(|error| ("last_error", error)));
        facts.extend(status.last_sync.map(|last| ("last_reconciliation", last.describe(link.now_ms()))));
        let mut findings = Vec::new();
        if let Some(outage) = &status.outage {
            findings.push(Finding { severity: Severity::Problem, text: of_outage(outage) });
        }
        if status.primary_is_up || link.may_probe() {
            match link.primary.health().await {
                Ok(health) => {
                    facts.splice(0..0, health.facts);
                    findings.extend(health.findings);
                }
                Err(error) if status.primary_is_up => return Err(error),
                // Why it is down is reported above.
                Err(_) => {}
            }
        }
        if branches > 0 {
            let count = if branches == 1 { "1 branch is".into() } else { format!("{branches} branches are") };
            let text = format!("{count} kept for review: see `ticket branches list`");
            findings.push(Finding { severity: Severity::Warning, text });
        }
        Ok(Health { facts, findings })
    }
}

/// The state of the primary in one word.
fn word(outage: Option<&Outage>) -> &'static str {
    match outage {
        None => "up",
        Some(Outage::Down { .. }) => "down",
        Some(Outage::Misconfigured { .. }) => "misconfigured",
    }
}

/// An outage for an operator: what to do comes before the error.
fn of_outage(outage: &Outage) -> String {
    match outage {
        Outage::Down { error } => {
            format!("the store is down and its fallback serves: {error}; it is used again once it answers")
        }
        Outage::Misconfigured { misconfiguration, error } => {
            let remedy = misconfiguration.remedy("the store URL");
            format!("the store {misconfiguration}: {remedy}; its fallback serves until then ({error})")
        }
    }
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
            Some(OF_FALLBACK) => {
                let key = Key::parse(chars.as_str()).map_err(|_| Error::invalid_cursor(text))?;
                Ok(Self::Fallback(key))
            }
            _ => Err(Error::invalid_cursor(text)),
        }
    }
}

impl FallbackStore {
    fn read_replica(&self, known: Option<Known>, now_ms: u64) -> Result<Option<Entry>, Error> {
        operation::served_by_fallback();
        match known {
            Some(known) => Ok(known.record.alive(now_ms).cloned()),
            None => Err(self.inner.link.unavailable()),
        }
    }

    async fn page_of_replica(&self, cursor: &Cursor, keys_max: usize) -> Result<Page, Error> {
        operation::served_by_fallback();
        let from = if let Cursor::Fallback(from) = cursor { Some(from) } else { None };
        let (keys, more) = self.inner.copies.replica.page(from, keys_max, self.inner.link.now_ms()).await?;
        let cursor = keys.last().filter(|_| more).map(|last| format!("{OF_FALLBACK}{last}"));
        Ok(Page { keys, cursor })
    }

    /// A page of the primary without what was closed here; the first also has what was created here.
    async fn with_pending(&self, page: Page, is_first: bool) -> Page {
        let (Page { mut keys, cursor }, copies) = (page, &self.inner.copies);
        let pending = copies.replica.pending_alive(self.inner.link.now_ms()).await.unwrap_or_else(|error| {
            copies.failed(&error);
            Vec::new()
        });
        let mut pending: BTreeMap<Key, bool> = pending.into_iter().collect();
        keys.retain(|key| pending.remove(key) != Some(false));
        if is_first {
            keys.extend(pending.into_iter().filter_map(|(key, alive)| alive.then_some(key)));
        }
        Page { keys, cursor: cursor.map(|cursor| format!("{OF_PRIMARY}{cursor}")) }
    }
}
