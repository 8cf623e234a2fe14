//! A SQLite file of ours for something else than tickets: jobs that block no executor, and looks that wait for no change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::Type;
use rusqlite::{Connection, Result as SqlResult, Transaction, TransactionBehavior};
use serde::de::DeserializeOwned;

pub use super::file::Schema;
use super::{error, file};
use crate::error::{Error, Kind};

/// An open file; cloning it gives another handle to the same connections.
#[derive(Clone, Debug)]
pub struct Database {
    path: Arc<Path>,
    changes: Arc<Mutex<Connection>>,
    /// Of its own: a change may wait for another process, and a look need not.
    looks: Arc<Mutex<Connection>>,
}

impl Database {
    /// Opens the file, and makes it (mode 0600, in a folder of mode 0700) where there is none.
    ///
    /// # Errors
    /// As [`super::SqliteStore::open`].
    pub async fn open(path: PathBuf, schema: &'static Schema) -> Result<Self, Error> {
        let path: Arc<Path> = path.into();
        let at = Arc::clone(&path);
        let [changes, looks] = off_the_executor(move || {
            Ok([file::open(&at, None, schema)?, file::open(&at, None, schema)?].map(Mutex::new).map(Arc::new))
        })
        .await?;
        Ok(Self { path, changes, looks })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a job in a transaction that may write from its beginning. It runs to its end once begun, also
    /// when the caller goes away.
    pub async fn change<T: Send + 'static>(
        &self,
        verb: &str,
        job: impl FnOnce(&Transaction<'_>) -> SqlResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        let what = format!("cannot {verb} in sqlite file {}", self.path.display());
        let connection = Arc::clone(&self.changes);
        off_the_executor(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)
                .map_err(|e| error::of(&what, e))?;
            let answer = job(&transaction).map_err(|e| error::of(&what, e))?;
            transaction.commit().map_err(|e| error::of_commit(&what, e))?;
            Ok(answer)
        })
        .await
    }

    /// Runs a job that only looks.
    pub async fn look<T: Send + 'static>(
        &self,
        verb: &str,
        job: impl FnOnce(&Connection) -> SqlResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        let what = format!("cannot {verb} in sqlite file {}", self.path.display());
        let connection = Arc::clone(&self.looks);
        off_the_executor(move || {
            job(&connection.lock().unwrap_or_else(PoisonError::into_inner)).map_err(|e| error::of(&what, e))
        })
        .await
    }
}

/// Parses what a file holds as JSON. Its error tells where it is wrong and shows nothing of it.
pub fn json<T: DeserializeOwned>(text: &str, what: &str) -> SqlResult<T> {
    serde_json::from_str(text).map_err(|error| {
        let why = format!("{what} has another form from line {}, column {} on", error.line(), error.column());
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, why.into())
    })
}

/// A number as SQLite has it; what is larger than any is the largest.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn off_the_executor<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(job).await {
        Ok(answer) => answer,
        Err(ended) => Err(Error::new(Kind::Unavailable, "the thread of a sqlite file ended").caused_by(ended)),
    }
}
