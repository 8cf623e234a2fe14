//! What the thread of a file does: each call in a transaction of its own.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Result as SqlResult, Transaction, TransactionBehavior};

use super::cleanup;
use super::errors;
use super::file_time;
use super::open::{self, TICKETS};
use super::rows::{self, Rows};
use crate::clock::Clock;
use crate::deadline;
use crate::entry::{Condition, Entry, Outcome, Page};
use crate::error::Error;
use crate::fields::Fields;
use crate::key::{Key, KeyNames};
use crate::revision::Revision;

/// Old entries are looked for after the first change of a process, which may be its only one, and then after so many.
pub(super) const CHANGES_PER_CLEANUP: u32 = 64;

/// What the thread owns.
pub(super) struct Worker {
    pub(super) connection: Connection,
    pub(super) path: Arc<Path>,
    pub(super) clock: Arc<dyn Clock>,
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

/// A change in its transaction.
struct Change<'transaction> {
    connection: &'transaction Connection,
    /// What the clock of this process shows.
    clock_ms: u64,
    path: &'transaction Path,
}

impl Change<'_> {
    /// The new deadline of an entry, counted from the time of the file.
    fn choose_deadline(&self, ttl_ms: u64, current: Option<&Rows>) -> SqlResult<u64> {
        let now_ms = file_time::advance(self.connection, self.clock_ms, self.path)?;
        Ok(deadline::choose(now_ms, ttl_ms, current.map_or(0, Rows::expires_at_ms)))
    }
}

impl Worker {
    pub(super) fn open(path: Arc<Path>, max_page_count: Option<u32>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let connection = open::open(&path, max_page_count, &TICKETS)?;
        Ok(Self { connection, path, clock, changes_until_cleanup: 0 })
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
        self.change(call, |change, current| {
            if !holds(when, current.as_ref(), call)? {
                return Ok(Outcome::Refused(entry(current.as_ref(), call)?));
            }
            let expires_at_ms = call.sql(change.choose_deadline(ttl_ms, current.as_ref()))?;
            call.sql(rows::replace(change.connection, &call.name, fields, expires_at_ms, current))?;
            Ok(Outcome::Written { revision: Revision::of(fields, expires_at_ms), expires_at_ms })
        })
    }

    pub(super) fn touch(&mut self, call: &Call, ttl_ms: u64) -> Result<Outcome, Error> {
        self.change(call, |change, current| {
            let Some(rows) = current else { return Ok(Outcome::Refused(None)) };
            let expires_at_ms = call.sql(change.choose_deadline(ttl_ms, Some(&rows)))?;
            call.sql(rows::set_deadline(change.connection, &call.name, expires_at_ms))?;
            Ok(Outcome::Written { revision: rows.revision(expires_at_ms), expires_at_ms })
        })
    }

    pub(super) fn remove(&mut self, call: &Call, when: &Condition) -> Result<Outcome, Error> {
        self.change(call, |change, current| {
            if !holds(when, current.as_ref(), call)? {
                return Ok(Outcome::Refused(entry(current.as_ref(), call)?));
            }
            call.sql(rows::delete(change.connection, call.name.as_bytes()))?;
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
        make: impl Fn(&Change<'_>, Option<Rows>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let mut outcome = self.transact(call, &make);
        let mut is_first_attempt = true;
        while outcome.as_ref().is_err_and(errors::is_full) && self.make_room(is_first_attempt) {
            outcome = self.transact(call, &make);
            is_first_attempt = false;
        }
        if self.changes_until_cleanup == 0 {
            self.changes_until_cleanup = CHANGES_PER_CLEANUP;
            self.delete_old();
        }
        self.changes_until_cleanup -= 1;
        outcome
    }

    fn transact(
        &self,
        call: &Call,
        make: impl Fn(&Change<'_>, Option<Rows>) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let transaction = call.sql(self.begin())?;
        // Read under the lock: other processes may have held it for a while.
        let clock_ms = self.clock.now_ms();
        let rows = call.sql(Rows::load(&transaction, &call.name))?;
        let change = Change { connection: &transaction, clock_ms, path: &self.path };
        let outcome = make(&change, unexpired(rows, clock_ms))?;
        transaction.commit().map_err(|error| errors::of_commit(&call.what, error))?;
        Ok(outcome)
    }

    /// Deletes old entries. If it fails, they stay until a later change; the one before is not affected.
    fn delete_old(&self) {
        if let Err(error) = cleanup::delete_old(&self.connection) {
            tracing::debug!(path = %self.path.display(), %error, "old entries could not be deleted yet");
        }
    }

    fn make_room(&self, is_first_attempt: bool) -> bool {
        let room = cleanup::make_room(&self.connection, self.clock.now_ms(), is_first_attempt);
        room.unwrap_or_else(|error| {
            tracing::debug!(path = %self.path.display(), %error, "no room could be made in a full file");
            false
        })
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
