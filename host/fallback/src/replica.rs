//! The replica: a record of each ticket that this host has read or written, in memory or in a file.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::record::LastAck;
use ticket_store::Key;
use ticket_store::{Error, Kind};

mod file;
mod known;
mod memory;

pub(super) use file::FileReplica;
pub(super) use known::{Known, NoteName, RecordUpdate};
pub(super) use memory::MemoryReplica;

/// How long a call waits for the file: a process that holds it may have been stopped.
const FILE_TIME: Duration = Duration::from_millis(500);

/// Holds the records. Every update is atomic.
#[derive(Debug)]
pub(super) enum Replica {
    Memory(MemoryReplica),
    File(FileReplica),
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(_) => f.write_str("memory:"),
            Self::File(file) => write!(f, "sqlite:{}", file.path().display()),
        }
    }
}

impl Replica {
    /// The record of a key; none if it is stale. In memory it counts as used; a file goes by the last change.
    pub(super) async fn get(&self, key: &Key, now_ms: u64) -> Result<Option<Known>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.get(key, now_ms)),
            Self::File(file) => in_time(Kind::Unavailable, file.get(key, now_ms)).await,
        }
    }

    /// Changes the record of a key by a step, which must be quick: it runs under a lock.
    pub(super) async fn update<T: Send + 'static>(
        &self,
        key: &Key,
        now_ms: u64,
        step: impl FnOnce(Option<&Known>) -> (RecordUpdate, T) + Send + 'static,
    ) -> Result<T, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.update(key, now_ms, step)),
            // A change that has begun is completed, also after the time-out.
            Self::File(file) => in_time(Kind::Uncertain, file.update(key, now_ms, step)).await,
        }
    }

    /// As [`Replica::update`], unless the record was changed after `stamp`; whether it did.
    pub(super) async fn update_at(
        &self,
        key: &Key,
        stamp: Option<u64>,
        now_ms: u64,
        step: impl FnOnce(Option<&Known>) -> RecordUpdate + Send + 'static,
    ) -> Result<bool, Error> {
        let at_stamp = move |known: Option<&Known>| {
            if known.map(|known| known.stamp) == stamp { (step(known), true) } else { (RecordUpdate::Keep, false) }
        };
        self.update(key, now_ms, at_stamp).await
    }

    /// Keys with pending changes, the oldest first.
    pub(super) async fn pending(&self) -> Result<Vec<Key>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.pending()),
            Self::File(file) => file.pending().await,
        }
    }

    /// Keys with pending changes, and whether their tickets exist here.
    pub(super) async fn pending_alive(&self, now_ms: u64) -> Result<Vec<(Key, bool)>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.pending_alive(now_ms)),
            Self::File(file) => file.pending_alive(now_ms).await,
        }
    }

    /// How many keys have pending changes.
    pub(super) async fn pending_count(&self) -> Result<u64, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.pending_count()),
            Self::File(file) => file.pending_count().await,
        }
    }

    /// The last acknowledged changes before one of this time and key, the newest first: all of those in memory, the next
    /// thousand of a file. None is left if there are none.
    pub(super) async fn last_acks(&self, before: Option<&(u64, Key)>) -> Result<Vec<(Key, LastAck)>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.last_acks(before)),
            Self::File(file) => file.last_acks(before).await,
        }
    }

    /// Up to `limit` keys of tickets that exist here, after `from`; whether there are more.
    pub(super) async fn page(&self, from: Option<&Key>, limit: usize, now_ms: u64) -> Result<(Vec<Key>, bool), Error> {
        match self {
            Self::Memory(memory) => Ok(memory.page(from, limit, now_ms)),
            Self::File(file) => file.page(from, limit, now_ms).await,
        }
    }

    /// Whether pending changes take all the room.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Memory(memory) => memory.is_full(),
            Self::File(file) => file.is_full(),
        }
    }

    /// Keys whose pending changes are lost when this process ends.
    pub(super) fn lost_with_process(&self) -> Vec<Key> {
        match self {
            Self::Memory(memory) => memory.pending(),
            Self::File(_) => Vec::new(),
        }
    }

    /// The text of a note.
    pub(super) async fn note(&self, name: NoteName) -> Result<Option<String>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.note(name)),
            Self::File(file) => file.note(name).await,
        }
    }

    /// Replaces the text of a note.
    pub(super) async fn set_note(&self, name: NoteName, text: String) -> Result<(), Error> {
        match self {
            Self::Memory(memory) => {
                memory.set_note(name, text);
                Ok(())
            }
            Self::File(file) => file.set_note(name, text).await,
        }
    }

    /// Sets the text of a note if there is none; the text after that.
    pub(super) async fn claim_note(&self, name: NoteName, text: String) -> Result<String, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.claim_note(name, text)),
            Self::File(file) => file.claim_note(name, text).await,
        }
    }

    /// The right to sync the records, which one process has at a time; none if another has it.
    pub(super) fn lock(&self) -> Result<Option<Lock>, Error> {
        match self {
            Self::Memory(_) => Ok(Some(Lock(None))),
            Self::File(file) => Ok(file.lock()?.map(|file| Lock(Some(file)))),
        }
    }
}

async fn in_time<T>(kind: Kind, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match timeout(FILE_TIME, call).await {
        Ok(answer) => answer,
        Err(_) => Err(late(kind)),
    }
}

/// The error of a file that does not answer.
pub(super) fn late(kind: Kind) -> Error {
    Error::new(kind, "the file of the fallback did not answer in time")
}

/// The right to sync the records, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "holds the lock of the file")] Option<std::fs::File>);
