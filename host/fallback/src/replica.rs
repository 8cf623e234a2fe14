//! The shadow: a record of each ticket that this host touched, in memory or in a file.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::record::{LastAck, Record};
use ticket_store::Key;
use ticket_store::{Error, Kind};

mod file;
mod memory;

pub(super) use file::FileReplica;
pub(super) use memory::MemoryReplica;

/// A record, and a number that differs with every change of it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) record: Record,
    pub(super) stamp: u64,
}

/// What becomes of a record.
#[derive(Debug)]
pub(super) enum RecordUpdate {
    /// It stays as it is.
    Keep,
    /// It becomes this.
    Put(Record),
    /// It is forgotten.
    Forget,
}

/// What is noted beside the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NoteName {
    /// The primary that the records are of.
    Store,
    /// The data set of the primary that the records speak of.
    DatasetId,
    /// The last reconciliation, as JSON.
    SyncReport,
}

impl NoteName {
    fn text(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::DatasetId => "origin",
            Self::SyncReport => "reconciliation",
        }
    }
}

/// How long a call waits for the file: another process may have it, and may have been stopped at that moment.
const FILE_TIME: Duration = Duration::from_millis(500);

/// Where the records are. Every update is atomic.
#[derive(Clone, Debug)]
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
    /// The record of a key that still says something, used now.
    pub(super) async fn get(&self, key: &Key, now_ms: u64) -> Result<Option<Known>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.get(key, now_ms)),
            Self::File(file) => in_time(Kind::Unavailable, file.get(key, now_ms)).await,
        }
    }

    /// Changes the record of a key by what `step` makes of it, which must do nothing else: it runs under a lock.
    pub(super) async fn update<T: Send + 'static>(
        &self,
        key: &Key,
        now_ms: u64,
        step: impl FnOnce(Option<&Known>) -> (RecordUpdate, T) + Send + 'static,
    ) -> Result<T, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.update(key, now_ms, step)),
            // What has begun runs to its end.
            Self::File(file) => in_time(Kind::Uncertain, file.update(key, now_ms, step)).await,
        }
    }

    /// Changes a record as [`Replica::update`], where nobody has changed it since `stamp`; whether it did.
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

    /// Keys with unsaved changes, the oldest first.
    pub(super) async fn pending(&self) -> Result<Vec<Key>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.pending()),
            Self::File(file) => file.pending().await,
        }
    }

    /// Keys with unsaved changes, and whether their tickets are there.
    pub(super) async fn pending_alive(&self, now_ms: u64) -> Result<Vec<(Key, bool)>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.pending_alive(now_ms)),
            Self::File(file) => file.pending_alive(now_ms).await,
        }
    }

    /// How many keys have unsaved changes.
    pub(super) async fn pending_count(&self) -> Result<u64, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.pending_count()),
            Self::File(file) => file.pending_count().await,
        }
    }

    /// Keys whose last own change the primary acknowledged, the newest first.
    pub(super) async fn last_acks(&self) -> Result<Vec<(Key, LastAck)>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.last_acks()),
            Self::File(file) => file.last_acks().await,
        }
    }

    /// Up to `limit` keys of tickets that are there, after `from`; whether there are more.
    pub(super) async fn page(&self, from: Option<&Key>, limit: usize, now_ms: u64) -> Result<(Vec<Key>, bool), Error> {
        match self {
            Self::Memory(memory) => Ok(memory.page(from, limit, now_ms)),
            Self::File(file) => file.page(from, limit, now_ms).await,
        }
    }

    /// Whether unsaved changes take all the room there is.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Memory(memory) => memory.is_full(),
            Self::File(file) => file.is_full(),
        }
    }

    /// Keys whose unsaved changes end with this process.
    pub(super) fn lost_with_process(&self) -> Vec<Key> {
        match self {
            Self::Memory(memory) => memory.pending(),
            Self::File(_) => Vec::new(),
        }
    }

    /// What was noted under a name; none before.
    pub(super) async fn note(&self, name: NoteName) -> Result<Option<String>, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.note(name)),
            Self::File(file) => file.note(name).await,
        }
    }

    /// Notes something that is true of all records, in place of what was noted before.
    pub(super) async fn set_note(&self, name: NoteName, text: String) -> Result<(), Error> {
        match self {
            Self::Memory(memory) => {
                memory.set_note(name, text);
                Ok(())
            }
            Self::File(file) => file.set_note(name, text).await,
        }
    }

    /// Notes something unless that was noted before; what is noted now.
    pub(super) async fn claim_note(&self, name: NoteName, text: String) -> Result<String, Error> {
        match self {
            Self::Memory(memory) => Ok(memory.claim_note(name, text)),
            Self::File(file) => file.claim_note(name, text).await,
        }
    }

    /// The right to bring the records home, which one process has at a time; none where another has it.
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

/// The error where the file does not answer.
pub(super) fn late(kind: Kind) -> Error {
    Error::new(kind, "the file of the fallback did not answer in time")
}

/// The right to bring the records home, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "holds the lock of the file")] Option<std::fs::File>);
