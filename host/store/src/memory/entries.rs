//! Entries by name, stored compactly and in order.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::deadline;
use crate::entry::{Condition, Entry};
use crate::fields::Fields;
use crate::revision::Revision;

/// Changes between two sweeps: finding the position of a sweep costs as much as checking some entries.
const SWEEP_PAUSE: u32 = 8;
/// Entries that a sweep checks. Two per change would keep up with writes; four catch up.
const SWEEP_STEPS: usize = 4 * SWEEP_PAUSE as usize;

/// Whether the condition holds for the current entry, or for none.
pub(super) fn holds(when: &Condition, current: Option<&Slot>) -> bool {
    match when {
        Condition::Absent => current.is_none(),
        Condition::Present => current.is_some(),
        Condition::At(revision) => current.is_some_and(|slot| slot.is_at(revision)),
    }
}

/// All entries by their names in the store, in order, so that a page can begin after any of them.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) slots: BTreeMap<Box<str>, Slot>,
    /// The last name that the sweep checked.
    swept_to: Box<str>,
    changes: u32,
}

impl Entries {
    pub(super) fn get(&self, name: &str, now_ms: u64) -> Option<&Slot> {
        self.slots.get(name).filter(|slot| !slot.is_over(now_ms))
    }

    /// Names after this one whose entries have not expired, in order.
    pub(super) fn names_after(&self, name: &str, now_ms: u64) -> impl Iterator<Item = &str> {
        let after = (Bound::Excluded(name), Bound::Unbounded);
        self.slots.range::<str, _>(after).filter(move |(_, slot)| !slot.is_over(now_ms)).map(|(name, _)| &**name)
    }

    /// Removes expired entries among the next few, from time to time: a change does a bounded amount of work.
    pub(super) fn sweep(&mut self, now_ms: u64) {
        self.changes = self.changes.wrapping_add(1);
        if !self.changes.is_multiple_of(SWEEP_PAUSE) {
            return;
        }
        let after = (Bound::Excluded(&*self.swept_to), Bound::Unbounded);
        let (mut last, mut over) = (None, Vec::new());
        for (name, slot) in self.slots.range::<str, _>(after).take(SWEEP_STEPS) {
            last = Some(name);
            if slot.is_over(now_ms) {
                over.push(name.clone());
            }
        }
        self.swept_to = last.cloned().unwrap_or_default();
        for name in over {
            self.slots.remove(&name);
        }
    }
}

/// One entry.
pub(super) struct Slot {
    pub(super) expires_at_ms: u64,
    texts: Texts,
}

impl Slot {
    pub(super) fn new(fields: &Fields, expires_at_ms: u64) -> Self {
        Self { expires_at_ms, texts: Texts::new(fields) }
    }

    pub(super) fn is_over(&self, now_ms: u64) -> bool {
        deadline::is_over(self.expires_at_ms, now_ms)
    }

    fn is_at(&self, revision: &Revision) -> bool {
        revision.matches(self.expires_at_ms, |name| self.field(name))
    }

    fn field(&self, name: &str) -> &[u8] {
        self.texts.pairs().find(|(field, _)| *field == name).map_or(&[], |(_, text)| text.as_bytes())
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.texts.text.len()
    }

    pub(super) fn entry(&self) -> Entry {
        let fields: Fields = self.texts.pairs().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        Entry::new(fields, self.expires_at_ms)
    }

    pub(super) fn revision(&self) -> Revision {
        Revision::of_bytes(self.expires_at_ms, |name| self.field(name))
    }
}

/// Fields in two allocations, because many entries are kept at once and few are used.
struct Texts {
    /// Name, text, name, text, …
    text: Box<str>,
    /// Where each of them ends; `check_fields` keeps the size far below what 32 bits can count.
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
