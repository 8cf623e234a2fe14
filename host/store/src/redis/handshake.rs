//! Whether a server is compatible: what it is, its version, and whether it accepts what the scripts do.

use redis::Value;

use super::connection::Connection;
use super::errors::{self, ErrorClass, TEXT_CHARS_MAX};
use super::info::Info;
use super::reply::{self, Unexpected};
use super::scripts;
use crate::error::{Error, Kind};
use crate::key::KeyNames;
use crate::misconfiguration::Misconfiguration;
use crate::primary::{DatasetId, HandshakeError};
use crate::text::printable;

/// The oldest version that has PEXPIRETIME.
const MAJOR_VERSION_MIN: u64 = 7;

/// Parts of names whose keys are in the first and in the last slot of a cluster: one of its nodes has not both.
const OF_OUTER_SLOTS: [&str; 2] = ["{06S}", "{apX}"];

/// Which servers a connection may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A primary alone: a replica may be behind what was acknowledged.
    Primary,
    /// A replica too, which answers reads.
    Any,
}

impl Role {
    /// Whether a server that refused a command for this reason has the role and answers reads.
    fn admits(self, reason: &str) -> bool {
        errors::refuses_writes(reason) || (self == Self::Any && errors::is_of_replica(reason))
    }
}

/// A command that the server refused in the probe, and why.
pub(super) struct RefusedCommand {
    pub(super) command: String,
    pub(super) reason: String,
}

/// Refuses a server that is not Redis, is too old, is a node of a cluster, or forbids what the scripts do. One that
/// refuses writes for now is not refused. Tells which data set it serves.
pub(super) async fn check(connection: &Connection, names: &KeyNames, role: Role) -> Result<DatasetId, HandshakeError> {
    let info = Info::of(connection).await?;
    if let Some(info) = &info {
        // What was evicted before does not count.
        if let Some(counter) = info.evicted_keys() {
            connection.evictions.observe(counter);
        }
        check_server(connection, info).map_err(|error| HandshakeError { error, is_incompatible: true })?;
    }
    let parts: &[&str] = if info.is_some() { &[""] } else { &OF_OUTER_SLOTS };
    for part in parts {
        let refused = probe_name(connection, names, part).await?;
        if let Some(refused) = refused.into_iter().find(|refused| !role.admits(&refused.reason)) {
            return Err(refusal(connection, names, refused).into());
        }
    }
    let part = |info: &Info, name| info.get(name).unwrap_or_default().to_owned();
    let id = info.map(|info| format!("{} {}", part(&info, "run_id"), part(&info, "master_replid")));
    Ok(DatasetId(id.filter(|id| !id.trim().is_empty())))
}

/// The error of a server that refused a command of the probe.
fn refusal(connection: &Connection, names: &KeyNames, refused: RefusedCommand) -> Error {
    let RefusedCommand { command, reason } = refused;
    let kind = match errors::classify_text(&reason) {
        ErrorClass::Refused(kind) => kind,
        ErrorClass::Unknown | ErrorClass::NoReply => Kind::Unavailable,
    };
    let what = format!("cannot write {}*", names.stored_prefix());
    let error = connection.error(kind, &what, &format!("refuses {command}"));
    let misconfiguration = connection.login.misconfiguration_of(&reason, Some(&command));
    error.caused_by(reason).with_misconfiguration(misconfiguration)
}

fn check_server(connection: &Connection, info: &Info) -> Result<(), Error> {
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
    if info.is_of_cluster() {
        let why = Misconfiguration::Cluster;
        return Err(connection.error(Kind::Denied, what, &why.to_string()).with_misconfiguration(why));
    }
    Ok(())
}

/// Does what the scripts do, on a key of its own, and leaves nothing; returns what was refused.
pub(super) async fn probe(connection: &Connection, names: &KeyNames) -> Result<Vec<RefusedCommand>, Error> {
    probe_name(connection, names, "").await
}

/// The same on a key with this part in its name.
async fn probe_name(connection: &Connection, names: &KeyNames, part: &str) -> Result<Vec<RefusedCommand>, Error> {
    let what = "cannot try a write";
    let name = format!("{}{part}{}", names.stored_prefix(), uuid::Uuid::new_v4());
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
