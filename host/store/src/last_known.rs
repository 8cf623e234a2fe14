//! The last known state of entries. A conditional change may start from it without a read, because the store compares
//! the revision with its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::deadline::is_over;
use crate::entry::{Entry, Outcome};
use crate::key::Key;
use crate::recently_used::RecentlyUsed;
use crate::revision::Revision;

/// Bytes that a copy takes besides its fields: its slot, its key, its revision.
const COPY_BYTES: usize = 240;

/// Copies of entries, bounded by bytes.
#[derive(Debug)]
pub(crate) struct LastKnown {
    // Locked only for map operations, never across an await.
    entries: Mutex<RecentlyUsed<Entry>>,
    bytes_max: usize,
}

impl LastKnown {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entries: Mutex::default(), bytes_max }
    }

    fn entries(&self) -> MutexGuard<'_, RecentlyUsed<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of an entry that has not expired.
    pub(crate) fn get(&self, key: &Key, now_ms: u64) -> Option<Entry> {
        self.entries().get(key).filter(|copy| !is_over(copy.expires_at_ms, now_ms)).cloned()
    }

    /// The copy, if it has this revision.
    pub(crate) fn at(&self, key: &Key, revision: &Revision) -> Option<Entry> {
        self.entries().get(key).filter(|copy| copy.revision == *revision).cloned()
    }

    /// The store has returned the current entry, or that there is none or it is not known.
    pub(crate) fn observed(&self, key: &Key, current: Option<&Entry>) {
        let mut entries = self.entries();
        match current {
            Some(entry) if self.bytes_max > 0 => {
                entries.put(key, entry.clone(), entry.bytes() + COPY_BYTES);
                entries.make_room(self.bytes_max);
            }
            Some(_) | None => drop(entries.remove(key)),
        }
    }

    /// The store has answered a change; `written` returns the entry that it wrote, if that is known.
    pub(crate) fn changed(&self, key: &Key, outcome: &Outcome, written: impl FnOnce(u64) -> Option<Entry>) {
        match outcome {
            Outcome::Written { revision, expires_at_ms } => {
                let written = written(*expires_at_ms).filter(|written| written.revision == *revision);
                self.observed(key, written.as_ref());
            }
            Outcome::Refused(current) => self.observed(key, current.as_ref()),
            Outcome::Removed => self.observed(key, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32) -> Key {
        Key::parse(&format!("ticket:{id}")).expect("key")
    }

    fn entry(bytes: usize) -> Entry {
        Entry::new(vec![("facts".into(), "x".repeat(bytes))], 1_000)
    }

    #[test]
    fn copies_are_bounded_by_bytes_and_expire() {
        let copies = LastKnown::new(5_000);
        for id in 0..4 {
            copies.observed(&key(id), Some(&entry(1_000)));
        }
        assert_eq!([0, 1, 2, 3].map(|id| copies.get(&key(id), 1).is_some()), [false, true, true, true]);
        assert_eq!(copies.get(&key(3), 1_001), None, "expired");
        copies.observed(&key(3), None);
        assert_eq!(copies.get(&key(3), 1), None);
        let none = LastKnown::new(0);
        none.observed(&key(1), Some(&entry(1)));
        assert_eq!(none.get(&key(1), 1), None);
    }

    #[test]
    fn a_change_of_another_revision_leaves_no_copy() {
        let copies = LastKnown::new(5_000);
        let made = entry(10);
        let written = Outcome::Written { revision: made.revision.clone(), expires_at_ms: 1_000 };
        copies.changed(&key(1), &written, |_| Some(made.clone()));
        assert_eq!(copies.at(&key(1), &made.revision), Some(made));
        copies.changed(&key(1), &written, |_| Some(entry(11)));
        assert_eq!(copies.get(&key(1), 1), None);
    }
}
