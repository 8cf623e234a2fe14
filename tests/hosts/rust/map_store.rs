//! A store on a map: the complete contract of `key-value.wit`, for one instance.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::agent::tickets0_1_0::key_value::{
    Condition, Entry, Error, Fields, Freshness, Host, Lookup, Outcome, Page, Revision,
};

const TTL_MS_MIN: u64 = 1_000;
const TTL_MS_MAX: u64 = 31_622_400_000;
const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Entries by key, and the clock that ends them.
#[derive(Default)]
pub(crate) struct MapStore {
    entries: BTreeMap<String, Entry>,
    /// Milliseconds since the Unix epoch.
    pub(crate) now_ms: u64,
    changes: u64,
}

impl MapStore {
    fn entry(&mut self, key: &str) -> Result<Option<Entry>, Error> {
        if !key.starts_with("ticket:") {
            return Err(Error::Invalid(format!("key {key} does not begin with ticket:")));
        }
        let now_ms = self.now_ms;
        self.entries.retain(|name, entry| name != key || now_ms <= entry.expires_at_ms);
        Ok(self.entries.get(key).cloned())
    }

    /// Replaces the entry.
    fn put(&mut self, key: String, fields: Fields, ttl_ms: u64) -> Outcome {
        self.changes += 1;
        // A counter, so that no two states have the same revision.
        let (revision, expires_at_ms): (Revision, u64) = (self.changes.to_string(), self.now_ms + ttl_ms);
        self.entries.insert(key, Entry { fields, revision: revision.clone(), expires_at_ms });
        Outcome { applied: true, revision: Some(revision), expires_at_ms, current: None }
    }
}

fn check_ttl(ttl_ms: u64) -> Result<(), Error> {
    match ttl_ms {
        TTL_MS_MIN..=TTL_MS_MAX => Ok(()),
        _ => Err(Error::Invalid(format!("ttl of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms"))),
    }
}

fn holds(when: &Condition, current: Option<&Entry>) -> bool {
    match (when, current) {
        (Condition::Absent, current) => current.is_none(),
        (Condition::Present, current) => current.is_some(),
        (Condition::At(revision), current) => current.is_some_and(|entry| entry.revision == *revision),
    }
}

fn refused(current: Option<Entry>) -> Outcome {
    Outcome { applied: false, revision: None, expires_at_ms: 0, current }
}

impl Host for MapStore {
    fn read(&mut self, key: String, _freshness: Freshness) -> Result<Lookup, Error> {
        Ok(Lookup { entry: self.entry(&key)? })
    }

    fn write(&mut self, key: String, fields: Fields, ttl_ms: u64, when: Condition) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        let bytes: usize = fields.iter().map(|(name, text)| name.len() + text.len()).sum();
        if bytes > ENTRY_BYTES_MAX {
            return Err(Error::TooLarge(ENTRY_BYTES_MAX as u64));
        }
        let names: BTreeSet<&String> = fields.iter().map(|(name, _)| name).collect();
        if names.len() < fields.len() || fields.is_empty() {
            return Err(Error::Invalid(format!("entry {key} has no field, or a name twice")));
        }
        let current = self.entry(&key)?;
        if holds(&when, current.as_ref()) { Ok(self.put(key, fields, ttl_ms)) } else { Ok(refused(current)) }
    }

    fn touch(&mut self, key: String, ttl_ms: u64) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        match self.entry(&key)? {
            Some(entry) => Ok(self.put(key, entry.fields, ttl_ms)),
            None => Ok(refused(None)),
        }
    }

    fn remove(&mut self, key: String, when: Condition) -> Result<Outcome, Error> {
        let current = self.entry(&key)?;
        if !holds(&when, current.as_ref()) {
            return Ok(refused(current));
        }
        self.entries.remove(&key);
        Ok(Outcome { applied: true, revision: None, expires_at_ms: 0, current: None })
    }

    fn scan(&mut self, cursor: Option<String>, limit: u32) -> Result<Page, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if !(1..=10_000).contains(&limit) {
            return Err(Error::Invalid(format!("limit of {limit} keys is not between 1 and 10000")));
        }
        let (from, now_ms) = (cursor.unwrap_or_default(), self.now_ms);
        let after = self.entries.iter().filter(|(key, entry)| **key > from && now_ms <= entry.expires_at_ms);
        let keys: Vec<String> = after.map(|(key, _)| key.clone()).take(limit).collect();
        Ok(Page { cursor: if keys.len() == limit { keys.last().cloned() } else { None }, keys })
    }
}
