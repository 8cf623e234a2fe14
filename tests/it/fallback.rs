//! What an embedder and an operator see of a fallback: who served, events, the state, the limit, and leaving.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use ticket_host::clock::{Clock, ManualClock, SystemClock};
use ticket_host::fallback::Event;
use ticket_host::store::{Freshness, Key};
use ticket_host::{Change, Error, Fallback, ServedBy, Tickets};
use ticket_tests::flaky::{Behavior, Flaky};
use ticket_tests::seed;

fn clock() -> ManualClock {
    ManualClock::at(SystemClock.now_ms())
}

async fn tickets(primary: &Arc<Flaky>, fallback: Fallback) -> Tickets {
    Tickets::builder_over_primary(primary.clone()).fallback(fallback).open().await.expect("tickets")
}

fn key(id: &str) -> Key {
    Key::parse(&format!("ticket:{id}")).expect("key")
}

async fn synced(tickets: &Tickets) {
    let left = tickets.fallback().expect("fallback").shutdown(Duration::from_secs(20)).await.expect("left");
    assert!(left.pending.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedder_learns_who_served_and_what_happened() {
    let primary = Flaky::new(Behavior::Up, clock(), seed::rng("events"));
    let tickets = tickets(&primary, Fallback::memory()).await;
    let mut events = tickets.fallback().expect("fallback").events();
    assert_eq!(tickets.create(Some("t"), &[]).await.unwrap().served_by, ServedBy::Store);
    assert_eq!(tickets.list("", None).await.unwrap().served_by, ServedBy::Store);

    primary.set_behavior(Behavior::Down);
    let said = tickets.apply("t", &[Change::say("in the outage")], None).await.unwrap();
    assert_eq!(said.served_by, ServedBy::Fallback);
    assert_eq!(tickets.get("t").await.unwrap(), said);
    assert_eq!(tickets.list("", None).await.unwrap().served_by, ServedBy::Fallback);
    assert!(matches!(events.recv().await, Ok(Event::Down(_))));
    let status = tickets.fallback().expect("fallback").status().await.unwrap();
    assert_eq!((status.primary_is_up, status.pending), (false, 1));
    assert!(status.last_error.is_some());

    primary.set_behavior(Behavior::Up);
    synced(&tickets).await;
    assert!(matches!(events.recv().await, Ok(Event::Up { .. })));
    assert_eq!(events.recv().await, Ok(Event::Synced { tickets: 1, branches: 0 }));
    let status = tickets.fallback().expect("fallback").status().await.unwrap();
    assert_eq!((status.primary_is_up, status.pending), (true, 0));
    assert_eq!(status.last_sync.map(|last| last.tickets), Some(1));
    let got = tickets.get("t").await.unwrap();
    assert_eq!((got.served_by, &got), (ServedBy::Store, &said), "and the revision is still true");
    assert_eq!(primary.entry(&key("t")).expect("entry").revision.as_str(), said.revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_ticket_may_well_exist_and_a_closed_one_does_not() {
    let primary = Flaky::new(Behavior::Up, clock(), seed::rng("unknown"));
    let tickets = tickets(&primary, Fallback::memory()).await;
    tickets.create(Some("closed"), &[]).await.unwrap();
    primary.set_behavior(Behavior::Down);
    for _ in 0..2 {
        assert!(matches!(tickets.get("stranger").await, Err(Error::Unavailable(_))));
        assert!(matches!(tickets.apply("stranger", &[Change::say("x")], None).await, Err(Error::Unavailable(_))));
    }
    tickets.close("closed", None).await.unwrap();
    assert!(matches!(tickets.get("closed").await, Err(Error::NotFound(_))));
    tickets.create(Some("closed"), &[]).await.expect("a new incarnation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_replica_refuses_new_tickets_and_serves_known_ones() {
    let primary = Flaky::new(Behavior::Down, clock(), seed::rng("full"));
    let tickets = tickets(&primary, Fallback::memory().bytes_max(20_000)).await;
    let fact = [Change::learn(&json!({ "long": "x".repeat(1_000) }))];
    let mut made = 0;
    let refused = loop {
        match tickets.create(Some(&format!("t{made}")), &fact).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, Error::Unavailable(why) if why.contains("full of pending changes")), "{refused:?}");
    assert!((5..20).contains(&made), "{made}");
    tickets.apply("t0", &[Change::say("still here")], None).await.unwrap();
    primary.set_behavior(Behavior::Up);
    synced(&tickets).await;
    tickets.create(Some("more"), &fact).await.unwrap();
    assert!(primary.entry(&key("t0")).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_names_pending_tickets_and_a_file_keeps_them() {
    let primary = Flaky::new(Behavior::Down, clock(), seed::rng("leave"));
    let in_memory = tickets(&primary, Fallback::memory()).await;
    in_memory.create(Some("m"), &[]).await.unwrap();
    let left = in_memory.fallback().expect("fallback").shutdown(Duration::ZERO).await.unwrap();
    assert_eq!((&left.pending, &left.lost), (&vec!["m".to_owned()], &left.pending));

    let folder = tempfile::TempDir::new().unwrap();
    let place = || Fallback::file(folder.path().join("f.db"));
    let first = tickets(&primary, place()).await;
    let made = first.create(Some("f"), &[Change::say("kept")]).await.unwrap();
    let left = first.fallback().expect("fallback").shutdown(Duration::ZERO).await.unwrap();
    assert_eq!((left.pending, left.lost), (vec!["f".to_owned()], vec![]));
    drop(first);
    let second = tickets(&primary, place()).await;
    assert_eq!(second.get("f").await.unwrap(), made);
    primary.set_behavior(Behavior::Up);
    synced(&second).await;
    assert_eq!(primary.entry(&key("f")).expect("entry").revision.as_str(), made.revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_known_copy_feeds_changes_and_never_an_answer() {
    let primary = Flaky::new(Behavior::Up, clock(), seed::rng("recent"));
    let tickets = tickets(&primary, Fallback::memory()).await;
    let made = tickets.create(Some("t"), &[]).await.unwrap();
    let entry = primary.entry(&key("t")).expect("entry");
    primary.delete(&key("t"));
    let store = tickets.store();
    assert!(store.read(&key("t"), Freshness::Recent).await.unwrap().is_some(), "the copy");
    assert!(matches!(tickets.apply("t", &[Change::say("x")], None).await, Err(Error::NotFound(_))));
    assert_eq!(store.read(&key("t"), Freshness::Recent).await.unwrap(), None, "by now it is known");
    primary.put(&key("t"), entry);
    assert_eq!(tickets.get("t").await.unwrap().revision, made.revision);
}
