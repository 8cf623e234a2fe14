//! Values by key, counted in bytes, in the order of their use: what was not used for longest goes first.

use std::hash::RandomState;

use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::RawEntryMut;

use super::key::Key;

/// What may be forgotten, the least recently used first.
#[derive(Debug)]
pub struct RecentlyUsed<V> {
    // Keys are chosen by users, so hashes are not to be foreseen.
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
    /// Bytes of all, as they were given.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value of a key, used now.
    pub fn get(&mut self, key: &Key) -> Option<&V> {
        self.slots.to_back(key).map(|slot| &slot.value)
    }

    /// The value of a key that nobody uses.
    pub fn peek(&self, key: &Key) -> Option<&V> {
        self.slots.get(key).map(|slot| &slot.value)
    }

    /// Puts a value in place of the one before, used now.
    pub fn put(&mut self, key: &Key, value: V, bytes: usize) {
        self.bytes += bytes;
        let slot = Slot { value, bytes };
        match self.slots.raw_entry_mut().from_key(key) {
            RawEntryMut::Occupied(mut there) => {
                there.to_back();
                self.bytes -= there.replace_value(slot).bytes;
            }
            RawEntryMut::Vacant(place) => drop(place.insert(key.clone(), slot)),
        }
    }

    /// Forgets the value of a key.
    pub fn remove(&mut self, key: &Key) -> Option<V> {
        let slot = self.slots.remove(key)?;
        self.bytes -= slot.bytes;
        Some(slot.value)
    }

    /// What was not used for longest.
    pub fn oldest(&self) -> Option<(&Key, &V)> {
        self.slots.front().map(|(key, slot)| (key, &slot.value))
    }

    /// Forgets what was not used for longest, until the rest has at most so many bytes.
    pub fn make_room(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some((_, slot)) = self.slots.pop_front()
        {
            self.bytes -= slot.bytes;
        }
    }

    /// All of them; nobody uses them by this.
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
    fn use_keeps_and_bytes_come_out_even() {
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
