//! Opening the file: whose it is, its schema, and who may read it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error;
use crate::error::{Error, Kind};

/// How long a change waits for other processes. Theirs take milliseconds: after two seconds one of them hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between attempts where SQLite does not wait by itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Whose a database is, and what it holds.
pub struct Schema {
    /// By which `file` and we know it.
    pub application_id: i32,
    /// Of `sql`; a higher number is of a newer program.
    pub version: i32,
    /// What makes it.
    pub sql: &'static str,
}

/// The stored form as tables: an entry is a hash of texts with a deadline. Known as `tket`.
pub(super) const TICKETS: Schema = Schema {
    application_id: 0x746b_6574,
    version: 1,
    sql: "
    CREATE TABLE entry (key TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX entry_expires_at_ms ON entry (expires_at_ms);
    CREATE TABLE field (key TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key, name))
        STRICT, WITHOUT ROWID;
",
};
/// Statements that stay prepared; more than there are.
const STATEMENTS_KEPT: usize = 32;

/// Opens the file, and makes it (mode 0600, in a folder of mode 0700) where there is none.
///
/// What is there and not ours, or of a newer program, is refused and not touched.
pub(super) fn open(path: &Path, max_page_count: Option<u32>, schema: &Schema) -> Result<Connection, Error> {
    let what = format!("cannot open sqlite file {}", path.display());
    create(path).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Unavailable,
            _ => Kind::Denied,
        };
        Error::new(kind, what.clone()).caused_by(error)
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| error::of(&what, e))?;
    prepare(&mut connection, max_page_count, schema, &what)?;
    Ok(connection)
}

fn create(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let created: io::Result<File> = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn prepare(connection: &mut Connection, max_page_count: Option<u32>, schema: &Schema, what: &str) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|e| error::of(what, e))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    if patiently(what, || is_fresh(connection, schema, what))? {
        patiently(what, || Ok(connection.pragma_update(None, "journal_mode", "wal")?))?;
        patiently(what, || fill(connection, schema, what))?;
    }
    if connection.is_readonly("main").map_err(|e| error::of(what, e))? {
        return Err(Error::new(Kind::Denied, format!("{what}: it is read-only")));
    }
    // Without an fsync per change: kill -9 loses nothing, a power cut the last changes, never the file.
    connection.pragma_update(None, "synchronous", "normal").map_err(|e| error::of(what, e))?;
    if let Some(pages) = max_page_count {
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(|e| error::of(what, e))?;
    }
    Ok(())
}

/// Why a step of opening did not work.
enum Obstacle {
    Sqlite(rusqlite::Error),
    Ours(Error),
}

impl From<rusqlite::Error> for Obstacle {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Repeats what SQLite gives up at once although waiting would do, such as the change to a journal.
fn patiently<T>(what: &str, mut attempt: impl FnMut() -> Result<T, Obstacle>) -> Result<T, Error> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(Obstacle::Ours(error)) => return Err(error),
            Err(Obstacle::Sqlite(e))
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            Err(Obstacle::Sqlite(e)) => return Err(error::of(what, e)),
        }
    }
}

/// Whether nothing is in the file yet. Refuses what is there and not ours.
fn is_fresh(connection: &Connection, schema: &Schema, what: &str) -> Result<bool, Obstacle> {
    // One statement, for another process may make the schema at this moment.
    let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
               FROM pragma_application_id, pragma_user_version";
    let identity = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (application_id, version, objects): (i32, i32, i64) = identity;
    let ours = application_id == schema.application_id;
    match (application_id, version) {
        (_, version) if ours && version == schema.version => Ok(false),
        (_, version) if ours => Err(Obstacle::Ours(Error::new(
            Kind::Denied,
            format!("{what}: its schema is version {version}, this program knows version {}", schema.version),
        ))),
        (0, 0) if objects == 0 => Ok(true),
        (_, _) => Err(Obstacle::Ours(Error::invalid(format!("{what}: it is a database of another application")))),
    }
}

/// Makes the schema, unless another process was first.
fn fill(connection: &mut Connection, schema: &Schema, what: &str) -> Result<(), Obstacle> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_fresh(&transaction, schema, what)? {
        transaction.execute_batch(schema.sql)?;
        transaction.pragma_update(None, "application_id", schema.application_id)?;
        transaction.pragma_update(None, "user_version", schema.version)?;
        transaction.commit()?;
    }
    Ok(())
}
