//! The data of the fake Redis: hashes and strings with deadlines, always in the same order.

use std::collections::BTreeMap;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// All keys of a server at one time; the default is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub(super) keys: BTreeMap<Vec<u8>, Item>,
}

/// The value of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    content: Content,
    /// Milliseconds since the epoch; 0 for none.
    deadline_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Hash(Hash),
    String(Vec<u8>),
}

/// Fields by name and in insertion order, as Redis lists those of a small hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Hash {
    fields: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    next: u64,
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        let pairs = |hash: &Self| hash.fields.iter().map(|(name, (_, text))| (name.clone(), text.clone())).collect();
        let (ours, theirs): (Vec<_>, Vec<_>) = (pairs(self), pairs(other));
        ours == theirs
    }
}

impl Eq for Hash {}

impl Hash {
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.get(name).map(|(_, text)| text.as_slice())
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Names and texts in insertion order.
    pub(super) fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        let mut pairs: Vec<_> = self.fields.iter().map(|(name, (at, text))| (*at, name, text)).collect();
        pairs.sort_unstable_by_key(|(at, _, _)| *at);
        pairs.into_iter().map(|(_, name, text)| (name.as_slice(), text.as_slice())).collect()
    }

    /// Sets a field; returns whether it is new.
    fn set(&mut self, name: &[u8], text: &[u8]) -> bool {
        if let Some((_, old)) = self.fields.get_mut(name) {
            text.clone_into(old);
            return false;
        }
        self.fields.insert(name.to_owned(), (self.next, text.to_owned()));
        self.next += 1;
        true
    }
}

impl Item {
    pub(super) fn string(text: &[u8]) -> Self {
        Self { content: Content::String(text.to_owned()), deadline_ms: 0 }
    }

    pub(super) fn hash(fields: &[(&str, &str)], deadline_ms: u64) -> Self {
        let mut hash = Hash::default();
        for (name, text) in fields {
            hash.set(name.as_bytes(), text.as_bytes());
        }
        Self { content: Content::Hash(hash), deadline_ms }
    }

    pub(super) fn deadline_ms(&self) -> u64 {
        self.deadline_ms
    }

    pub(super) fn as_hash(&self) -> Option<&Hash> {
        match &self.content {
            Content::Hash(hash) => Some(hash),
            Content::String(_) => None,
        }
    }
}

impl Snapshot {
    /// Removes expired keys.
    pub(super) fn expire(&mut self, now_ms: u64) {
        self.keys.retain(|_, item| item.deadline_ms == 0 || now_ms <= item.deadline_ms);
    }

    pub(super) fn kind(&self, key: &[u8]) -> &'static str {
        match self.keys.get(key).map(|item| &item.content) {
            None => "none",
            Some(Content::Hash(_)) => "hash",
            Some(Content::String(_)) => "string",
        }
    }

    /// As PEXPIRETIME: -2 without a key, -1 without a deadline.
    pub(super) fn expires(&self, key: &[u8]) -> i64 {
        match self.keys.get(key) {
            None => -2,
            Some(Item { deadline_ms: 0, .. }) => -1,
            Some(item) => item.deadline_ms.cast_signed(),
        }
    }

    /// The hash; `None` without a key.
    pub(super) fn hash(&self, key: &[u8]) -> Result<Option<&Hash>, String> {
        match self.keys.get(key).map(|item| &item.content) {
            None => Ok(None),
            Some(Content::Hash(hash)) => Ok(Some(hash)),
            Some(Content::String(_)) => Err(WRONG_TYPE.to_owned()),
        }
    }

    /// Sets fields given as name, text, name, text; returns how many are new.
    pub(super) fn hset(&mut self, key: &[u8], given: &[Vec<u8>]) -> Result<i64, String> {
        self.hash(key)?;
        let empty = Item { content: Content::Hash(Hash::default()), deadline_ms: 0 };
        let item = self.keys.entry(key.to_owned()).or_insert(empty);
        let Content::Hash(hash) = &mut item.content else { return Err(WRONG_TYPE.to_owned()) };
        let set = given.chunks_exact(2).filter(|pair| hash.set(&pair[0], &pair[1]));
        Ok(i64::try_from(set.count()).expect("few fields"))
    }

    /// Removes a field, and with the last field the key.
    pub(super) fn hdel(&mut self, key: &[u8], name: &[u8]) -> Result<(), String> {
        self.hash(key)?;
        if let Some(Item { content: Content::Hash(hash), .. }) = self.keys.get_mut(key) {
            hash.fields.remove(name);
            if hash.fields.is_empty() {
                self.keys.remove(key);
            }
        }
        Ok(())
    }

    pub(super) fn del(&mut self, key: &[u8]) -> bool {
        self.keys.remove(key).is_some()
    }

    /// Copies a key with its deadline to a name without one; whether it did.
    pub(super) fn copy(&mut self, from: &[u8], to: &[u8]) -> bool {
        let Some(item) = self.keys.get(from).filter(|_| !self.keys.contains_key(to)).cloned() else { return false };
        self.keys.insert(to.to_owned(), item);
        true
    }

    /// Renames a key with its deadline, over another one if there is one.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        let item = self.keys.remove(from).ok_or("ERR no such key")?;
        self.keys.insert(to.to_owned(), item);
        Ok(())
    }

    /// Sets a deadline, which removes the key if it has passed; returns whether there was a key.
    pub(super) fn pexpireat(&mut self, key: &[u8], deadline_ms: i64, now_ms: u64) -> bool {
        let Some(item) = self.keys.get_mut(key) else { return false };
        match u64::try_from(deadline_ms) {
            Ok(deadline_ms) if deadline_ms > now_ms => item.deadline_ms = deadline_ms,
            Ok(_) | Err(_) => drop(self.keys.remove(key)),
        }
        true
    }
}
