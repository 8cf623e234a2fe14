//! The store itself: one thread owns the connection and runs the calls in their order. No caller blocks its executor, and
//! a change is applied completely or not at all if its caller is cancelled.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::health;
use super::worker::{Call, Worker};
use crate::contract::Store;
use crate::entry::{Condition, Entry, Freshness, Outcome, Page};
use crate::error::{Error, Kind};
use crate::fields::{Fields, check_fields};
use crate::health::Health;
use crate::key::{Key, KeyNames};
use crate::limits::{check_limit, check_ttl};
use crate::options::Options;

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// Entries in one SQLite file. A clone is another handle to the same connection.
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<Path>,
    names: KeyNames,
    jobs: Sender<Job>,
}

impl SqliteStore {
    /// Opens the file, or creates it (mode 0600, in a folder of mode 0700).
    ///
    /// With `max_page_count` the file grows to at most so many pages of 4 KiB; then writes are `Unavailable`.
    ///
    /// # Errors
    /// - `Invalid`: the file is a database of another application.
    /// - `Corrupt`: the file is not a SQLite database.
    /// - `Denied`: the file has a newer schema, or cannot be written.
    /// - `Unavailable`: another process keeps the file locked.
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
        std::thread::Builder::new().name("ticket-sqlite".into()).spawn(run).map_err(|error| {
            Error::new(Kind::Unavailable, format!("{what}: no thread could be started for it")).caused_by(error)
        })?;
        opened.await.map_err(|_| Error::new(Kind::Unavailable, format!("{what}: its thread ended")))??;
        Ok(Self { path, names: KeyNames::new(options.namespace.as_ref()), jobs })
    }

    /// Runs a job on the thread; `if_unanswered` is the kind of the error if the thread ends first.
    async fn run<T: Send + 'static>(
        &self,
        call: Call,
        if_unanswered: Kind,
        job: impl FnOnce(&mut Worker, &Call) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let ended = format!("{}: the thread of the file has ended; open the store again", call.what);
        let job: Job = Box::new(move |worker| {
            if !reply.is_closed() {
                // The caller may be cancelled in the meantime; the change is applied completely nevertheless.
                drop(reply.send(job(worker, &call)));
            }
        });
        self.jobs.send(job).map_err(|_| Error::new(Kind::Unavailable, ended.clone()))?;
        answer.await.map_err(|_| Error::new(if_unanswered, ended))?
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
        self.run(self.call("read", key), Kind::Unavailable, |worker, call| worker.read(call)).await
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        let when = when.clone();
        let job = move |worker: &mut Worker, call: &Call| worker.write(call, &fields, ttl_ms, &when);
        self.run(self.call("write", key), Kind::Uncertain, job).await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        let job = move |worker: &mut Worker, call: &Call| worker.touch(call, ttl_ms);
        self.run(self.call("touch", key), Kind::Uncertain, job).await
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let when = when.clone();
        let job = move |worker: &mut Worker, call: &Call| worker.remove(call, &when);
        self.run(self.call("remove", key), Kind::Uncertain, job).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let limit = check_limit(limit)?;
        let (names, prefix) = (self.names.clone(), self.names.stored_prefix());
        let what = format!("cannot list {prefix}* in sqlite file {}", self.path.display());
        let name = match cursor {
            Some(text) => names.stored(&Key::parse_cursor(text)?).into_owned(),
            None => prefix,
        };
        let job = move |worker: &mut Worker, call: &Call| worker.scan(call, &names, limit);
        self.run(Call { what, name }, Kind::Unavailable, job).await
    }

    async fn health(&self) -> Result<Health, Error> {
        let what = format!("cannot check sqlite file {}", self.path.display());
        let call = Call { what, name: String::new() };
        self.run(call, Kind::Unavailable, |worker, call| health::report(worker, &call.what)).await
    }
}
