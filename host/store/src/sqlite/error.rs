//! What SQLite's errors mean for a caller.

use rusqlite::ErrorCode;

use crate::error::{Error, Kind};

/// The error of a call: `what` names the call, the key and the file, for example "cannot read ticket:a in x.db".
pub(super) fn of(what: &str, error: rusqlite::Error) -> Error {
    let (kind, why) = judge(&error);
    Error::new(kind, format!("{what}: {why}")).caused_by(error)
}

/// The error of a commit, after which the change may have been made although the disk failed.
pub(super) fn of_commit(what: &str, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => {
            Error::new(Kind::Uncertain, format!("{what}: the disk failed at the end of the change")).caused_by(error)
        }
        Some(_) | None => of(what, error),
    }
}

fn judge(error: &rusqlite::Error) -> (Kind, &'static str) {
    if matches!(error, rusqlite::Error::FromSqlConversionFailure(..)) {
        return (Kind::Corrupt, "what is stored there is damaged");
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Unavailable, "another process keeps it locked")
        }
        Some(ErrorCode::DiskFull) => (Kind::Unavailable, "it is full"),
        Some(ErrorCode::ReadOnly) => (Kind::Denied, "it is read-only"),
        Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen | ErrorCode::AuthorizationForStatementDenied) => {
            (Kind::Denied, "it cannot be opened")
        }
        Some(ErrorCode::DatabaseCorrupt) => (Kind::Corrupt, "the file is damaged"),
        Some(ErrorCode::NotADatabase) => (Kind::Corrupt, "the file is not a SQLite database"),
        // A foreign hand in the schema ("no such table") ends here too: nothing is written, and it may be undone.
        Some(_) | None => (Kind::Unavailable, "it does not serve"),
    }
}
