//! What the errors of SQLite mean for a caller.

use std::error::Error as _;

use rusqlite::{ErrorCode, ffi};

use crate::error::{Error, Kind};

/// The error of a call: `what` names the call, the key and the file, for example "cannot read ticket:a in x.db".
pub(super) fn of(what: &str, error: rusqlite::Error) -> Error {
    let (kind, why) = classify(&error);
    let is_of_file = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
    let error = Error::new(kind, format!("{what}: {why}")).caused_by(error);
    if is_of_file { error.of_store() } else { error }
}

/// The error of a commit, after which the change may have been applied although the disk failed.
pub(super) fn of_commit(what: &str, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => {
            Error::new(Kind::Uncertain, format!("{what}: the disk failed during the commit; read the entry again"))
                .caused_by(error)
        }
        Some(_) | None => of(what, error),
    }
}

const FULL: &str =
    "the file or its disk is full: free some space on the disk, or raise max_page_count if the URL has it";

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// Whether the file or its disk was full, so that deleting something may help.
pub(super) fn is_full(error: &Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<rusqlite::Error>());
    source.and_then(rusqlite::Error::sqlite_error_code) == Some(ErrorCode::DiskFull)
}

fn classify(error: &rusqlite::Error) -> (Kind, &'static str) {
    if matches!(error, rusqlite::Error::FromSqlConversionFailure(..)) {
        return (Kind::Corrupt, "the stored value is damaged");
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Unavailable, "another process keeps the file locked")
        }
        Some(ErrorCode::DiskFull) => (Kind::Unavailable, FULL),
        // Every process needs 32 KiB beside the file, also to read.
        Some(ErrorCode::SystemIoFailure) if extended_code(error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => {
            (Kind::Unavailable, FULL)
        }
        Some(ErrorCode::ReadOnly) => (Kind::Denied, "the file is read-only"),
        Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen | ErrorCode::AuthorizationForStatementDenied) => {
            (Kind::Denied, "the file cannot be opened")
        }
        Some(ErrorCode::DatabaseCorrupt) => (Kind::Corrupt, "the file is damaged"),
        Some(ErrorCode::NotADatabase) => (Kind::Corrupt, "the file is not a SQLite database"),
        // So does a schema that another program has changed ("no such table"): nothing is written, and it may be undone.
        Some(_) | None => (Kind::Unavailable, "SQLite returned an error"),
    }
}
