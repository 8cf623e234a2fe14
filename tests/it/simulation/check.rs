//! What must be true once all faults have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use ticket_host::Error;
use ticket_tests::fake_redis::FakeRedis;

use super::agent::is_calm;
use super::journal::Journal;
use super::world::{Host, TICKETS};

/// Connection attempts of one host within [`WINDOW`]: two a second.
const ATTEMPTS_MAX: usize = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// No acknowledged message or fact is lost, no message is there twice, all hosts and the server agree, and no host connects too often.
pub(super) async fn check(server: &FakeRedis, hosts: &[Host], journal: &Journal) -> Result<(), String> {
    if let Some(wrong) = journal.wrongs().first() {
        return Err(wrong.clone());
    }
    let mut stored = BTreeMap::new();
    for id in (0..TICKETS).map(|number| format!("t{number}")) {
        agree(server, hosts, &id).await?;
        let mut held = once(&id, &field(server, &id, "history"))?;
        held.extend(facts(&field(server, &id, "facts")));
        stored.insert(id, held);
    }
    let copies = copies(hosts).await;
    let alive: BTreeSet<(usize, u32)> = hosts.iter().map(Host::incarnation).collect();
    for said in journal.acknowledged() {
        let expected = (is_calm(&said.ticket) || !journal.is_disturbed(&said.ticket)) && alive.contains(&said.host);
        let found = stored.get(&said.ticket).is_some_and(|messages| messages.contains(&said.message))
            || copies.contains(&(said.ticket.clone(), said.message.clone()));
        if expected && !found {
            return Err(format!("lost: {said:?}; there is {:?}", stored.get(&said.ticket)));
        }
    }
    unhurried(server, hosts)
}

/// Every host shows what the server has.
async fn agree(server: &FakeRedis, hosts: &[Host], id: &str) -> Result<(), String> {
    let stored = server.entry(&format!("ticket:{id}"));
    for host in hosts {
        let shown = match host.tickets.get(id).await {
            Ok(ticket) => Some((ticket.facts, ticket.history, ticket.last_decision, ticket.expires_at_ms)),
            Err(Error::NotFound(_)) => None,
            Err(error) => return Err(format!("host {:?} cannot show {id}: {error:?}", host.incarnation())),
        };
        let stored = stored.as_ref().map(|(fields, deadline_ms)| {
            let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
            (text("facts"), text("history"), text("last_decision"), *deadline_ms)
        });
        if shown != stored {
            return Err(format!(
                "host {:?} and the server differ about {id}: {shown:?} and {stored:?}",
                host.incarnation()
            ));
        }
    }
    Ok(())
}

fn field(server: &FakeRedis, id: &str, name: &str) -> String {
    let fields = server.entry(&format!("ticket:{id}")).map(|(fields, _)| fields).unwrap_or_default();
    fields.get(name).cloned().unwrap_or_default()
}

/// The names of facts.
fn facts(facts: &str) -> Vec<String> {
    let facts: BTreeMap<String, Value> = serde_json::from_str(facts).unwrap_or_default();
    facts.into_keys().collect()
}

/// The messages of a history: texts, or ids of objects.
fn messages(history: &str) -> Vec<String> {
    let items: Vec<Value> = serde_json::from_str(history).unwrap_or_default();
    let message = |item: &Value| item.as_str().or_else(|| item["id"].as_str()).unwrap_or_default().to_owned();
    items.iter().map(message).collect()
}

fn once(id: &str, history: &str) -> Result<BTreeSet<String>, String> {
    let messages = messages(history);
    let set: BTreeSet<String> = messages.iter().cloned().collect();
    if set.len() < messages.len() {
        return Err(format!("a message is in {id} twice: {messages:?}"));
    }
    Ok(set)
}

/// The messages and facts in branches, with their tickets.
async fn copies(hosts: &[Host]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for branches in hosts.iter().flat_map(|host| &host.branches) {
        for branch in branches.list().await.expect("branches") {
            let text = |name| branch.entry.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text);
            for held in messages(text("history")).into_iter().chain(facts(text("facts"))) {
                found.insert((branch.id.clone(), held));
            }
        }
    }
    found
}

fn unhurried(server: &FakeRedis, hosts: &[Host]) -> Result<(), String> {
    let incarnations: usize = hosts.iter().map(|host| host.branches.len()).sum();
    let attempts = server.attempts();
    for (earlier, later) in attempts.iter().zip(attempts.iter().skip(ATTEMPTS_MAX * incarnations)) {
        if *later - *earlier <= WINDOW {
            return Err(format!("{incarnations} hosts tried to connect too often: {:?}", *later - *earlier));
        }
    }
    Ok(())
}
