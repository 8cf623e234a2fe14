//! What must be true after a schedule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use ticket_host::fallback::Branch;

use super::super::scene::{plain, synced};
use super::super::two_hosts::counted;
use super::Tally;
use super::agents::{Done, Kind};

/// Waits until everything is synced and looks at it from everywhere.
pub(super) async fn check(schedule: &str, done: Done) -> Tally {
    let Done { backend, hosts, operations, acknowledged, refused, ids } = done;
    let mut branches = Vec::new();
    for host in &hosts {
        synced(host).await;
    }
    for host in &hosts {
        branches.extend(host.fallback().unwrap().branches().list().await.unwrap());
    }
    let elsewhere = plain(&backend.server).await;
    let mut tally = Tally { operations, refused, ..Tally::default() };
    for branch in &branches {
        *tally.branches.entry(branch.why.clone()).or_default() += 1;
    }
    for id in ids.iter() {
        let of = format!("{schedule}, {id}");
        let stored = elsewhere.get(id).await.unwrap_or_else(|error| panic!("{of}: {error:?}"));
        for host in &hosts {
            assert_eq!(host.get(id).await.unwrap(), stored, "{of}");
        }
        let history = counted(&stored.history);
        let twice: Vec<_> = history.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{of}: said more than once: {twice:?}");
        let facts: BTreeMap<String, Value> = serde_json::from_str(&stored.facts).unwrap();
        let copies: Vec<&Branch> = branches.iter().filter(|branch| branch.id == *id).collect();
        for (kind, known) in
            [(Kind::Said, history.keys().cloned().collect()), (Kind::Learnt, facts.keys().cloned().collect())]
        {
            let in_copies = in_branches(&copies, kind);
            let told = acknowledged.get(&(id.clone(), kind)).cloned().unwrap_or_default();
            tally.acknowledged += told.len() as u64;
            let missing: BTreeSet<String> = told.difference(&known).cloned().collect();
            let lost: Vec<&String> = missing.difference(&in_copies).collect();
            let why: Vec<&str> = copies.iter().map(|branch| branch.why.as_str()).collect();
            assert!(
                lost.is_empty(),
                "{of}: {kind:?} and lost: {} as {:?}; branches: {why:?}",
                lost.len(),
                lost.first()
            );
            tally.in_copies += missing.len() as u64;
        }
    }
    tally
}

/// All that was said or learnt in these branches.
fn in_branches(branches: &[&Branch], kind: Kind) -> BTreeSet<String> {
    let name = if kind == Kind::Said { "history" } else { "facts" };
    let mut told = BTreeSet::new();
    for branch in branches {
        let Some((_, text)) = branch.entry.fields.iter().find(|(field, _)| field == name) else { continue };
        match kind {
            Kind::Said => told.extend(counted(text).into_keys()),
            Kind::Learnt => told.extend(serde_json::from_str::<BTreeMap<String, Value>>(text).unwrap().into_keys()),
        }
    }
    told
}
