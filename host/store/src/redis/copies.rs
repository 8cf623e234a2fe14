//! The last known state of entries: it feeds a change without a read before, which the server then holds against its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::deadline::is_over;
use crate::entry::{Entry, Outcome, Revision};
use crate::key::Key;
use crate::recently_used::RecentlyUsed;

/// What a copy takes besides its texts, in bytes: its place, its key, its revision.
const COPY_BYTES: usize = 240;

/// Copies, bounded by bytes.
#[derive(Debug)]
pub(super) struct Copies {
    // Locked for map operations alone, never across an await.
    entries: Mutex<RecentlyUsed<Entry>>,
    bytes_max: usize,
}

impl Copies {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { entries: Mutex::default(), bytes_max }
    }

    fn entries(&self) -> MutexGuard<'_, RecentlyUsed<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of an entry that has not expired.
    pub(super) fn get(&self, key: &Key, now_ms: u64) -> Option<Entry> {
        self.entries().get(key).filter(|copy| !is_over(copy.expires_at_ms, now_ms)).cloned()
    }

    /// The copy of this state.
    pub(super) fn at(&self, key: &Key, revision: &Revision) -> Option<Entry> {
        self.entries().get(key).filter(|copy| copy.revision == *revision).cloned()
    }

    /// The server has shown what it has.
    pub(super) fn shown(&self, key: &Key, there: Option<&Entry>) {
        let mut entries = self.entries();
        match there {
            Some(entry) if self.bytes_max > 0 => {
                entries.put(key, entry.clone(), entry.bytes() + COPY_BYTES);
                entries.make_room(self.bytes_max);
            }
            Some(_) | None => drop(entries.remove(key)),
        }
    }

    /// The server has answered a change that makes `made`, where that is known.
    pub(super) fn changed(&self, key: &Key, outcome: &Outcome, made: impl FnOnce(u64) -> Option<Entry>) {
        match outcome {
            Outcome::Written { revision, expires_at_ms } => {
                let made = made(*expires_at_ms).filter(|made| made.revision == *revision);
                self.shown(key, made.as_ref());
            }
            Outcome::Refused(there) => self.shown(key, there.as_ref()),
            Outcome::Removed => self.shown(key, None),
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
    fn copies_are_bounded_by_bytes_and_end_with_their_entries() {
        let copies = Copies::new(5_000);
        for id in 0..4 {
            copies.shown(&key(id), Some(&entry(1_000)));
        }
        assert_eq!([0, 1, 2, 3].map(|id| copies.get(&key(id), 1).is_some()), [false, true, true, true]);
        assert_eq!(copies.get(&key(3), 1_001), None, "expired");
        copies.shown(&key(3), None);
        assert_eq!(copies.get(&key(3), 1), None);
        let none = Copies::new(0);
        none.shown(&key(1), Some(&entry(1)));
        assert_eq!(none.get(&key(1), 1), None);
    }

    #[test]
    fn a_change_whose_state_is_not_known_leaves_no_copy() {
        let copies = Copies::new(5_000);
        let made = entry(10);
        let written = Outcome::Written { revision: made.revision.clone(), expires_at_ms: 1_000 };
        copies.changed(&key(1), &written, |_| Some(made.clone()));
        assert_eq!(copies.at(&key(1), &made.revision), Some(made));
        copies.changed(&key(1), &written, |_| Some(entry(11)));
        assert_eq!(copies.get(&key(1), 1), None);
    }
}
