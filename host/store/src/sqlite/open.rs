//! Opening a file: which application it belongs to, its schema, and its permissions.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::errors;
use crate::error::{Error, Kind};

/// How long a change waits for other processes. Their changes take milliseconds: after two seconds one of them hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between attempts if SQLite does not wait by itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// The application of a database, and its tables.
pub struct Schema {
    /// Identifies the application in the file.
    pub application_id: i32,
    /// The version of `sql`; a newer program writes a higher one.
    pub version: i32,
    /// The statements that create the tables.
    pub sql: &'static str,
}

/// Entries as tables: texts by name, and a deadline. The application id is `tket` in ASCII.
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
/// Statements that stay prepared; more than the store has.
const STATEMENTS_KEPT: usize = 32;

/// Opens the file, or creates it (mode 0600, in a folder of mode 0700).
///
/// A file of another application or of a newer program is refused and not changed.
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
    // A relative path that begins with `file:` or `:memory:` would mean another file to SQLite than to this program.
    let mut connection =
        Connection::open_with_flags(Path::new(".").join(path), flags).map_err(|e| errors::of(&what, e))?;
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
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|e| errors::of(what, e))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    if retry_while_busy(what, || is_empty(connection, schema, what))? {
        retry_while_busy(what, || Ok(connection.pragma_update(None, "journal_mode", "wal")?))?;
        retry_while_busy(what, || create_tables(connection, schema, what))?;
    }
    if connection.is_readonly("main").map_err(|e| errors::of(what, e))? {
        return Err(Error::new(Kind::Denied, format!("{what}: the file is read-only")));
    }
    // No fsync per change: kill -9 loses nothing, a power cut may lose the last changes but does not damage the file.
    connection.pragma_update(None, "synchronous", "normal").map_err(|e| errors::of(what, e))?;
    if let Some(pages) = max_page_count {
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(|e| errors::of(what, e))?;
    }
    Ok(())
}

/// Why a step of opening failed.
enum OpenError {
    Sqlite(rusqlite::Error),
    Refused(Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Repeats a step for which SQLite does not wait by itself while the file is locked, such as a change of journal mode.
fn retry_while_busy<T>(what: &str, mut attempt: impl FnMut() -> Result<T, OpenError>) -> Result<T, Error> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(OpenError::Refused(error)) => return Err(error),
            Err(OpenError::Sqlite(e))
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            Err(OpenError::Sqlite(e)) => return Err(errors::of(what, e)),
        }
    }
}

/// Whether the file is empty. Refuses a file of another application or of a newer program.
fn is_empty(connection: &Connection, schema: &Schema, what: &str) -> Result<bool, OpenError> {
    // One statement, because another process may create the tables at the same time.
    let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
               FROM pragma_application_id, pragma_user_version";
    let identity = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (application_id, version, objects): (i32, i32, i64) = identity;
    let is_ours = application_id == schema.application_id;
    match (application_id, version) {
        (_, version) if is_ours && version == schema.version => Ok(false),
        (_, version) if is_ours => Err(OpenError::Refused(Error::new(
            Kind::Denied,
            format!(
                "{what}: its schema has version {version}, this program knows version {}: use a newer program",
                schema.version
            ),
        ))),
        (0, 0) if objects == 0 => Ok(true),
        (_, _) => Err(OpenError::Refused(Error::invalid(format!(
            "{what}: it is a database of another application; name another file"
        )))),
    }
}

/// Creates the tables, unless another process was first.
fn create_tables(connection: &mut Connection, schema: &Schema, what: &str) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_empty(&transaction, schema, what)? {
        transaction.execute_batch(schema.sql)?;
        transaction.pragma_update(None, "application_id", schema.application_id)?;
        transaction.pragma_update(None, "user_version", schema.version)?;
        transaction.commit()?;
    }
    Ok(())
}
