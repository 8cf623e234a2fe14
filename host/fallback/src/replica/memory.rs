//! Records in this process, bounded by bytes: the least recently used goes first, never one with pending changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::known::{Known, NoteName, RecordUpdate};
use crate::record::{LastAck, Record};
use ticket_store::Key;
use ticket_store::RecentlyUsed;

/// Bytes of a record besides its texts: map entries, key, revision.
const RECORD_BYTES: usize = 340;

/// Old records that each change checks: more than one, so that their number goes down.
const TIDIED_AT_ONCE: usize = 2;

/// Records in memory.
#[derive(Debug)]
pub(crate) struct MemoryReplica {
    // Locked for map operations alone, never across an await.
    records: Mutex<Records>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Records {
    saved: RecentlyUsed<Known>,
    pending: HashMap<Key, Known>,
    /// Keys of the pending ones, by the time of their first change.
    order: BTreeSet<(u64, Key)>,
    pending_bytes: usize,
    /// The latest time of an acknowledged change. The primary's clock may be set back; their order must stay.
    last_ack_ms: u64,
    notes: BTreeMap<NoteName, String>,
}

impl MemoryReplica {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { records: Mutex::default(), bytes_max }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key, now_ms: u64) -> Option<Known> {
        self.records().get(key, now_ms).cloned()
    }

    pub(super) fn update<T>(
        &self,
        key: &Key,
        now_ms: u64,
        step: impl FnOnce(Option<&Known>) -> (RecordUpdate, T),
    ) -> T {
        let mut records = self.records();
        let (update, answer) = step(records.get(key, now_ms));
        match update {
            RecordUpdate::Keep => {}
            RecordUpdate::Forget => records.take(key),
            RecordUpdate::Put(record) => {
                records.put(key, record);
                records.make_room(self.bytes_max);
                records.tidy(now_ms);
            }
        }
        answer
    }

    pub(super) fn pending(&self) -> Vec<Key> {
        self.records().order.iter().map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn pending_alive(&self, now_ms: u64) -> Vec<(Key, bool)> {
        let records = self.records();
        let alive = |key: &Key| records.pending.get(key).is_some_and(|known| known.record.alive(now_ms).is_some());
        records.order.iter().map(|(_, key)| (key.clone(), alive(key))).collect()
    }

    pub(super) fn pending_count(&self) -> u64 {
        self.records().pending.len() as u64
    }

    pub(super) fn last_acks(&self, before: Option<&(u64, Key)>) -> Vec<(Key, LastAck)> {
        let records = self.records();
        let acks = records.all().filter_map(|(key, known)| Some((key, known.record.last_ack.as_ref()?)));
        let is_before = |key, at_ms| before.is_none_or(|(before_ms, last)| (at_ms, key) < (*before_ms, last));
        let acks = acks.filter(|(key, last_ack)| is_before(*key, last_ack.at_ms));
        let mut acks: Vec<(Key, LastAck)> = acks.map(|(key, last_ack)| (key.clone(), last_ack.clone())).collect();
        acks.sort_by(|(key, last_ack), (other, last)| (last.at_ms, other).cmp(&(last_ack.at_ms, key)));
        acks
    }

    /// Visits all records: only listings during an outage need an order by key.
    pub(super) fn page(&self, from: Option<&Key>, limit: usize, now_ms: u64) -> (Vec<Key>, bool) {
        let records = self.records();
        let mut keys: Vec<&Key> = records
            .all()
            .filter(|(key, known)| from.is_none_or(|from| *key > from) && known.record.alive(now_ms).is_some())
            .map(|(key, _)| key)
            .collect();
        let more = keys.len() > limit;
        if more {
            keys.select_nth_unstable(limit);
            keys.truncate(limit);
        }
        keys.sort_unstable();
        (keys.into_iter().cloned().collect(), more)
    }

    pub(super) fn is_full(&self) -> bool {
        self.records().pending_bytes >= self.bytes_max
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
    fn all(&self) -> impl Iterator<Item = (&Key, &Known)> {
        self.saved.iter().chain(&self.pending)
    }

    /// The record of a key, which counts as used; a stale one is dropped.
    fn get(&mut self, key: &Key, now_ms: u64) -> Option<&Known> {
        if !self.pending.is_empty()
            && let Some(known) = self.pending.get(key)
        {
            return Some(known);
        }
        if self.saved.peek(key)?.record.is_stale(now_ms) {
            self.saved.remove(key);
            return None;
        }
        self.saved.get(key)
    }

    fn last_ack(&self, key: &Key) -> Option<&LastAck> {
        self.pending.get(key).or_else(|| self.saved.peek(key))?.record.last_ack.as_ref()
    }

    fn take(&mut self, key: &Key) {
        self.saved.remove(key);
        self.take_pending(key);
    }

    fn take_pending(&mut self, key: &Key) {
        let Some(Known { record, .. }) = self.pending.remove(key) else { return };
        self.pending_bytes -= bytes(&record);
        if let Some(pending) = &record.pending {
            self.order.remove(&(pending.since_ms, key.clone()));
        }
    }

    fn put(&mut self, key: &Key, mut record: Record) {
        let is_known = self.last_ack(key) == record.last_ack.as_ref();
        if !is_known && let Some(last_ack) = &mut record.last_ack {
            self.last_ack_ms = self.last_ack_ms.max(last_ack.at_ms);
            last_ack.at_ms = self.last_ack_ms;
        }
        self.take_pending(key);
        let bytes = bytes(&record);
        let since_ms = record.pending.as_ref().map(|pending| pending.since_ms);
        let known = Known { record, stamp: fastrand::u64(..) };
        match since_ms {
            Some(since_ms) => {
                self.saved.remove(key);
                self.pending_bytes += bytes;
                self.order.insert((since_ms, key.clone()));
                self.pending.insert(key.clone(), known);
            }
            None => self.saved.put(key, known, bytes),
        }
    }

    /// Drops the least recently used records that are stale, and the texts of those that have expired.
    fn tidy(&mut self, now_ms: u64) {
        for _ in 0..TIDIED_AT_ONCE {
            let Some((key, known)) = self.saved.oldest() else { return };
            if known.record.alive(now_ms).is_some() {
                return;
            }
            // Reading it drops it or makes it the most recently used, so that the next one is checked.
            let key = key.clone();
            let expired = self.get(&key, now_ms).map(|known| &known.record).filter(|record| record.local.is_some());
            if let Some(expired) = expired {
                let record = Record { local: None, ..expired.clone() };
                self.put(&key, record);
            }
        }
    }

    fn make_room(&mut self, bytes_max: usize) {
        self.saved.make_room(bytes_max.saturating_sub(self.pending_bytes));
    }
}

/// Bytes of a record, texts included.
fn bytes(record: &Record) -> usize {
    record.bytes() + RECORD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Change;
    use ticket_store::{Condition, Entry};

    fn key(id: usize) -> Key {
        Key::parse(&format!("ticket:{id:03}")).expect("key")
    }

    fn entry(bytes: usize) -> Entry {
        Entry::new(vec![("facts".into(), "x".repeat(bytes))], 1_000)
    }

    fn saved(replica: &MemoryReplica, id: usize, bytes: usize) {
        replica.update(&key(id), 1, |_| (RecordUpdate::Put(Record::saved(Some(entry(bytes)), None, 1)), ()));
    }

    fn pending(replica: &MemoryReplica, id: usize, bytes: usize) {
        replica.update(&key(id), 1, |known| {
            let entry = entry(bytes);
            let known = known.map(|known| known.record.clone());
            let (record, _) =
                Record::change(known, &Change::Write(&entry), &Condition::Absent, false, 1).expect("made");
            (RecordUpdate::Put(record), ())
        });
    }

    #[test]
    fn the_least_recently_used_goes_first_and_pending_never() {
        let replica = MemoryReplica::new(10_000);
        pending(&replica, 0, 1_000);
        for id in 1..=6 {
            saved(&replica, id, 1_000);
        }
        assert!(replica.get(&key(1), 1).is_some(), "used again");
        saved(&replica, 7, 1_000);
        let (keys, _) = replica.page(None, 100, 1);
        assert_eq!(keys, [0, 1, 3, 4, 5, 6, 7].map(key));
        assert_eq!(replica.pending(), [key(0)]);
        for id in 10..20 {
            pending(&replica, id, 1_000);
        }
        assert!(replica.is_full());
        assert_eq!(replica.pending().len(), 11);
        assert_eq!(replica.page(None, 5, 1), ([0, 10, 11, 12, 13].map(key).to_vec(), true));
    }

    #[test]
    fn expired_texts_make_room_step_by_step() {
        let replica = MemoryReplica::new(1_000_000);
        for id in 0..10 {
            saved(&replica, id, 1_000);
        }
        let later = |ms: u64| {
            replica.update(&key(99), ms, |_| (RecordUpdate::Put(Record::saved(Some(entry(0)), None, ms)), ()));
            replica.records().saved.bytes()
        };
        let bytes: Vec<usize> = (2_000..2_006).map(later).collect();
        assert!(bytes.is_sorted_by(|one, next| one > next || *next < 6_000), "{bytes:?}");
        assert!(
            replica.get(&key(0), 2_006).is_some_and(|known| known.record.local.is_none()),
            "its absence is still known"
        );
        saved(&replica, 50, 5_000);
        for ms in 2_006..2_030 {
            later(ms);
        }
        let bytes = replica.records().saved.bytes();
        assert!(bytes < 6_000, "records of absence do not keep texts from being dropped: {bytes}");
        for ms in 10_000_000..10_000_010 {
            later(ms);
        }
        let left = replica.records().all().count();
        assert!(left <= 1, "{left}");
    }

    #[test]
    fn a_stale_record_is_dropped_and_the_sums_stay_right() {
        let replica = MemoryReplica::new(1_000_000);
        saved(&replica, 1, 10);
        assert!(replica.get(&key(1), 1_000_000).is_some(), "its absence is remembered for a while");
        assert!(replica.get(&key(1), 10_000_000).is_none());
        pending(&replica, 2, 10);
        replica.update(&key(2), 1, |_| (RecordUpdate::Forget, ()));
        let records = replica.records();
        assert_eq!((records.saved.bytes(), records.pending_bytes, records.all().count()), (0, 0, 0));
        assert!(records.order.is_empty());
    }
}
