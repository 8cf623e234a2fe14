//! Branches in a SQLite file.

use std::path::PathBuf;

use rusqlite::{OptionalExtension, Result as SqlResult, Row, Transaction, params};

use super::branch::{BRANCH_BYTES_MAX, BRANCHES_MAX, Branch, KEPT_MS};
use ticket_store::Error;
use ticket_store::database::{Database, Schema, json, signed};
use ticket_store::{Entry, Fields};

/// The application id is `tkbr`.
const SCHEMA: Schema = Schema {
    application_id: 0x746b_6272,
    version: 1,
    sql: "
    CREATE TABLE branch (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, why TEXT NOT NULL,
        at_ms INTEGER NOT NULL, fields TEXT NOT NULL, expires_at_ms INTEGER NOT NULL) STRICT;
",
};
const COLUMNS: &str = "number, id, why, at_ms, fields, expires_at_ms";

/// Branches in a file. A clone is another handle to the same.
#[derive(Clone, Debug)]
pub(super) struct FileBranches(Database);

impl FileBranches {
    pub(super) async fn open(path: PathBuf) -> Result<Self, Error> {
        Ok(Self(Database::open(path, &SCHEMA).await?))
    }

    pub(super) async fn list(&self) -> Result<Vec<Branch>, Error> {
        self.0
            .read("list branches", |connection| {
                let sql = format!("SELECT {COLUMNS} FROM branch ORDER BY number");
                connection.prepare_cached(&sql)?.query_map([], branch)?.collect()
            })
            .await
    }

    pub(super) async fn get(&self, number: u64) -> Result<Option<Branch>, Error> {
        self.0
            .read("read a branch", move |connection| {
                let sql = format!("SELECT {COLUMNS} FROM branch WHERE number = ?1");
                connection.query_row(&sql, [signed(number)], branch).optional()
            })
            .await
    }

    pub(super) async fn count(&self) -> Result<u64, Error> {
        self.0
            .read("count branches", |connection| {
                let count: i64 = connection.query_row("SELECT count(*) FROM branch", [], |row| row.get(0))?;
                Ok(unsigned(count))
            })
            .await
    }

    pub(super) async fn drop_branch(&self, number: u64) -> Result<bool, Error> {
        self.0
            .change("drop a branch", move |transaction| {
                Ok(transaction.execute("DELETE FROM branch WHERE number = ?1", [signed(number)])? > 0)
            })
            .await
    }

    /// Adds a branch; how many old ones were dropped.
    pub(super) async fn add(&self, branch: Branch) -> Result<usize, Error> {
        self.0
            .change("keep a branch", move |transaction| {
                let Branch { id, why, at_ms, entry, .. } = branch;
                let fields = serde_json::to_string(&*entry.fields)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                transaction.execute(
                    "INSERT INTO branch (id, why, at_ms, fields, expires_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id, why, signed(at_ms), fields, signed(entry.expires_at_ms)],
                )?;
                let old = "DELETE FROM branch WHERE at_ms < ?1 OR number NOT IN
                           (SELECT number FROM branch ORDER BY number DESC LIMIT ?2)";
                let since_ms = signed(at_ms.saturating_sub(KEPT_MS));
                let mut dropped = transaction.execute(old, params![since_ms, signed(BRANCHES_MAX as u64)])?;
                while bytes(transaction)? > BRANCH_BYTES_MAX {
                    let oldest = "DELETE FROM branch WHERE number = (SELECT min(number) FROM branch)";
                    dropped += transaction.execute(oldest, [])?;
                }
                Ok(dropped)
            })
            .await
    }
}

fn bytes(transaction: &Transaction<'_>) -> SqlResult<usize> {
    let sql = "SELECT coalesce(sum(octet_length(fields)), 0) FROM branch";
    let bytes: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn branch(row: &Row<'_>) -> SqlResult<Branch> {
    let fields: String = row.get(4)?;
    let fields: Fields = json(&fields, "a branch")?;
    Ok(Branch {
        number: unsigned(row.get(0)?),
        id: row.get(1)?,
        why: row.get(2)?,
        at_ms: unsigned(row.get(3)?),
        entry: Entry::from((fields, unsigned(row.get(5)?))),
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
