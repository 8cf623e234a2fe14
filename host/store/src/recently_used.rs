//! Values by key, counted in bytes; the least recently used go first.

use std::hash::RandomState;

use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::RawEntryMut;

use crate::key::Key;

/// Values by key in the order of their last use, with a size in bytes each.
#[derive(Debug)]
pub struct RecentlyUsed<V> {
    // Keys are chosen by users, so hashes must not be predictable.
    slots: LinkedHashMap<Key, Slot<V>, RandomState>,
    bytes: usize,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    bytes: usize,
}

impl<V> Default for RecentlyUsed<V> {
    fn default() -> Self {
        Self { slots: LinkedHashMap::with_hasher(RandomState::new()), bytes: 0 }
    }
}

impl<V> RecentlyUsed<V> {
    /// The sum of the sizes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value of a key; it is now the most recently used.
    pub fn get(&mut self, key: &Key) -> Option<&V> {
        self.slots.to_back(key).map(|slot| &slot.value)
    }

    /// The value of a key, without a change of the order.
    #[must_use]
    pub fn peek(&self, key: &Key) -> Option<&V> {
        self.slots.get(key).map(|slot| &slot.value)
    }

    /// Puts a value of so many bytes in place of the previous one; it is now the most recently used.
    pub fn put(&mut self, key: &Key, value: V, bytes: usize) {
        self.bytes += bytes;
        let slot = Slot { value, bytes };
        match self.slots.raw_entry_mut().from_key(key) {
            RawEntryMut::Occupied(mut occupied) => {
                occupied.to_back();
                self.bytes -= occupied.replace_value(slot).bytes;
            }
            RawEntryMut::Vacant(vacant) => drop(vacant.insert(key.clone(), slot)),
        }
    }

    /// Removes the value of a key.
    pub fn remove(&mut self, key: &Key) -> Option<V> {
        let slot = self.slots.remove(key)?;
        self.bytes -= slot.bytes;
        Some(slot.value)
    }

    /// The least recently used.
    #[must_use]
    pub fn oldest(&self) -> Option<(&Key, &V)> {
        self.slots.front().map(|(key, slot)| (key, &slot.value))
    }

    /// Removes the least recently used until the rest has at most so many bytes.
    pub fn make_room(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some((_, slot)) = self.slots.pop_front()
        {
            self.bytes -= slot.bytes;
        }
    }

    /// All values, the least recently used first, without a change of the order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        self.slots.iter().map(|(key, slot)| (key, &slot.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32) -> Key {
        Key::parse(&format!("ticket:{id}")).expect("key")
    }

    #[test]
    fn least_recently_used_values_go_first() {
        let mut values = RecentlyUsed::default();
        for id in 0..4 {
            values.put(&key(id), id, 10);
        }
        assert_eq!(values.get(&key(0)), Some(&0));
        assert_eq!(values.peek(&key(1)), Some(&1));
        values.put(&key(2), 22, 30);
        let order: Vec<u32> = values.iter().map(|(_, value)| *value).collect();
        assert_eq!((order, values.bytes()), (vec![1, 3, 0, 22], 60));
        assert_eq!(values.oldest(), Some((&key(1), &1)));
        values.make_room(59);
        assert_eq!(values.peek(&key(1)), None);
        assert_eq!((values.remove(&key(2)), values.remove(&key(2)), values.bytes()), (Some(22), None, 20));
        values.make_room(0);
        assert_eq!((values.bytes(), values.oldest()), (0, None));
    }
}
