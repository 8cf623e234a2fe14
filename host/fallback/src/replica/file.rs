//! Records in a SQLite file, which outlives the process; several processes may use it at once.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::{Connection, OptionalExtension, Params, Result as SqlResult, Row, Transaction, params};

use super::known::{Known, NoteName, RecordUpdate};
use crate::record::{LastAck, Record};
use ticket_store::Key;
use ticket_store::database::{Database, Schema, json, signed};
use ticket_store::{Error, Kind};

/// Old records are dropped once in so many changes, and when a ticket is synced while pending ones take all the room.
const CHANGES_BETWEEN_DROPS: u64 = 64;
/// Acknowledged changes that are read at once: their records are parsed while callers wait for the file.
const ACKS_AT_ONCE: i64 = 1_000;
/// The application id is `tkfb`. A record is JSON text. Columns that are searched for come before it, because a long text
/// lies on pages of its own. Sums and orders use the indexes alone.
const SCHEMA: Schema = Schema {
    application_id: 0x746b_6662,
    version: 2,
    sql: "
    CREATE TABLE record (key TEXT PRIMARY KEY, stamp INTEGER NOT NULL, unsaved_since_ms INTEGER, own_at_ms INTEGER,
        alive_until_ms INTEGER, gone_until_ms INTEGER NOT NULL, used INTEGER NOT NULL, bytes INTEGER NOT NULL,
        text TEXT NOT NULL) STRICT;
    CREATE INDEX record_unsaved ON record (unsaved_since_ms, key, alive_until_ms, bytes)
        WHERE unsaved_since_ms IS NOT NULL;
    CREATE INDEX record_saved ON record (used, key, bytes) WHERE unsaved_since_ms IS NULL;
    CREATE INDEX record_gone ON record (gone_until_ms) WHERE unsaved_since_ms IS NULL;
    CREATE INDEX record_own ON record (own_at_ms) WHERE own_at_ms IS NOT NULL;
    CREATE INDEX record_alive ON record (key, alive_until_ms) WHERE alive_until_ms IS NOT NULL;
    CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
};

/// Records in a file.
#[derive(Debug)]
pub(crate) struct FileReplica {
    database: Database,
    bytes_max: usize,
    changes: AtomicU64,
    full: Arc<AtomicBool>,
}

impl FileReplica {
    /// Opens the file; creates it with mode 0600 if there is none.
    pub(crate) async fn open(path: PathBuf, bytes_max: usize) -> Result<Self, Error> {
        let database = Database::open(path, &SCHEMA).await?;
        let pending_bytes = database.read("list records", |connection| bytes(connection, true)).await?;
        let full = Arc::new(AtomicBool::new(pending_bytes >= bytes_max));
        Ok(Self { database, bytes_max, changes: AtomicU64::default(), full })
    }

    pub(super) fn path(&self) -> &Path {
        self.database.path()
    }

    pub(super) async fn get(&self, key: &Key, now_ms: u64) -> Result<Option<Known>, Error> {
        let key = key.clone();
        self.database.read("read a record", move |connection| load(connection, &key, now_ms)).await
    }

    pub(super) async fn update<T: Send + 'static>(
        &self,
        key: &Key,
        now_ms: u64,
        step: impl FnOnce(Option<&Known>) -> (RecordUpdate, T) + Send + 'static,
    ) -> Result<T, Error> {
        let key = key.clone();
        let is_turn = self.changes.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHANGES_BETWEEN_DROPS);
        let is_full = self.is_full();
        let (bytes_max, full) = (self.bytes_max, Arc::clone(&self.full));
        self.database
            .change("keep a record", move |transaction| {
                let known = load(transaction, &key, now_ms)?;
                let (update, answer) = step(known.as_ref());
                let was_pending = known.as_ref().is_some_and(|known| known.record.pending.is_some());
                let is_synced = was_pending && update.ends_pending();
                match update {
                    RecordUpdate::Keep => {}
                    RecordUpdate::Put(mut record) => {
                        keep_order(transaction, known.as_ref(), &mut record)?;
                        put(transaction, &key, &record, now_ms)?;
                    }
                    RecordUpdate::Forget => forget(transaction, &key)?,
                }
                if is_turn || (is_full && is_synced) {
                    let pending_bytes = drop_old(transaction, now_ms, bytes_max)?;
                    full.store(pending_bytes >= bytes_max, Ordering::Relaxed);
                }
                Ok(answer)
            })
            .await
    }

    pub(super) async fn pending(&self) -> Result<Vec<Key>, Error> {
        let sql = "SELECT key FROM record WHERE unsaved_since_ms IS NOT NULL ORDER BY unsaved_since_ms";
        self.database.read("list records", move |connection| keys(connection, sql, [])).await
    }

    pub(super) async fn pending_count(&self) -> Result<u64, Error> {
        self.database
            .read("count records", |connection| {
                let sql = "SELECT count(*) FROM record WHERE unsaved_since_ms IS NOT NULL";
                let count: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                Ok(count.unsigned_abs())
            })
            .await
    }

    pub(super) async fn last_acks(&self, before: Option<&(u64, Key)>) -> Result<Vec<(Key, LastAck)>, Error> {
        let (before_ms, before_key) = match before {
            Some((at_ms, key)) => (signed(*at_ms), key.to_string()),
            None => (i64::MAX, String::new()),
        };
        self.database
            .read("list records", move |connection| {
                let sql = "SELECT key, text FROM record WHERE own_at_ms <= ?1 AND (own_at_ms, key) < (?1, ?2)
                           ORDER BY own_at_ms DESC, key DESC LIMIT ?3";
                let mut statement = connection.prepare_cached(sql)?;
                let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
                let rows = statement.query_map(params![before_ms, before_key, ACKS_AT_ONCE], row)?;
                let mut found = Vec::new();
                for row in rows {
                    let (key, text) = row?;
                    if let (Ok(key), Ok(Record { last_ack: Some(last_ack), .. })) =
                        (Key::parse(&key), serde_json::from_str(&text))
                    {
                        found.push((key, last_ack));
                    }
                }
                Ok(found)
            })
            .await
    }

    pub(super) async fn pending_alive(&self, now_ms: u64) -> Result<Vec<(Key, bool)>, Error> {
        self.database
            .read("list records", move |connection| {
                let sql =
                    "SELECT key, coalesce(alive_until_ms >= ?1, 0) FROM record WHERE unsaved_since_ms IS NOT NULL";
                let mut statement = connection.prepare_cached(sql)?;
                let rows = statement.query_map([signed(now_ms)], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
                let rows: SqlResult<Vec<(String, bool)>> = rows.collect();
                Ok(rows?.into_iter().filter_map(|(key, alive)| Some((Key::parse(&key).ok()?, alive))).collect())
            })
            .await
    }

    pub(super) async fn page(&self, from: Option<&Key>, limit: usize, now_ms: u64) -> Result<(Vec<Key>, bool), Error> {
        let from = from.map(Key::to_string).unwrap_or_default();
        let mut keys = self
            .database
            .read("list records", move |connection| {
                let sql = "SELECT key FROM record WHERE key > ?1 AND alive_until_ms >= ?2 ORDER BY key LIMIT ?3";
                keys(connection, sql, params![from, signed(now_ms), signed(limit as u64 + 1)])
            })
            .await?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        Ok((keys, more))
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(super) async fn note(&self, name: NoteName) -> Result<Option<String>, Error> {
        self.database.read("read a note", move |connection| noted(connection, name)).await
    }

    pub(super) async fn claim_note(&self, name: NoteName, text: String) -> Result<String, Error> {
        // It is usually there, and a read does not wait for other processes.
        if let Some(noted) = self.note(name).await? {
            return Ok(noted);
        }
        self.database
            .change("keep a note", move |transaction| {
                let sql = "INSERT OR IGNORE INTO note (name, text) VALUES (?1, ?2)";
                transaction.execute(sql, params![name.text(), text])?;
                Ok(noted(transaction, name)?.unwrap_or(text))
            })
            .await
    }

    pub(super) async fn set_note(&self, name: NoteName, text: String) -> Result<(), Error> {
        self.database
            .change("keep a note", move |transaction| {
                let sql = "INSERT OR REPLACE INTO note (name, text) VALUES (?1, ?2)";
                transaction.execute(sql, params![name.text(), text]).map(drop)
            })
            .await
    }

    /// Locks a file beside it; the lock ends with the process that holds it.
    pub(super) fn lock(&self) -> Result<Option<File>, Error> {
        let mut path = self.database.path().as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |error: std::io::Error| {
            Error::new(Kind::Denied, format!("cannot lock {}", path.display())).caused_by(error)
        };
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// A saved record that cannot be parsed counts as none; a pending one is an error and stays as it is.
fn load(connection: &Connection, key: &Key, now_ms: u64) -> SqlResult<Option<Known>> {
    let mut statement = connection.prepare_cached("SELECT text, stamp, unsaved_since_ms FROM record WHERE key = ?1")?;
    let found: Option<(String, i64, Option<i64>)> =
        statement.query_row([key.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((text, stamp, pending_since_ms)) = found else { return Ok(None) };
    let record = match json(&text, &format!("the record of {key}")) {
        Ok(record) => record,
        Err(_) if pending_since_ms.is_none() => return Ok(None),
        Err(error) => return Err(error),
    };
    let known = Known { record, stamp: stamp.cast_unsigned() };
    Ok(Some(known).filter(|known| !known.record.is_stale(now_ms)))
}

fn noted(connection: &Connection, name: NoteName) -> SqlResult<Option<String>> {
    let sql = "SELECT text FROM note WHERE name = ?1";
    connection.query_row(sql, [name.text()], |row| row.get(0)).optional()
}

/// The primary's clock may be set back; the order of acknowledged changes must stay.
fn keep_order(transaction: &Transaction<'_>, known: Option<&Known>, record: &mut Record) -> SqlResult<()> {
    let before = known.and_then(|known| known.record.last_ack.as_ref());
    if before != record.last_ack.as_ref()
        && let Some(last_ack) = &mut record.last_ack
    {
        let latest: Option<i64> =
            transaction.prepare_cached("SELECT max(own_at_ms) FROM record")?.query_row([], |row| row.get(0))?;
        last_ack.at_ms = last_ack.at_ms.max(u64::try_from(latest.unwrap_or(0)).unwrap_or(0));
    }
    Ok(())
}

fn put(transaction: &Transaction<'_>, key: &Key, record: &Record, now_ms: u64) -> SqlResult<()> {
    let text = serde_json::to_string(record).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let sql = "INSERT OR REPLACE INTO record
               (key, stamp, unsaved_since_ms, own_at_ms, alive_until_ms, gone_until_ms, used, bytes, text)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    transaction.prepare_cached(sql)?.execute(params![
        key.as_str(),
        fastrand::i64(..),
        record.pending.as_ref().map(|pending| signed(pending.since_ms)),
        record.last_ack.as_ref().map(|last_ack| signed(last_ack.at_ms)),
        record.alive_until_ms().map(signed),
        signed(record.gone_until_ms),
        signed(now_ms),
        signed(text.len() as u64),
        text,
    ])?;
    Ok(())
}

fn forget(transaction: &Transaction<'_>, key: &Key) -> SqlResult<()> {
    transaction.prepare_cached("DELETE FROM record WHERE key = ?1")?.execute([key.as_str()])?;
    Ok(())
}

fn keys(connection: &Connection, sql: &str, params: impl Params) -> SqlResult<Vec<Key>> {
    let mut statement = connection.prepare_cached(sql)?;
    let names: SqlResult<Vec<String>> = statement.query_map(params, |row| row.get(0))?.collect();
    Ok(names?.iter().filter_map(|name| Key::parse(name).ok()).collect())
}

/// Drops stale records and, over the limit, the least recently used; pending ones stay. The bytes of those.
fn drop_old(transaction: &Transaction<'_>, now_ms: u64, bytes_max: usize) -> SqlResult<usize> {
    let stale = "DELETE FROM record WHERE unsaved_since_ms IS NULL AND gone_until_ms < ?1";
    transaction.prepare_cached(stale)?.execute([signed(now_ms)])?;
    let pending_bytes = bytes(transaction, true)?;
    while bytes(transaction, false)?.saturating_add(pending_bytes) > bytes_max {
        let sql = "DELETE FROM record WHERE key IN
                   (SELECT key FROM record WHERE unsaved_since_ms IS NULL ORDER BY used LIMIT 64)";
        if transaction.execute(sql, [])? == 0 {
            break;
        }
    }
    Ok(pending_bytes)
}

/// Bytes of the records with pending changes, or of the others.
fn bytes(connection: &Connection, pending: bool) -> SqlResult<usize> {
    let sql = if pending {
        "SELECT coalesce(sum(bytes), 0) FROM record WHERE unsaved_since_ms IS NOT NULL"
    } else {
        "SELECT coalesce(sum(bytes), 0) FROM record WHERE unsaved_since_ms IS NULL"
    };
    let bytes: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}
