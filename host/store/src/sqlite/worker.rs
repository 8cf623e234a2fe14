//! What the thread of a file does: each call in a transaction of its own.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Result as SqlResult, Transaction, TransactionBehavior};

use super::errors;
use super::open::{self, TICKETS};
use super::rows::{self, Rows};
use crate::clock::Clock;
use crate::deadline;
use crate::entry::{Condition, Entry, Outcome, Page};
use crate::error::Error;
use crate::fields::Fields;
use crate::key::{Key, KeyNames};
use crate::revision::Revision;

/// Expired entries are deleted after so many changes, and when the file is opened.
pub(super) const CHANGES_PER_CLEANUP: u32 = 64;
/// So many at once: more than the changes since can have left, and a millisecond or two of work.
const DELETED_AT_ONCE_MAX: u32 = 4 * CHANGES_PER_CLEANUP;

/// What the thread owns.
pub(super) struct Worker {
    pub(super) connection: Connection,
    pub(super) path: Arc<Path>,
    clock: Arc<dyn Clock>,
    changes_until_cleanup: u32,
}

/// What a call is about.
pub(super) struct Call {
    /// The beginning of its errors.
    pub(super) what: String,
    /// The name of the entry in the file.
    pub(super) name: String,
}

impl Call {
    fn sql<T>(&self, result: SqlResult<T>) -> Result<T, Error> {
        result.map_err(|error| errors::of(&self.what, error))
    }
}

impl Worker {
    pub(super) fn open(path: Arc<Path>, max_page_count: Option<u32>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let connection = open::open(&path, max_page_count, &TICKETS)?;
        let worker = Self { connection, path, clock, changes_until_cleanup: CHANGES_PER_CLEANUP };
        worker.delete_expired();
        Ok(worker)
    }

    pub(super) fn read(&self, call: &Call) -> Result<Option<Entry>, Error> {
        let now_ms = self.clock.now_ms();
        let rows = call.sql(Rows::load(&self.connection, &call.name))?;
        entry(unexpired(rows, now_ms).as_ref(), call)
    }

    pub(super) fn write(
        &mut self,
        call: &Call,
        fields: &Fields,
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, Error> {
        self.change(call, |connection, current, now_ms| {
            if !holds(when, current.as_ref(), call)? {
                return Ok(Outcome::Refused(entry(current.as_ref(), call)?));
            }
            let expires_at_ms = choose_deadline(now_ms, ttl_ms, current.as_ref());
            call.sql(rows::replace(connection, &call.name, fields, expires_at_ms, current))?;
            Ok(Outcome::Written { revision: Revision::of(fields, expires_at_ms), expires_at_ms })
        })
    }

    pub(super) fn touch(&mut self, call: &Call, ttl_ms: u64) -> Result<Outcome, Error> {
        self.change(call, |connection, current, now_ms| {
            let Some(rows) = current else { return Ok(Outcome::Refused(None)) };
            let expires_at_ms = choose_deadline(now_ms, ttl_ms, Some(&rows));
            call.sql(rows::set_deadline(connection, &call.name, expires_at_ms))?;
            Ok(Outcome::Written { revision: rows.revision(expires_at_ms), expires_at_ms })
        })
    }

    pub(super) fn remove(&mut self, call: &Call, when: &Condition) -> Result<Outcome, Error> {
        self.change(call, |connection, current, _| {
            if !holds(when, current.as_ref(), call)? {
                return Ok(Outcome::Refused(entry(current.as_ref(), call)?));
            }
            call.sql(rows::delete(connection, call.name.as_bytes()))?;
            Ok(Outcome::Removed)
        })
    }

    /// Lists the names after that of the call.
    pub(super) fn scan(&self, call: &Call, names: &KeyNames, limit: usize) -> Result<Page, Error> {
        let (mut keys, mut has_more) = (Vec::new(), false);
        let keep = |name: &str| {
            if let Some(key) = names.key(name) {
                has_more = keys.len() == limit;
                if !has_more {
                    keys.push(key);
                }
            }
            !has_more
        };
        call.sql(rows::names(&self.connection, &call.name, &names.stored_prefix(), self.clock.now_ms(), keep))?;
        let cursor = keys.last().filter(|_| has_more).map(Key::to_string);
        Ok(Page { keys, cursor })
    }

    /// Runs a change of one entry in a transaction: applied completely, or not at all after an error.
    fn change(
        &mut self,
        call: &Call,
        make: impl FnOnce(&Connection, Option<Rows>, u64) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        if self.changes_until_cleanup == 0 {
            self.changes_until_cleanup = CHANGES_PER_CLEANUP;
            self.delete_expired();
        }
        self.changes_until_cleanup -= 1;
        let outcome = self.transact(call, make);
        if outcome.is_err() {
            // The file may be full of expired entries.
            self.changes_until_cleanup = 0;
        }
        outcome
    }

    fn transact(
        &self,
        call: &Call,
        make: impl FnOnce(&Connection, Option<Rows>, u64) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let transaction = call.sql(self.begin())?;
        // Read under the lock: other processes may have held it for a while.
        let now_ms = self.clock.now_ms();
        let rows = call.sql(Rows::load(&transaction, &call.name))?;
        let outcome = make(&transaction, unexpired(rows, now_ms), now_ms)?;
        transaction.commit().map_err(|error| errors::of_commit(&call.what, error))?;
        Ok(outcome)
    }

    /// Deletes expired entries. If it fails, the next change reports why; a read is not affected.
    fn delete_expired(&self) {
        let deleted = rows::delete_expired(&self.connection, self.clock.now_ms(), DELETED_AT_ONCE_MAX);
        if let Err(error) = deleted {
            tracing::debug!(path = %self.path.display(), %error, "expired entries could not be deleted yet");
        }
    }

    /// A transaction that may write from its beginning, so that no other comes between read and change.
    pub(super) fn begin(&self) -> SqlResult<Transaction<'_>> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
    }
}

fn unexpired(rows: Option<Rows>, now_ms: u64) -> Option<Rows> {
    rows.filter(|rows| !deadline::is_over(rows.expires_at_ms(), now_ms))
}

fn holds(when: &Condition, current: Option<&Rows>, call: &Call) -> Result<bool, Error> {
    match current {
        Some(rows) => rows.meet(when, &call.name),
        None => Ok(*when == Condition::Absent),
    }
}

fn entry(current: Option<&Rows>, call: &Call) -> Result<Option<Entry>, Error> {
    current.map(|rows| rows.entry(&call.name)).transpose()
}

fn choose_deadline(now_ms: u64, ttl_ms: u64, current: Option<&Rows>) -> u64 {
    deadline::choose(now_ms, ttl_ms, current.map_or(0, Rows::expires_at_ms))
}
