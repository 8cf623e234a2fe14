//! The store in one SQLite file, which several processes may use at once.
//!
//! The file is in WAL mode with `synchronous=NORMAL`: what was acknowledged survives kill -9; a power cut may
//! lose the last changes, never the file. One thread owns the connection and takes calls in their order, so
//! that no caller blocks its executor, and a caller that goes away leaves a change made wholly or not at all.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::deadline;
use super::entry::{Condition, Entry, Fields, Freshness, Outcome, Page, Revision, check_fields};
use super::error::{Error, Kind};
use super::health::Health;
use super::key::{Key, KeyNames};
use super::options::Options;
use super::{Store, check_limit};
use crate::clock::Clock;
use rows::Rows;

pub mod database;
mod error;
mod file;
mod health;
mod rows;
#[cfg(test)]
mod tests;

/// After so many changes, and when the file is opened, expired entries are dropped.
const CHANGES_BETWEEN_DROPS: u32 = 64;
/// So many at once: more than the changes since can have left behind, and a millisecond or two of work.
const DROPPED_AT_ONCE_MAX: u32 = 4 * CHANGES_BETWEEN_DROPS;

/// Entries in one SQLite file. A clone is another handle to the same connection.
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<Path>,
    names: KeyNames,
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// What the thread owns.
struct Worker {
    connection: Connection,
    clock: Arc<dyn Clock>,
    path: Arc<Path>,
    changes_until_drop: u32,
}

impl SqliteStore {
    /// Opens the file, and makes it (mode 0600, in a folder of mode 0700) where there is none.
    ///
    /// With `max_page_count` the file grows to so many pages of 4 KiB at most, and is then `Unavailable`.
    ///
    /// # Errors
    /// `Invalid` for a database of another application, `Corrupt` for a file that is no database, `Denied` for
    /// one of a newer schema or that cannot be written, `Unavailable` for one that stays locked.
    pub async fn open(path: PathBuf, max_page_count: Option<u32>, options: &Options) -> Result<Self, Error> {
        let path: Arc<Path> = path.into();
        let (jobs, queue) = mpsc::channel::<Job>();
        let (report, opened) = oneshot::channel();
        let (clock, at) = (Arc::clone(&options.clock), Arc::clone(&path));
        let run = move || {
            let mut worker = match Worker::open(at, max_page_count, clock) {
                Ok(worker) => worker,
                Err(error) => return drop(report.send(Err(error))),
            };
            if report.send(Ok(())).is_ok() {
                queue.into_iter().for_each(|job| job(&mut worker));
            }
        };
        let what = format!("cannot open sqlite file {}", path.display());
        std::thread::Builder::new()
            .name("ticket-sqlite".into())
            .spawn(run)
            .map_err(|error| Error::new(Kind::Unavailable, format!("{what}: no thread for it")).caused_by(error))?;
        opened.await.map_err(|_| Error::new(Kind::Unavailable, format!("{what}: its thread ended")))??;
        Ok(Self { path, names: KeyNames::new(options.namespace.as_ref()), jobs })
    }

    /// Runs a job on the thread; `lost` is what it means that no answer came.
    async fn run<T: Send + 'static>(
        &self,
        call: Call,
        lost: Kind,
        job: impl FnOnce(&mut Worker, &Call) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let ended = format!("{}: the thread of the file has ended", call.what);
        let job: Job = Box::new(move |worker| {
            if !reply.is_closed() {
                // Who asked may have gone in the meantime; the change is made wholly all the same.
                drop(reply.send(job(worker, &call)));
            }
        });
        self.jobs.send(job).map_err(|_| Error::new(Kind::Unavailable, ended.clone()))?;
        answer.await.map_err(|_| Error::new(lost, ended))?
    }

    fn call(&self, verb: &str, key: &Key) -> Call {
        let name = self.names.stored(key).into_owned();
        Call { what: format!("cannot {verb} {name} in sqlite file {}", self.path.display()), name }
    }
}

impl fmt::Display for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.path.display())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).field("names", &self.names).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self, key: &Key, _freshness: Freshness) -> Result<Option<Entry>, Error> {
        let call = self.call("read", key);
        self.run(call, Kind::Unavailable, |worker, call| {
            let now_ms = worker.clock.now_ms();
            let rows = Rows::load(&worker.connection, &call.name).map_err(|e| error::of(&call.what, e))?;
            current(alive(rows, now_ms).as_ref(), call)
        })
        .await
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        deadline::check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        let (call, when) = (self.call("write", key), when.clone());
        self.run(call, Kind::Uncertain, move |worker, call| {
            worker.change(call, |connection, there, now_ms| {
                if !meets(there.as_ref(), &when, call)? {
                    return Ok(Outcome::Refused(current(there.as_ref(), call)?));
                }
                let expires_at_ms = name_deadline(now_ms, ttl_ms, there.as_ref());
                rows::replace(connection, &call.name, &fields, expires_at_ms, there)
                    .map_err(|e| error::of(&call.what, e))?;
                Ok(Outcome::Written { revision: Revision::of(&fields, expires_at_ms), expires_at_ms })
            })
        })
        .await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        deadline::check_ttl(ttl_ms)?;
        let call = self.call("touch", key);
        self.run(call, Kind::Uncertain, move |worker, call| {
            worker.change(call, |connection, there, now_ms| {
                let Some(rows) = there else { return Ok(Outcome::Refused(None)) };
                let expires_at_ms = name_deadline(now_ms, ttl_ms, Some(&rows));
                rows::set_deadline(connection, &call.name, expires_at_ms).map_err(|e| error::of(&call.what, e))?;
                Ok(Outcome::Written { revision: rows.revision(expires_at_ms), expires_at_ms })
            })
        })
        .await
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let (call, when) = (self.call("remove", key), when.clone());
        self.run(call, Kind::Uncertain, move |worker, call| {
            worker.change(call, |connection, there, _| {
                if !meets(there.as_ref(), &when, call)? {
                    return Ok(Outcome::Refused(current(there.as_ref(), call)?));
                }
                rows::delete(connection, call.name.as_bytes()).map_err(|e| error::of(&call.what, e))?;
                Ok(Outcome::Removed)
            })
        })
        .await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let limit = check_limit(limit)?;
        let (names, prefix) = (self.names.clone(), self.names.stored_prefix());
        let from = cursor.map(Key::parse).transpose()?.map(|key| names.stored(&key).into_owned());
        let what = format!("cannot list {prefix}* in sqlite file {}", self.path.display());
        let call = Call { what, name: from.unwrap_or_else(|| prefix.clone()) };
        self.run(call, Kind::Unavailable, move |worker, call| {
            let (mut keys, mut more) = (Vec::new(), false);
            rows::names(&worker.connection, &call.name, &prefix, worker.clock.now_ms(), |name| {
                if let Some(key) = names.key(name) {
                    more = keys.len() == limit;
                    if !more {
                        keys.push(key);
                    }
                }
                !more
            })
            .map_err(|e| error::of(&call.what, e))?;
            let cursor = keys.last().filter(|_| more).map(Key::to_string);
            Ok(Page { keys, cursor })
        })
        .await
    }

    async fn health(&self) -> Result<Health, Error> {
        let what = format!("cannot look at sqlite file {}", self.path.display());
        let call = Call { what, name: String::new() };
        self.run(call, Kind::Unavailable, |worker, call| health::look(worker, &call.what)).await
    }
}

/// What a job is about.
struct Call {
    /// The beginning of its errors.
    what: String,
    /// The name in the file.
    name: String,
}

impl Worker {
    fn open(path: Arc<Path>, max_page_count: Option<u32>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let connection = file::open(&path, max_page_count, &file::TICKETS)?;
        let worker = Self { connection, clock, path, changes_until_drop: CHANGES_BETWEEN_DROPS };
        worker.drop_expired();
        Ok(worker)
    }

    /// Runs a change of one entry in a transaction of its own: made wholly, or not at all after an error.
    fn change(
        &mut self,
        call: &Call,
        make: impl FnOnce(&Connection, Option<Rows>, u64) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        if self.changes_until_drop == 0 {
            self.changes_until_drop = CHANGES_BETWEEN_DROPS;
            self.drop_expired();
        }
        self.changes_until_drop -= 1;
        let outcome = self.transact(call, make);
        if outcome.is_err() {
            // The file may be full of what has expired.
            self.changes_until_drop = 0;
        }
        outcome
    }

    fn transact(
        &self,
        call: &Call,
        make: impl FnOnce(&Connection, Option<Rows>, u64) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let transaction = self.begin(&call.what)?;
        // Looked at under the lock: others may have kept it for a while.
        let now_ms = self.clock.now_ms();
        let rows = Rows::load(&transaction, &call.name).map_err(|e| error::of(&call.what, e))?;
        let outcome = make(&transaction, alive(rows, now_ms), now_ms)?;
        transaction.commit().map_err(|e| error::of_commit(&call.what, e))?;
        Ok(outcome)
    }

    /// Housekeeping: when it fails, the next change says why, and a read need not know.
    fn drop_expired(&self) {
        let dropped = rows::delete_expired(&self.connection, self.clock.now_ms(), DROPPED_AT_ONCE_MAX);
        if let Err(error) = dropped {
            tracing::debug!(path = %self.path.display(), %error, "expired entries stay for now");
        }
    }

    /// A transaction that may write from its beginning, so that no other comes between look and change.
    fn begin(&self, what: &str) -> Result<Transaction<'_>, Error> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate).map_err(|e| error::of(what, e))
    }
}

/// The rows of an entry that has not ended.
fn alive(rows: Option<Rows>, now_ms: u64) -> Option<Rows> {
    rows.filter(|rows| !deadline::is_over(rows.expires_at_ms(), now_ms))
}

fn meets(there: Option<&Rows>, when: &Condition, call: &Call) -> Result<bool, Error> {
    match there {
        Some(rows) => rows.meet(when, &call.name),
        None => Ok(*when == Condition::Absent),
    }
}

fn current(there: Option<&Rows>, call: &Call) -> Result<Option<Entry>, Error> {
    there.map(|rows| rows.entry(&call.name)).transpose()
}

fn name_deadline(now_ms: u64, ttl_ms: u64, there: Option<&Rows>) -> u64 {
    deadline::name(now_ms, ttl_ms, there.map_or(0, Rows::expires_at_ms))
}
