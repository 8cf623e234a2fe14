//! The store in memory: the reference for what the others do, and what an outage falls back on.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::deadline;
use super::entry::{Condition, Entry, Fields, Freshness, Outcome, Page, Revision, check_fields};
use super::error::Error;
use super::health::{Finding, Health, Severity};
use super::key::{Key, KeyNames, Namespace};
use super::{Store, check_limit};
use crate::clock::Clock;

/// Changes between two looks for entries that have expired: to find the place costs as much as to look at some.
const SWEEP_PAUSE: u32 = 8;
/// Entries that are looked at. Two for each change would keep up with writes; four catch up.
const SWEEP_STEPS: usize = 4 * SWEEP_PAUSE as usize;

/// Entries in this process, gone with it. A clone is another handle to the same entries.
#[derive(Clone)]
pub struct MemoryStore {
    // Locked for map operations alone, never across an await.
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

    /// A handle to the same memory that sees the entries of one namespace and no other.
    #[must_use]
    pub fn in_namespace(&self, namespace: &Namespace) -> Self {
        Self { names: KeyNames::new(Some(namespace)), ..self.clone() }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
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
        deadline::check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        let now_ms = self.clock.now_ms();
        let name = self.names.stored(key);
        let mut entries = self.entries();
        entries.sweep(now_ms);
        let mut slot = entries.slots.get_mut(&*name);
        let there = slot.as_deref().filter(|slot| slot.is_there(now_ms));
        if !holds(when, there) {
            return Ok(Outcome::Refused(there.map(Slot::entry)));
        }
        let previous_ms = there.map_or(0, |slot| slot.expires_at_ms);
        let expires_at_ms = deadline::name(now_ms, ttl_ms, previous_ms);
        let new = Slot { expires_at_ms, texts: Texts::new(&fields) };
        match &mut slot {
            Some(slot) => **slot = new,
            None => drop(entries.slots.insert(name.as_ref().into(), new)),
        }
        Ok(Outcome::Written { revision: Revision::of(&fields, expires_at_ms), expires_at_ms })
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        deadline::check_ttl(ttl_ms)?;
        let now_ms = self.clock.now_ms();
        let mut entries = self.entries();
        entries.sweep(now_ms);
        match entries.slots.get_mut(&*self.names.stored(key)) {
            Some(slot) if slot.is_there(now_ms) => {
                slot.expires_at_ms = deadline::name(now_ms, ttl_ms, slot.expires_at_ms);
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
        let there = entries.get(&name, now_ms);
        if !holds(when, there) {
            return Ok(Outcome::Refused(there.map(Slot::entry)));
        }
        entries.slots.remove(&*name);
        Ok(Outcome::Removed)
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let limit = check_limit(limit)?;
        let prefix = self.names.stored_prefix();
        let from = match cursor {
            Some(text) => Bound::Excluded(self.names.stored(&Key::parse(text)?).into_owned()),
            None => Bound::Included(prefix.clone()),
        };
        let now_ms = self.clock.now_ms();
        let entries = self.entries();
        let mut keys: Vec<Key> = entries
            .slots
            .range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(&prefix))
            .filter(|(_, slot)| slot.is_there(now_ms))
            .filter_map(|(name, _)| self.names.key(name))
            .take(limit + 1)
            .collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let cursor = keys.last().filter(|_| more).map(Key::to_string);
        Ok(Page { keys, cursor })
    }

    async fn health(&self) -> Result<Health, Error> {
        let entries = self.entries();
        let bytes: usize = entries.slots.iter().map(|(name, slot)| name.len() + slot.texts.text.len()).sum();
        Ok(Health {
            facts: vec![("entries", entries.slots.len().to_string()), ("text_bytes", bytes.to_string())],
            findings: vec![Finding {
                severity: Severity::Warning,
                text: "tickets are in this process's memory and end with it; use sqlite: or redis: to keep them".into(),
            }],
        })
    }
}

/// Whether what is there is what the condition asks for.
fn holds(when: &Condition, there: Option<&Slot>) -> bool {
    match when {
        Condition::Absent => there.is_none(),
        Condition::Present => there.is_some(),
        Condition::At(revision) => there.is_some_and(|slot| slot.is_at(revision)),
    }
}

/// All entries by their names in the store, in order, so that a page can begin after any of them.
#[derive(Default)]
struct Entries {
    slots: BTreeMap<Box<str>, Slot>,
    /// The last name that the sweep looked at.
    swept_to: Box<str>,
    changes: u32,
}

impl Entries {
    fn get(&self, name: &str, now_ms: u64) -> Option<&Slot> {
        self.slots.get(name).filter(|slot| slot.is_there(now_ms))
    }

    /// Drops the expired among the next few entries, now and then: as much work for changes as they add at most.
    fn sweep(&mut self, now_ms: u64) {
        self.changes = self.changes.wrapping_add(1);
        if !self.changes.is_multiple_of(SWEEP_PAUSE) {
            return;
        }
        let after = (Bound::Excluded(&*self.swept_to), Bound::Unbounded);
        let (mut last, mut over) = (None, Vec::new());
        for (name, slot) in self.slots.range::<str, _>(after).take(SWEEP_STEPS) {
            last = Some(name);
            if deadline::is_over(slot.expires_at_ms, now_ms) {
                over.push(name.clone());
            }
        }
        self.swept_to = last.cloned().unwrap_or_default();
        for name in over {
            self.slots.remove(&name);
        }
    }
}

struct Slot {
    expires_at_ms: u64,
    texts: Texts,
}

impl Slot {
    fn is_there(&self, now_ms: u64) -> bool {
        !deadline::is_over(self.expires_at_ms, now_ms)
    }

    fn is_at(&self, revision: &Revision) -> bool {
        revision.names(self.expires_at_ms, |name| self.field(name))
    }

    fn field(&self, name: &str) -> &[u8] {
        self.texts.pairs().find(|(field, _)| *field == name).map_or(&[], |(_, text)| text.as_bytes())
    }

    fn entry(&self) -> Entry {
        let fields: Fields = self.texts.pairs().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        Entry::new(fields, self.expires_at_ms)
    }

    fn revision(&self) -> Revision {
        Revision::of_bytes(self.expires_at_ms, |name| self.field(name))
    }
}

/// Fields in two allocations: most entries wait for their next message, and many wait at once.
struct Texts {
    /// Name, text, name, text, …
    text: Box<str>,
    /// Where each of them ends; `check_fields` keeps entries far below what 32 bits count.
    ends: Box<[u32]>,
}

impl Texts {
    fn new(fields: &Fields) -> Self {
        let mut text = String::with_capacity(fields.iter().map(|(name, text)| name.len() + text.len()).sum());
        let mut ends = Vec::with_capacity(2 * fields.len());
        for part in fields.iter().flat_map(|(name, text)| [name, text]) {
            text.push_str(part);
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self { text: text.into_boxed_str(), ends: ends.into_boxed_slice() }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        let mut part = move |end: u32| {
            let range = start..end as usize;
            start = end as usize;
            self.text.get(range).unwrap_or_default()
        };
        let (pairs, _) = self.ends.as_chunks::<2>();
        pairs.iter().map(move |&[name_end, text_end]| (part(name_end), part(text_end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const TTL_MS: u64 = 10_000;

    fn key(id: &str) -> Key {
        Key::parse(&format!("ticket:{id}")).expect("key")
    }

    fn fields(text: &str) -> Fields {
        vec![("facts".into(), text.into()), ("empty".into(), String::new())]
    }

    fn store() -> (MemoryStore, ManualClock) {
        let clock = ManualClock::at(1_000_000);
        (MemoryStore::new(Arc::new(clock.clone())), clock)
    }

    #[tokio::test]
    async fn what_was_written_is_read_until_its_deadline_and_then_gone() {
        let (store, clock) = store();
        let written = store.write(&key("a"), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
        let entry = store.read(&key("a"), Freshness::Latest).await.expect("read").expect("entry");
        let (revision, expires_at_ms) = (entry.revision.clone(), entry.expires_at_ms);
        assert_eq!(*entry.fields, fields("{}"));
        assert_eq!(written, Outcome::Written { revision, expires_at_ms });
        clock.set(expires_at_ms);
        assert!(store.read(&key("a"), Freshness::Latest).await.expect("read").is_some());
        clock.advance(1);
        assert_eq!(store.read(&key("a"), Freshness::Latest).await.expect("read"), None);
        assert_eq!(store.touch(&key("a"), TTL_MS).await.expect("touch"), Outcome::Refused(None));
    }

    #[tokio::test]
    async fn expired_entries_leave_the_memory_as_others_are_written() {
        let (store, clock) = store();
        for id in 0..100 {
            store.write(&key(&format!("old{id}")), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
        }
        clock.advance(TTL_MS + 1);
        for id in 0..60 {
            store.write(&key(&format!("new{id}")), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
        }
        assert_eq!(store.entries().slots.len(), 60);
    }

    #[tokio::test]
    async fn pages_follow_one_another_within_a_namespace() {
        let (plain, _) = store();
        let shop = plain.in_namespace(&Namespace::parse("shop").expect("namespace"));
        for id in ["a", "b", "c"] {
            plain.write(&key(id), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
            shop.write(&key(&format!("s{id}")), fields("{}"), TTL_MS, &Condition::Absent).await.expect("written");
        }
        let first = shop.scan(None, 2).await.expect("page");
        assert_eq!(first.keys, [key("sa"), key("sb")]);
        let second = shop.scan(first.cursor.as_deref(), 2).await.expect("page");
        assert_eq!((second.keys, second.cursor), (vec![key("sc")], None));
        assert_eq!(plain.scan(None, 10).await.expect("page").keys, [key("a"), key("b"), key("c")]);
        assert!(plain.scan(Some("garbled"), 10).await.is_err());
    }
}
