//! Records in this process, bounded by bytes: the least recently used goes first, never one with unsaved changes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Fate, Known, NoteName};
use crate::store::fallback::record::{Own, Record};
use crate::store::key::Key;

/// What a record takes besides its texts, in bytes: its place in the maps, its key, its revision.
const RECORD_BYTES: usize = 400;

/// Records that each change looks at for such as can go: more than one, so that there are fewer in the end.
const TIDIED_AT_ONCE: usize = 2;

/// Records in memory. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub(in crate::store::fallback) struct MemoryShadow {
    // Locked for map operations alone, never across an await.
    records: Arc<Mutex<Records>>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Records {
    slots: BTreeMap<Key, Slot>,
    /// Saved ones, by when they were used last.
    used: BTreeMap<u64, Key>,
    /// Unsaved ones, by when their first change was made.
    unsaved: BTreeSet<(u64, Key)>,
    uses: u64,
    bytes: usize,
    unsaved_bytes: usize,
    /// The latest time of an own change: the primary's clock may be set back, and their order must not.
    own_ms: u64,
    notes: BTreeMap<NoteName, String>,
}

#[derive(Debug)]
struct Slot {
    known: Known,
    bytes: usize,
    use_number: u64,
}

impl MemoryShadow {
    pub(in crate::store::fallback) fn new(bytes_max: usize) -> Self {
        Self { records: Arc::default(), bytes_max }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key, now_ms: u64) -> Option<Known> {
        self.records().get(key, now_ms).cloned()
    }

    pub(super) fn update<T>(&self, key: &Key, now_ms: u64, step: impl FnOnce(Option<&Known>) -> (Fate, T)) -> T {
        let mut records = self.records();
        let (fate, answer) = step(records.get(key, now_ms));
        match fate {
            Fate::Keep => {}
            Fate::Forget => records.take(key),
            Fate::Put(record) => {
                records.put(key, record);
                records.make_room(self.bytes_max);
                records.tidy(now_ms);
            }
        }
        answer
    }

    pub(super) fn unsaved(&self) -> Vec<Key> {
        self.records().unsaved.iter().map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn unsaved_alive(&self, now_ms: u64) -> Vec<(Key, bool)> {
        let records = self.records();
        let alive = |key: &Key| records.slots.get(key).is_some_and(|slot| slot.known.record.alive(now_ms).is_some());
        records.unsaved.iter().map(|(_, key)| (key.clone(), alive(key))).collect()
    }

    pub(super) fn unsaved_count(&self) -> u64 {
        self.records().unsaved.len() as u64
    }

    pub(super) fn own(&self) -> Vec<(Key, Own)> {
        let records = self.records();
        let own = |(key, slot): (&Key, &Slot)| Some((key.clone(), slot.known.record.own.clone()?));
        let mut own: Vec<(Key, Own)> = records.slots.iter().filter_map(own).collect();
        own.sort_by_key(|(_, own)| std::cmp::Reverse(own.at_ms));
        own
    }

    pub(super) fn page(&self, from: Option<&Key>, limit: usize, now_ms: u64) -> (Vec<Key>, bool) {
        let records = self.records();
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let alive = records.slots.range((from, Bound::Unbounded));
        let alive = alive.filter(|(_, slot)| slot.known.record.alive(now_ms).is_some());
        let mut keys: Vec<Key> = alive.map(|(key, _)| key.clone()).take(limit + 1).collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        (keys, more)
    }

    pub(super) fn is_full(&self) -> bool {
        self.records().unsaved_bytes >= self.bytes_max
    }

    pub(super) fn note(&self, name: NoteName) -> Option<String> {
        self.records().notes.get(&name).cloned()
    }

    pub(super) fn claim_note(&self, name: NoteName, text: String) -> String {
        self.records().notes.entry(name).or_insert(text).clone()
    }

    pub(super) fn set_note(&self, name: NoteName, text: String) {
        self.records().notes.insert(name, text);
    }
}

impl Records {
    /// The record of a key, used now; one that says nothing any more is dropped.
    fn get(&mut self, key: &Key, now_ms: u64) -> Option<&Known> {
        if self.slots.get(key)?.known.record.is_stale(now_ms) {
            self.take(key);
            return None;
        }
        self.uses += 1;
        let slot = self.slots.get_mut(key)?;
        if self.used.remove(&slot.use_number).is_some() {
            slot.use_number = self.uses;
            self.used.insert(self.uses, key.clone());
        }
        Some(&slot.known)
    }

    fn take(&mut self, key: &Key) {
        let Some(slot) = self.slots.remove(key) else { return };
        self.bytes -= slot.bytes;
        self.used.remove(&slot.use_number);
        if let Some(unsaved) = &slot.known.record.unsaved {
            self.unsaved_bytes -= slot.bytes;
            self.unsaved.remove(&(unsaved.since_ms, key.clone()));
        }
    }

    fn put(&mut self, key: &Key, mut record: Record) {
        let before = self.slots.get(key).and_then(|slot| slot.known.record.own.as_ref());
        if before != record.own.as_ref()
            && let Some(own) = &mut record.own
        {
            self.own_ms = self.own_ms.max(own.at_ms);
            own.at_ms = self.own_ms;
        }
        self.take(key);
        let bytes = record.bytes() + RECORD_BYTES;
        self.bytes += bytes;
        self.uses += 1;
        match &record.unsaved {
            Some(unsaved) => {
                self.unsaved_bytes += bytes;
                self.unsaved.insert((unsaved.since_ms, key.clone()));
            }
            None => drop(self.used.insert(self.uses, key.clone())),
        }
        let known = Known { record, stamp: fastrand::u64(..) };
        self.slots.insert(key.clone(), Slot { known, bytes, use_number: self.uses });
    }

    /// Looks at some that were not used for long: what is stale goes, and the texts of what has expired.
    fn tidy(&mut self, now_ms: u64) {
        for _ in 0..TIDIED_AT_ONCE {
            let Some(key) = self.used.first_key_value().map(|(_, key)| key.clone()) else { return };
            if self.slots.get(&key).is_none_or(|slot| slot.known.record.alive(now_ms).is_some()) {
                return;
            }
            // Away, or to the end of the line, so that it bars the way to no other.
            let expired = self.get(&key, now_ms).map(|known| &known.record).filter(|record| record.local.is_some());
            if let Some(expired) = expired {
                let record = Record { local: None, ..expired.clone() };
                self.put(&key, record);
            }
        }
    }

    fn make_room(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some(key) = self.used.first_key_value().map(|(_, key)| key.clone())
        {
            self.take(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entry::{Condition, Entry};
    use crate::store::fallback::record::Change;

    fn key(id: usize) -> Key {
        Key::parse(&format!("ticket:{id:03}")).expect("key")
    }

    fn entry(bytes: usize) -> Entry {
        Entry::new(vec![("facts".into(), "x".repeat(bytes))], 1_000)
    }

    fn saved(shadow: &MemoryShadow, id: usize, bytes: usize) {
        shadow.update(&key(id), 1, |_| (Fate::Put(Record::saved(Some(entry(bytes)), None, 1)), ()));
    }

    fn unsaved(shadow: &MemoryShadow, id: usize, bytes: usize) {
        shadow.update(&key(id), 1, |known| {
            let entry = entry(bytes);
            let known = known.map(|known| known.record.clone());
            let (record, _) =
                Record::change(known, &Change::Write(&entry), &Condition::Absent, false, 1).expect("made");
            (Fate::Put(record.expect("record")), ())
        });
    }

    #[test]
    fn the_least_recently_used_goes_first_and_unsaved_changes_never() {
        let shadow = MemoryShadow::new(10_000);
        unsaved(&shadow, 0, 1_000);
        for id in 1..=6 {
            saved(&shadow, id, 1_000);
        }
        assert!(shadow.get(&key(1), 1).is_some(), "used again");
        saved(&shadow, 7, 1_000);
        let (keys, _) = shadow.page(None, 100, 1);
        assert_eq!(keys, [0, 1, 3, 4, 5, 6, 7].map(key));
        assert_eq!(shadow.unsaved(), [key(0)]);
        for id in 10..20 {
            unsaved(&shadow, id, 1_000);
        }
        assert!(shadow.is_full());
        assert_eq!(shadow.unsaved().len(), 11);
        assert_eq!(shadow.page(None, 5, 1), ([0, 10, 11, 12, 13].map(key).to_vec(), true));
    }

    #[test]
    fn texts_of_what_has_expired_make_room_by_and_by() {
        let shadow = MemoryShadow::new(1_000_000);
        for id in 0..10 {
            saved(&shadow, id, 1_000);
        }
        let later = |ms: u64| {
            shadow.update(&key(99), ms, |_| (Fate::Put(Record::saved(Some(entry(0)), None, ms)), ()));
            shadow.records().bytes
        };
        let bytes: Vec<usize> = (2_000..2_006).map(later).collect();
        assert!(bytes.is_sorted_by(|one, next| one > next || *next < 6_000), "{bytes:?}");
        assert!(
            shadow.get(&key(0), 2_006).is_some_and(|known| known.record.local.is_none()),
            "that it is gone is known"
        );
        saved(&shadow, 50, 5_000);
        for ms in 2_006..2_030 {
            later(ms);
        }
        let bytes = shadow.records().bytes;
        assert!(bytes < 6_000, "what is known to be gone bars the way to no text that can go: {bytes}");
        for ms in 10_000_000..10_000_010 {
            later(ms);
        }
        assert!(shadow.records().slots.len() <= 1, "{}", shadow.records().slots.len());
    }

    #[test]
    fn a_stale_record_is_forgotten_and_accounts_come_out_even() {
        let shadow = MemoryShadow::new(1_000_000);
        saved(&shadow, 1, 10);
        assert!(shadow.get(&key(1), 1_000_000).is_some(), "gone, and remembered for a while");
        assert!(shadow.get(&key(1), 10_000_000).is_none());
        unsaved(&shadow, 2, 10);
        shadow.update(&key(2), 1, |_| (Fate::Forget, ()));
        let records = shadow.records();
        assert_eq!((records.bytes, records.unsaved_bytes, records.slots.len()), (0, 0, 0));
        assert!(records.used.is_empty() && records.unsaved.is_empty());
    }
}
