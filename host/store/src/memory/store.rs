//! The store itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::entries::{Entries, Slot, holds};
use crate::clock::Clock;
use crate::contract::Store;
use crate::deadline;
use crate::entry::{Condition, Entry, Freshness, Outcome, Page};
use crate::error::Error;
use crate::fields::{Fields, check_fields};
use crate::health::{Finding, Health, Severity};
use crate::key::{Key, KeyNames, Namespace};
use crate::limits::{check_limit, check_ttl};
use crate::revision::Revision;

/// Entries in this process, which end with it. A clone is another handle to the same entries.
#[derive(Clone)]
pub struct MemoryStore {
    // Locked only for map operations, never across an await.
    entries: Arc<Mutex<Entries>>,
    clock: Arc<dyn Clock>,
    names: KeyNames,
}

impl MemoryStore {
    /// A store without entries, and without a namespace.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { entries: Arc::default(), clock, names: KeyNames::default() }
    }

    /// A handle to the same memory that sees only the entries of one namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: &Namespace) -> Self {
        Self { names: KeyNames::new(Some(namespace)), ..self.clone() }
    }

    pub(super) fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory:")
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("names", &self.names).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self, key: &Key, _freshness: Freshness) -> Result<Option<Entry>, Error> {
        let now_ms = self.clock.now_ms();
        Ok(self.entries().get(&self.names.stored(key), now_ms).map(Slot::entry))
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        let now_ms = self.clock.now_ms();
        let name = self.names.stored(key);
        let mut entries = self.entries();
        entries.sweep(now_ms);
        let mut slot = entries.slots.get_mut(&*name);
        let current = slot.as_deref().filter(|slot| !slot.is_over(now_ms));
        if !holds(when, current) {
            return Ok(Outcome::Refused(current.map(Slot::entry)));
        }
        let previous_ms = current.map_or(0, |slot| slot.expires_at_ms);
        let expires_at_ms = deadline::choose(now_ms, ttl_ms, previous_ms);
        let new = Slot::new(&fields, expires_at_ms);
        match &mut slot {
            Some(slot) => **slot = new,
            None => drop(entries.slots.insert(name.as_ref().into(), new)),
        }
        Ok(Outcome::Written { revision: Revision::of(&fields, expires_at_ms), expires_at_ms })
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        let now_ms = self.clock.now_ms();
        let mut entries = self.entries();
        entries.sweep(now_ms);
        match entries.slots.get_mut(&*self.names.stored(key)) {
            Some(slot) if !slot.is_over(now_ms) => {
                slot.expires_at_ms = deadline::choose(now_ms, ttl_ms, slot.expires_at_ms);
                Ok(Outcome::Written { revision: slot.revision(), expires_at_ms: slot.expires_at_ms })
            }
            Some(_) | None => Ok(Outcome::Refused(None)),
        }
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let now_ms = self.clock.now_ms();
        let name = self.names.stored(key);
        let mut entries = self.entries();
        entries.sweep(now_ms);
        let current = entries.get(&name, now_ms);
        if !holds(when, current) {
            return Ok(Outcome::Refused(current.map(Slot::entry)));
        }
        entries.slots.remove(&*name);
        Ok(Outcome::Removed)
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let limit = check_limit(limit)?;
        let prefix = self.names.stored_prefix();
        let after = match cursor {
            Some(text) => self.names.stored(&Key::parse_cursor(text)?).into_owned(),
            // The prefix itself is not a name.
            None => prefix.clone(),
        };
        let now_ms = self.clock.now_ms();
        let entries = self.entries();
        let names = entries.names_after(&after, now_ms).take_while(|name| name.starts_with(&prefix));
        let mut keys: Vec<Key> = names.filter_map(|name| self.names.key(name)).take(limit + 1).collect();
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = keys.last().filter(|_| has_more).map(Key::to_string);
        Ok(Page { keys, cursor })
    }

    async fn health(&self) -> Result<Health, Error> {
        let entries = self.entries();
        let bytes: usize = entries.slots.iter().map(|(name, slot)| name.len() + slot.text_bytes()).sum();
        Ok(Health {
            facts: vec![("entries", entries.slots.len().to_string()), ("text_bytes", bytes.to_string())],
            findings: vec![Finding {
                severity: Severity::Warning,
                text: "tickets are in this process's memory and end with it; use sqlite: or redis: to keep them".into(),
            }],
        })
    }
}
