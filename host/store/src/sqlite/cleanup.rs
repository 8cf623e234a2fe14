//! Deleting entries that have expired: old ones from time to time, and others when the file is full.

use rusqlite::{Connection, Result as SqlResult, Transaction, TransactionBehavior};

use super::file_time::{self, FileTime};
use super::rows;

/// So many are deleted at once: more than the changes since the last time can have left, and a millisecond or two of work.
const DELETED_AT_ONCE_MAX: u32 = 256;
/// So many are deleted at once in a full file: deleting needs room in the log too.
const DELETED_FOR_ROOM: u32 = 16;

/// Deletes what had expired when the day of the file began, if that day is over; takes no lock if it is not.
///
/// Not what has expired by now: the clock of this process may be ahead of that of others, and then nothing would be left
/// of their entries.
pub(super) fn delete_old(connection: &Connection) -> SqlResult<()> {
    if !file_time::load(connection)?.is_some_and(FileTime::is_day_over) {
        return Ok(());
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    // Again under the lock: another process may have been first.
    if let Some(time) = file_time::load(&transaction)?.filter(|time| time.is_day_over()) {
        let deleted = rows::delete_expired(&transaction, time.since_ms, DELETED_AT_ONCE_MAX)?;
        if deleted < DELETED_AT_ONCE_MAX {
            file_time::begin_day(&transaction, time)?;
        }
    }
    transaction.commit()
}

/// Makes room in a file that is full or on a full disk; false if nothing can be gained.
///
/// The write-ahead log is copied into the file first, so that its space is used again. Then entries that have expired are
/// deleted without delay, a few with the earliest deadlines at each attempt: a store that accepts nothing
/// helps no client.
pub(super) fn make_room(connection: &Connection, clock_ms: u64, is_first_attempt: bool) -> SqlResult<bool> {
    if is_first_attempt && empty_log(connection)? {
        return Ok(true);
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let deleted = rows::delete_expired(&transaction, clock_ms, DELETED_FOR_ROOM)?;
    transaction.commit()?;
    Ok(deleted > 0)
}

/// Whether the whole log could be copied, so that it is written from its beginning again. Its file keeps its size: what
/// would be given back to a full disk may be taken by another program.
fn empty_log(connection: &Connection) -> SqlResult<bool> {
    let copied = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| {
        let (is_busy, pages, copied): (bool, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(!is_busy && pages == copied)
    });
    // On a full disk the file cannot grow; deleting may still work.
    Ok(copied.unwrap_or(false))
}
