//! A store of one's own: the contract of a store in some sixty lines, over a map, and tickets in it.
//!
//! `cargo run --release --example own_store -p ticket-host`

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ticket_host::clock::{Clock, SystemClock};
use ticket_host::store::{Condition, Entry, Error, Fields, Freshness, Health, Key, Outcome, Page, Store};
use ticket_host::store::{check_fields, check_limit, check_ttl, deadline};
use ticket_host::{Change, Tickets};

/// Entries by key. One lock makes every call atomic.
#[derive(Debug, Default)]
struct MapStore(Mutex<BTreeMap<String, Entry>>);

impl MapStore {
    /// The entries that have not ended, and the time.
    fn entries(&self) -> (MutexGuard<'_, BTreeMap<String, Entry>>, u64) {
        let now_ms = SystemClock.now_ms();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| !deadline::is_over(entry.expires_at_ms, now_ms));
        (entries, now_ms)
    }

    /// Puts an entry in place of `current`. Its deadline, which is part of the revision, differs from the one before.
    fn put(entries: &mut BTreeMap<String, Entry>, key: &Key, fields: Fields, ttl_ms: u64, now_ms: u64) -> Outcome {
        let previous_ms = entries.get(key.as_str()).map_or(0, |entry| entry.expires_at_ms);
        let entry = Entry::new(fields, deadline::choose(now_ms, ttl_ms, previous_ms));
        let (revision, expires_at_ms) = (entry.revision.clone(), entry.expires_at_ms);
        entries.insert(key.to_string(), entry);
        Outcome::Written { revision, expires_at_ms }
    }
}

#[async_trait]
impl Store for MapStore {
    async fn read(&self, key: &Key, _freshness: Freshness) -> Result<Option<Entry>, Error> {
        Ok(self.entries().0.get(key.as_str()).cloned())
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        let (mut entries, now_ms) = self.entries();
        let current = entries.get(key.as_str());
        if !when.holds(current) {
            return Ok(Outcome::Refused(current.cloned()));
        }
        Ok(Self::put(&mut entries, key, fields, ttl_ms, now_ms))
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        let (mut entries, now_ms) = self.entries();
        match entries.get(key.as_str()).cloned() {
            Some(entry) => Ok(Self::put(&mut entries, key, entry.into_fields(), ttl_ms, now_ms)),
            None => Ok(Outcome::Refused(None)),
        }
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let mut entries = self.entries().0;
        let current = entries.get(key.as_str());
        if !when.holds(current) {
            return Ok(Outcome::Refused(current.cloned()));
        }
        entries.remove(key.as_str());
        Ok(Outcome::Removed)
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let limit = check_limit(limit)?;
        let after = cursor.unwrap_or_default().to_owned();
        let entries = self.entries().0;
        let names = entries.keys().filter(|name| **name > after).take(limit);
        let keys = names.map(|name| Key::parse(name)).collect::<Result<Vec<Key>, Error>>()?;
        let cursor = (keys.len() == limit).then(|| keys.last().map(ToString::to_string)).flatten();
        Ok(Page { keys, cursor })
    }

    async fn health(&self) -> Result<Health, Error> {
        Ok(Health { facts: vec![("entries", self.entries().0.len().to_string())], findings: vec![] })
    }
}

impl fmt::Display for MapStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("map:")
    }
}

#[tokio::main]
async fn main() -> Result<(), ticket_host::Error> {
    // `ticket-conformance` checks a store against all promises: see docs/checking-a-store.md.
    let tickets = Tickets::builder_over(Arc::new(MapStore::default())).build()?;
    tickets.create(Some("a"), &[Change::say("first")]).await?;
    tickets.create(Some("b"), &[]).await?;
    let ticket = tickets.apply("a", &[Change::say("second")], None).await?;
    println!("{} says {}", tickets.store(), ticket.history);
    println!("tickets: {:?}", tickets.list("", None).await?.ids);
    tickets.close("b", None).await?;
    println!("health: {:?}", tickets.store().health().await?);
    Ok(())
}
