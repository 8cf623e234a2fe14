//! What an operator should know about a Redis server.

use redis::Value;
use tokio::time::Instant;

use super::handshake::{Info, Refused, TEXT_CHARS_MAX};
use super::link::Live;
use super::{RedisStore, answer};
use crate::error::Error;
use crate::health::{Finding, Health, Severity};
use crate::key::printable;

/// Round trips that are timed: enough that one slow one does not count.
const PINGS: usize = 5;

pub(super) async fn look(store: &RedisStore, live: &Live) -> Result<Health, Error> {
    let info = store.info(live).await?;
    let mut facts = vec![("address", store.link.target.address())];
    if let Some(info) = &info {
        facts.extend(facts_of(info));
    }
    if let Some(user) = user(store, live).await {
        facts.push(("user", user));
    }
    if let Some(latency_us) = latency_us(store, live).await {
        facts.push(("latency_us", latency_us.to_string()));
    }
    let mut findings = refusals(store.probe(live).await?);
    match &info {
        Some(info) => {
            findings.extend(findings_of(info));
            findings.extend(persistence(store, live, info).await);
        }
        None => findings.push(warning(
            "the user may not run INFO: version, eviction and persistence are unknown; grant it `+info`",
        )),
    }
    findings.extend(exposures(store));
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
        ("aof_enabled", "aof_enabled"),
        ("rdb_last_save_s", "rdb_last_save_time"),
        ("rdb_last_save_status", "rdb_last_bgsave_status"),
    ];
    let copied = copied.into_iter().filter_map(|(name, theirs)| Some((name, info.get(theirs)?.to_owned())));
    server.map(|server| ("server", server)).into_iter().chain(copied).collect()
}

fn findings_of(info: &Info) -> Vec<Finding> {
    let mut findings = Vec::new();
    if info.get("role").is_some_and(|role| role != "master") {
        findings.push(problem("the server is a replica: it takes no tickets; name its primary in the store URL"));
    }
    if info.get("loading").is_some_and(|loading| loading != "0") {
        findings.push(problem("the server is loading its data and takes no tickets yet; wait until it has"));
    }
    if let Some(policy) = info.get("maxmemory_policy").filter(|policy| *policy != "noeviction") {
        findings.push(warning(format!(
            "maxmemory-policy is {policy}: with memory full, tickets vanish before their time; set `noeviction`"
        )));
    }
    if info.get("rdb_last_bgsave_status").is_some_and(|status| status != "ok")
        || info.get("aof_last_write_status").is_some_and(|status| status != "ok")
    {
        findings.push(problem("the server cannot save its data: a restart loses tickets; see its log and disk"));
    }
    findings
}

async fn persistence(store: &RedisStore, live: &Live, info: &Info) -> Option<Finding> {
    let appends = info.get("aof_enabled")? == "1";
    let saved = info.get("rdb_saves").is_some_and(|saves| saves != "0");
    if appends || saved || saves_at_times(store, live).await == Some(true) {
        return None;
    }
    Some(warning(
        "the server appends to no file and has saved nothing since it started: a restart may lose all tickets; \
         set `appendonly yes`",
    ))
}

/// Whether the server is set to save now and then; none where it does not tell this user.
async fn saves_at_times(store: &RedisStore, live: &Live) -> Option<bool> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("save");
    let Value::Array(parts) = store.ask_on(live, &command, "cannot ask for the configuration").await.ok()? else {
        return None;
    };
    let times = answer::bytes(parts.into_iter().nth(1)).ok()?;
    Some(!times.is_empty())
}

/// What others on the way, or anywhere, can do to the tickets.
fn exposures(store: &RedisStore) -> Vec<Finding> {
    let target = &store.link.target;
    let mut findings = Vec::new();
    if !target.is_loopback() && !target.is_encrypted() {
        findings.push(warning(
            "tickets and password cross the network in the clear: who listens reads them; use `rediss://`",
        ));
    }
    if !target.is_loopback() && target.login.password().is_none() {
        findings.push(warning(
            "the server asks for no password: who reaches it reads and changes every ticket; set one, best an ACL user",
        ));
    }
    findings
}

/// One finding for all commands that were refused with the same words.
fn refusals(refused: Vec<Refused>) -> Vec<Finding> {
    let mut by_words: Vec<(String, Vec<String>)> = Vec::new();
    for Refused { command, words } in refused {
        match by_words.iter_mut().find(|(found, _)| *found == words) {
            Some((_, commands)) => commands.push(command),
            None => by_words.push((words, vec![command])),
        }
    }
    let finding = |(words, commands): &(String, Vec<String>)| {
        let commands = commands.join(", ");
        problem(format!(
            "the server refuses {commands} ({words}): tickets cannot be kept; grant that, or mend its cause"
        ))
    };
    by_words.iter().map(finding).collect()
}

async fn user(store: &RedisStore, live: &Live) -> Option<String> {
    let mut command = redis::cmd("ACL");
    command.arg("WHOAMI");
    let name = store.ask_on(live, &command, "cannot ask who we are").await.ok()?;
    Some(printable(&answer::text(Some(name)).ok()?, TEXT_CHARS_MAX))
}

/// The median of a few round trips; none where PING is not permitted.
async fn latency_us(store: &RedisStore, live: &Live) -> Option<u128> {
    let ping = redis::cmd("PING");
    let mut times_us = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let sent = Instant::now();
        store.ask_on(live, &ping, "cannot ask for PING").await.ok()?;
        times_us.push(sent.elapsed().as_micros());
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
