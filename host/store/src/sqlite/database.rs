//! A SQLite file for another purpose than tickets: jobs do not block the executor, and reads do not wait for changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::Type;
use rusqlite::{Connection, Result as SqlResult, Transaction, TransactionBehavior};
use serde::de::DeserializeOwned;

use super::errors;
use super::open;
pub use super::open::Schema;
use crate::error::{Error, Kind};

/// An open file; cloning it gives another handle to the same connections.
#[derive(Clone, Debug)]
pub struct Database {
    path: Arc<Path>,
    changes: Arc<Mutex<Connection>>,
    /// A second connection, because a change may wait for another process and a read need not.
    reads: Arc<Mutex<Connection>>,
}

impl Database {
    /// Opens the file, or creates it (mode 0600, in a folder of mode 0700).
    ///
    /// # Errors
    /// As [`super::SqliteStore::open`].
    pub async fn open(path: PathBuf, schema: &'static Schema) -> Result<Self, Error> {
        let path: Arc<Path> = path.into();
        let at = Arc::clone(&path);
        let [changes, reads] = run_blocking(move || {
            Ok([open::open(&at, None, schema)?, open::open(&at, None, schema)?].map(Mutex::new).map(Arc::new))
        })
        .await?;
        Ok(Self { path, changes, reads })
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a job in a transaction that may write from its beginning. Once begun it runs to its end, even if the caller
    /// is cancelled. The `verb` begins the error: "cannot VERB in sqlite file PATH".
    ///
    /// # Errors
    /// As SQLite's error means: `Unavailable` for a file that is locked or full, `Denied`, `Corrupt`, or `Uncertain` for a
    /// commit that failed.
    pub async fn change<T: Send + 'static>(
        &self,
        verb: &str,
        job: impl FnOnce(&Transaction<'_>) -> SqlResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        let what = format!("cannot {verb} in sqlite file {}", self.path.display());
        let connection = Arc::clone(&self.changes);
        run_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)
                .map_err(|e| errors::of(&what, e))?;
            let answer = job(&transaction).map_err(|e| errors::of(&what, e))?;
            transaction.commit().map_err(|e| errors::of_commit(&what, e))?;
            Ok(answer)
        })
        .await
    }

    /// Runs a job that only reads.
    ///
    /// # Errors
    /// As [`Database::change`], never `Uncertain`.
    pub async fn read<T: Send + 'static>(
        &self,
        verb: &str,
        job: impl FnOnce(&Connection) -> SqlResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        let what = format!("cannot {verb} in sqlite file {}", self.path.display());
        let connection = Arc::clone(&self.reads);
        run_blocking(move || {
            job(&connection.lock().unwrap_or_else(PoisonError::into_inner)).map_err(|e| errors::of(&what, e))
        })
        .await
    }
}

/// Parses JSON from a file. The error says where it is invalid and shows nothing of it.
///
/// # Errors
/// A conversion error, which is `Corrupt` for the caller of [`Database::change`].
pub fn json<T: DeserializeOwned>(text: &str, what: &str) -> SqlResult<T> {
    serde_json::from_str(text).map_err(|error| {
        let why = format!("{what} is not valid from line {}, column {} on", error.line(), error.column());
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, why.into())
    })
}

/// A number as SQLite stores it, at most the largest.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn run_blocking<T: Send + 'static>(job: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(job).await {
        Ok(answer) => answer,
        Err(ended) => Err(Error::new(Kind::Unavailable, "the thread of a sqlite file ended").caused_by(ended)),
    }
}
