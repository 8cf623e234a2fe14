//! Whether a server is compatible: what it is, its version, and whether it accepts what the scripts do.

use redis::Value;

use super::connection::Connection;
use super::errors::{self, ErrorClass, TEXT_CHARS_MAX};
use super::info::Info;
use super::reply::{self, Unexpected};
use super::scripts;
use crate::error::{Error, Kind};
use crate::key::KeyNames;
use crate::primary::{DatasetId, HandshakeError};
use crate::text::printable;

/// The oldest version that has PEXPIRETIME.
const MAJOR_VERSION_MIN: u64 = 7;

/// A command that the server refused in the probe, and why.
pub(super) struct RefusedCommand {
    pub(super) command: String,
    pub(super) reason: String,
}

/// Refuses a server that is not Redis, is too old, or forbids what the scripts do. Tells which data set it serves.
pub(super) async fn check(connection: &Connection, names: &KeyNames) -> Result<DatasetId, HandshakeError> {
    let retryable = |error| HandshakeError { error, is_incompatible: false };
    let info = Info::of(connection).await.map_err(retryable)?;
    if let Some(info) = &info {
        // What was evicted before does not count.
        if let Some(counter) = info.evicted_keys() {
            connection.evictions.observe(counter);
        }
        check_version(connection, info).map_err(|error| HandshakeError { error, is_incompatible: true })?;
    }
    if let Some(RefusedCommand { command, reason }) =
        probe(connection, names).await.map_err(retryable)?.into_iter().next()
    {
        let kind = match errors::classify_text(&reason) {
            ErrorClass::Refused(kind) => kind,
            ErrorClass::Unknown | ErrorClass::NoReply => Kind::Unavailable,
        };
        let what = format!("cannot write {}*", names.stored_prefix());
        let error = connection.error(kind, &what, &format!("refuses {command}"));
        let misconfiguration = connection.login.misconfiguration_of(&reason, Some(&command));
        return Err(retryable(error.caused_by(reason).with_misconfiguration(misconfiguration)));
    }
    let part = |info: &Info, name| info.get(name).unwrap_or_default().to_owned();
    let id = info.map(|info| format!("{} {}", part(&info, "run_id"), part(&info, "master_replid")));
    Ok(DatasetId(id.filter(|id| !id.trim().is_empty())))
}

fn check_version(connection: &Connection, info: &Info) -> Result<(), Error> {
    let what = "cannot use this server";
    let Some(version) = info.get("redis_version") else {
        let why = "is not Redis: INFO has no redis_version; check host and port of the URL";
        return Err(connection.error(Kind::Denied, what, why));
    };
    let major = version.split('.').next().and_then(|digits| digits.parse::<u64>().ok());
    if major.is_none_or(|major| major < MAJOR_VERSION_MIN) {
        let why = format!("has version {version}; {MAJOR_VERSION_MIN}.0 or newer is needed");
        return Err(connection.error(Kind::Denied, what, &why));
    }
    Ok(())
}

/// Does what the scripts do, on a key of its own, and leaves nothing; returns what was refused.
pub(super) async fn probe(connection: &Connection, names: &KeyNames) -> Result<Vec<RefusedCommand>, Error> {
    let what = "cannot try a write";
    let name = format!("{}{}", names.stored_prefix(), uuid::Uuid::new_v4());
    let mut refused = Vec::new();
    for command in scripts::probes(&name) {
        let value = connection.ask(&command, what).await?;
        refused = parse(value)
            .map_err(|Unexpected| connection.error(Kind::Denied, what, "gave an unexpected reply to a script"))?;
    }
    Ok(refused)
}

fn parse(value: Value) -> Result<Vec<RefusedCommand>, Unexpected> {
    let Value::Array(parts) = value else { return Err(Unexpected) };
    let mut refused = Vec::new();
    let mut parts = parts.into_iter();
    while let Some(command) = parts.next() {
        let reason = printable(&reply::text(parts.next())?, TEXT_CHARS_MAX);
        refused.push(RefusedCommand { command: reply::text(Some(command))?, reason });
    }
    Ok(refused)
}
