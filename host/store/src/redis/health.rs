//! What an operator must know about a Redis server.

use redis::{ServerError, Value};
use tokio::time::Instant;

use super::connection::Connection;
use super::errors::TEXT_CHARS_MAX;
use super::handshake::{RefusedCommand, probe};
use super::info::Info;
use super::reply;
use super::target::Target;
use crate::error::Error;
use crate::health::{Finding, Health, Severity};
use crate::key::KeyNames;
use crate::misconfiguration::Misconfiguration;
use crate::text::printable;

/// Round trips that are timed: enough that one slow one does not count.
const PINGS: usize = 5;

pub(super) async fn report(connection: &Connection, target: &Target, names: &KeyNames) -> Result<Health, Error> {
    let info = Info::of(connection).await?;
    let mut facts = vec![("address", target.address())];
    if let Some(info) = &info {
        facts.extend(facts_of(info));
    }
    if let Some(user) = user(connection).await {
        facts.push(("user", user));
    }
    if let Some(latency_us) = latency_us(connection).await {
        facts.push(("latency_us", latency_us.to_string()));
    }
    let is_of_cluster = info.as_ref().is_some_and(Info::is_of_cluster);
    let mut findings = match is_of_cluster {
        true => vec![of_cluster()],
        // On a node of a cluster the key of the probe may be elsewhere.
        false => {
            let mut findings = refusals(probe(connection, names).await?);
            findings.extend(transactions(connection, names).await);
            findings
        }
    };
    match &info {
        Some(info) => {
            findings.extend(findings_of(info));
            findings.extend(persistence(connection, info).await);
        }
        None => findings.push(warning(
            "the user may not run INFO: version, eviction and persistence are unknown; grant it `+info`",
        )),
    }
    findings.extend(exposures(target));
    findings.sort_by_key(|finding| match finding.severity {
        Severity::Problem => 0,
        Severity::Warning => 1,
    });
    Ok(Health { facts, findings })
}

fn facts_of(info: &Info) -> Vec<(&'static str, String)> {
    let server = match (info.get("valkey_version"), info.get("redis_version")) {
        (Some(version), _) => Some(format!("Valkey {version}")),
        (None, Some(version)) => Some(format!("Redis {version}")),
        (None, None) => None,
    };
    let copied = [
        ("mode", "redis_mode"),
        ("role", "role"),
        ("connected_clients", "connected_clients"),
        ("used_memory_bytes", "used_memory"),
        ("maxmemory_bytes", "maxmemory"),
        ("maxmemory_policy", "maxmemory_policy"),
        ("evicted_keys", "evicted_keys"),
        ("aof_enabled", "aof_enabled"),
        ("rdb_last_save_s", "rdb_last_save_time"),
        ("rdb_last_save_status", "rdb_last_bgsave_status"),
    ];
    let copied = copied.into_iter().filter_map(|(name, redis_name)| Some((name, info.get(redis_name)?.to_owned())));
    server.map(|server| ("server", server)).into_iter().chain(copied).collect()
}

fn findings_of(info: &Info) -> Vec<Finding> {
    let mut findings = Vec::new();
    if info.get("role").is_some_and(|role| role != "master") {
        findings.push(problem("the server is a replica and refuses writes; name its primary in the store URL"));
    }
    if info.get("loading").is_some_and(|loading| loading != "0") {
        findings.push(problem("the server is loading its data and refuses calls; wait until it has finished"));
    }
    if let Some(policy) = info.get("maxmemory_policy").filter(|policy| *policy != "noeviction") {
        let evicted = match info.get("evicted_keys") {
            None | Some("0") => String::new(),
            Some(keys) => format!(" ({keys} keys so far)"),
        };
        findings.push(warning(format!(
            "maxmemory-policy is {policy}: with memory full, tickets are deleted before they expire{evicted}; set \
             `noeviction`"
        )));
    }
    if info.get("rdb_last_bgsave_status").is_some_and(|status| status != "ok")
        || info.get("aof_last_write_status").is_some_and(|status| status != "ok")
    {
        findings.push(problem("the server cannot save its data: a restart loses tickets; check its log and disk"));
    }
    findings
}

async fn persistence(connection: &Connection, info: &Info) -> Option<Finding> {
    let appends = info.get("aof_enabled")? == "1";
    let saved = info.get("rdb_saves").is_some_and(|saves| saves != "0");
    if appends || saved || saves_at_times(connection).await == Some(true) {
        return None;
    }
    Some(warning(
        "the server has no append-only file and has not saved since it started: a restart may lose all tickets; \
         set `appendonly yes`",
    ))
}

/// Whether the server is configured to save from time to time; none if this user may not ask.
async fn saves_at_times(connection: &Connection) -> Option<bool> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("save");
    let Value::Array(parts) = connection.ask(&command, "cannot run CONFIG GET").await.ok()? else { return None };
    let times = reply::bytes(parts.into_iter().nth(1)).ok()?;
    Some(!times.is_empty())
}

/// What others can do to the tickets, on the network or by a connection of their own.
fn exposures(target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !target.is_loopback() && !target.is_encrypted() {
        findings.push(warning("tickets and password cross the network unencrypted; use `rediss://`"));
    }
    if !target.is_loopback() && target.login.password().is_none() {
        findings.push(warning(
            "the server asks for no password: anyone who reaches it can read and change every ticket; set a password, \
             preferably with an ACL user",
        ));
    }
    findings
}

fn of_cluster() -> Finding {
    let setting = Misconfiguration::Cluster;
    problem(format!("the server {setting}: {}", setting.remedy("the store URL")))
}

/// One finding for all commands that were refused for the same reason.
fn refusals(refused: Vec<RefusedCommand>) -> Vec<Finding> {
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    for RefusedCommand { command, reason } in refused {
        match by_reason.iter_mut().find(|(found, _)| *found == reason) {
            Some((_, commands)) => commands.push(command),
            None => by_reason.push((reason, vec![command])),
        }
    }
    let finding = |(reason, commands): &(String, Vec<String>)| {
        let commands = commands.join(", ");
        problem(format!(
            "the server refuses {commands} ({reason}): tickets cannot be stored; grant the commands or remove the cause"
        ))
    };
    by_reason.iter().map(finding).collect()
}

/// What it means that the user may not run commands of a staged write; it is tried with a key that is not there.
async fn transactions(connection: &Connection, names: &KeyNames) -> Option<Finding> {
    const COMMANDS: [&str; 4] = ["MULTI", "COPY", "RENAME", "EXEC"];
    let [one, other] = ["{probe}1", "{probe}2"].map(|part| format!("{}{part}", names.stored_prefix()));
    let mut commands = redis::Pipeline::with_capacity(COMMANDS.len());
    commands.cmd("MULTI").cmd("COPY").arg(&one).arg(&other).cmd("RENAME").arg(&one).arg(&other).cmd("EXEC");
    let replies = connection.commands(&commands).await.ok()?;
    // `EXEC` wraps its own refusal.
    let is_denied = |error: &ServerError| {
        error.code() == "NOPERM" || error.details().is_some_and(|text| text.contains("because of: NOPERM"))
    };
    let is_refused = |reply: &Value| matches!(reply, Value::ServerError(error) if is_denied(error));
    let refused: Vec<_> = COMMANDS.iter().zip(&replies).filter(|(_, reply)| is_refused(reply)).collect();
    let list = |name: fn(&str) -> String| refused.iter().map(|(command, _)| name(command)).collect::<Vec<_>>();
    let (names, grants) = (list(str::to_owned).join(", "), list(|name| format!("+{}", name.to_lowercase())).join(" "));
    (!refused.is_empty()).then(|| {
        warning(format!(
            "the user may not run {names}: large changes cost the server more, the larger the more; grant `{grants}`"
        ))
    })
}

async fn user(connection: &Connection) -> Option<String> {
    let mut command = redis::cmd("ACL");
    command.arg("WHOAMI");
    let name = connection.ask(&command, "cannot run ACL WHOAMI").await.ok()?;
    Some(printable(&reply::text(Some(name)).ok()?, TEXT_CHARS_MAX))
}

/// The median of a few round trips; none if PING is not permitted.
async fn latency_us(connection: &Connection) -> Option<u128> {
    let ping = redis::cmd("PING");
    let mut times_us = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let sent_at = Instant::now();
        connection.ask(&ping, "cannot run PING").await.ok()?;
        times_us.push(sent_at.elapsed().as_micros());
    }
    times_us.sort_unstable();
    times_us.get(PINGS / 2).copied()
}

fn problem(text: impl Into<String>) -> Finding {
    Finding { severity: Severity::Problem, text: text.into() }
}

fn warning(text: impl Into<String>) -> Finding {
    Finding { severity: Severity::Warning, text: text.into() }
}
