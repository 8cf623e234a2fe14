//! A node of a Redis Cluster has a part of the tickets only: it is refused, and never taken for a server that is down.

use std::error::Error as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use ticket_host::store::{self, Misconfiguration};
use ticket_host::{Change, Error, Fallback, StoreUrl, Tickets, TicketsBuilder};
use ticket_tests::RedisServer;
use ticket_tests::ports::free_port;
use ticket_tests::program::User;

/// How long callers that do not pause call a node, and most connections that they may open in that time.
const CALLS_TIME: Duration = Duration::from_secs(2);
const CONNECTIONS_MAX: u64 = 12;
/// How long two nodes may take to find each other.
const MEET_TIME_MAX: Duration = Duration::from_secs(30);

/// A node without slots. The user `app` cannot ask it whether it is one.
fn node() -> RedisServer {
    let port = free_port().to_string();
    let user = ["--user", "app", "on", ">pw", "~ticket:*", "+@all", "-info"];
    RedisServer::start(&[&["--cluster-enabled", "yes", "--cluster-port", &port] as &[&str], &user].concat())
}

async fn ask(server: &RedisServer, words: &[&str]) -> String {
    let mut command = redis::cmd(words[0]);
    command
        .arg(&words[1..])
        .query_async(&mut server.client().await)
        .await
        .unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Two nodes that know each other: the first has the outer slots, the second those in the middle.
async fn cluster() -> [RedisServer; 2] {
    let (outer, middle) = (node(), node());
    outer.operate(&["CLUSTER", "ADDSLOTSRANGE", "0", "4999", "10000", "16383"]).await;
    middle.operate(&["CLUSTER", "ADDSLOTSRANGE", "5000", "9999"]).await;
    let bus_port = ask(&middle, &["CLUSTER", "NODES"]).await;
    let bus_port = bus_port.split(['@', ' ', ',']).nth(2).expect("a line of CLUSTER NODES").to_owned();
    outer.operate(&["CLUSTER", "MEET", "127.0.0.1", &middle.port().to_string(), &bus_port]).await;
    for node in [&outer, &middle] {
        serves(node).await;
    }
    [outer, middle]
}

/// Waits until a node knows that all slots are served.
async fn serves(node: &RedisServer) {
    let until = Instant::now() + MEET_TIME_MAX;
    while !ask(node, &["CLUSTER", "INFO"]).await.contains("cluster_state:ok") {
        assert!(Instant::now() < until, "the cluster does not serve");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The id of a ticket that the second of the two nodes has, or that the first has, and its slot.
async fn id_of(server: &RedisServer, in_the_middle: bool) -> (String, u32) {
    for number in 0..1_000 {
        let id = format!("t{number}");
        let mut slot = redis::cmd("CLUSTER");
        slot.arg("KEYSLOT").arg(format!("ticket:{id}"));
        let slot: u32 = slot.query_async(&mut server.client().await).await.unwrap();
        if (5_000..10_000).contains(&slot) == in_the_middle {
            return (id, slot);
        }
    }
    panic!("a third of all ids are in the middle");
}

async fn id_in_the_middle(server: &RedisServer) -> String {
    id_of(server, true).await.0
}

async fn connections(server: &RedisServer) -> u64 {
    let info = ask(server, &["INFO", "stats"]).await;
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).expect("the counter");
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_refuses_a_node_at_first_contact() {
    let node = node();
    node.operate(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    // It serves every ticket now, and would not after the next node joins.
    serves(&node).await;
    let user = User::of(&node.url());
    for arguments in [
        &["new"] as &[&str],
        &["show", "t"],
        &["say", "t", "x"],
        &["touch", "t"],
        &["list"],
        &["close", "t"],
        &["new", "--fallback", "memory:"],
        &["new", "--fallback", "none"],
        &["doctor"],
    ] {
        let run = user.run(arguments);
        assert_eq!(run.code, Some(77), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains("is a node of a Redis Cluster, and this version serves single"), "{run:?}");
        assert!(run.stderr.contains("\nhint: name a server without cluster mode in the store URL"), "{run:?}");
        assert!(run.stderr.contains(" or a proxy that serves all slots"), "{run:?}");
        assert!(!run.stderr.contains("pending"), "{arguments:?}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_reports_a_node_as_a_finding() {
    let node = node();
    let doctor = User::of(&node.url()).run(&["doctor", "--format", "json"]);
    assert_eq!(doctor.code, Some(77), "{doctor:?}");
    let report: Value = serde_json::from_str(&doctor.stdout).unwrap_or_else(|error| panic!("{error}: {doctor:?}"));
    assert_eq!(report["findings"][0]["severity"], "problem", "{report}");
    let text = report["findings"][0]["text"].as_str().expect("a text");
    assert!(text.contains("is a node of a Redis Cluster") && text.contains("without cluster mode"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_tell_is_found_by_its_slots() {
    let [outer, middle] = cluster().await;
    let user = User::of(&middle.url_of("app", "pw"));
    for arguments in [&["new"] as &[&str], &["list"], &["new", "--fallback", "none"]] {
        let run = user.run(arguments);
        assert_eq!(run.code, Some(77), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains("is a node of a Redis Cluster"), "{arguments:?}: {run:?}");
    }
    let run = User::of(&format!("{}/1", outer.url())).run(&["list"]);
    assert_eq!(run.code, Some(77), "the login has a database number: {run:?}");
    assert!(run.stderr.contains("is a node of a Redis Cluster"), "{run:?}");
}

/// The tickets of a node of which nothing but a call can tell that it is one.
fn hidden(outer: &RedisServer) -> TicketsBuilder<StoreUrl> {
    Tickets::builder(&outer.url_of("app", "pw"))
}

/// Calls without a pause; the last error, and how many connections were opened.
async fn calls(tickets: &Tickets, id: &str, outer: &RedisServer) -> (Error, u64) {
    let (before, until) = (connections(outer).await, Instant::now() + CALLS_TIME);
    let mut last = None;
    while Instant::now() < until {
        last = Some(tickets.get(id).await.expect_err("another node has it"));
        tokio::task::yield_now().await;
    }
    // Each count is a connection of its own.
    (last.expect("a call"), connections(outer).await - before - 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_another_node_is_denied_without_a_flood() {
    let [outer, _middle] = cluster().await;
    let id = id_in_the_middle(&outer).await;
    let tickets = hidden(&outer).fallback(Fallback::none()).open().await.expect("the handshake says nothing");
    let created = tickets.create(Some(&id), &[]).await.expect_err("another node has it");
    let (read, opened) = calls(&tickets, &id, &outer).await;
    for error in [created, read] {
        assert!(matches!(error, Error::Denied(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("is a node of a Redis Cluster") && text.contains("MOVED"), "{text}");
        assert!(text.contains("without cluster mode in the store URL"), "what to use: {text}");
    }
    assert!(opened <= CONNECTIONS_MAX, "{opened} connections");
}

/// A small write and a large one: the two ways of the usual write.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_moves_to_another_node_is_written_whole_or_not() {
    let [outer, middle] = cluster().await;
    let (id, slot) = id_of(&outer, false).await;
    let texts = ["small".to_owned(), "x".repeat(6_000)];
    let tickets = hidden(&outer).fallback(Fallback::none()).open().await.expect("the handshake says nothing");
    tickets.create(Some(&id), &[]).await.expect("this node has it");
    let other = ask(&middle, &["CLUSTER", "MYID"]).await;
    outer.operate(&["CLUSTER", "SETSLOT", &slot.to_string(), "MIGRATING", &other]).await;
    for text in &texts {
        let before = tickets.get(&id).await.expect("still here");
        match tickets.apply(&id, &[Change::say(text)], None).await {
            Ok(after) => assert_eq!(after.message_count(), before.message_count() + 1),
            // A copy beside it is not on this node while the slot moves.
            Err(Error::Unavailable(_)) => assert_eq!(tickets.get(&id).await.expect("still here"), before),
            Err(error) => panic!("{error:?}"),
        }
    }
    let mut moved = redis::cmd("DEL");
    let moved: u64 = moved.arg(format!("ticket:{id}")).query_async(&mut outer.client().await).await.unwrap();
    assert_eq!(moved, 1);
    for text in &texts {
        let error = tickets.apply(&id, &[Change::say(text)], None).await.expect_err("the other node has it");
        assert!(matches!(error, Error::Denied(_)) && error.to_string().contains("ASK"), "{error:?}");
    }
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut outer.client().await).await.unwrap();
    assert_eq!(keys, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_takes_a_node_for_misconfigured_not_down() {
    let [outer, _middle] = cluster().await;
    let id = id_in_the_middle(&outer).await;
    let tickets = hidden(&outer).open().await.expect("the handshake says nothing");
    let fallback = tickets.fallback().expect("a fallback");
    let mut events = fallback.events();
    let (error, opened) = calls(&tickets, &id, &outer).await;
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(opened <= CONNECTIONS_MAX, "{opened} connections");
    let mut was_misconfigured = false;
    while let Ok(event) = events.try_recv() {
        match event {
            ticket_host::fallback::Event::Misconfigured { misconfiguration, .. } => {
                assert_eq!(misconfiguration, Misconfiguration::Cluster);
                was_misconfigured = true;
            }
            ticket_host::fallback::Event::Down(error) => panic!("not an outage that passes: {error}"),
            _ => {}
        }
    }
    assert!(was_misconfigured);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_names_the_setting_of_a_node() {
    let node = node();
    for fallback in [Fallback::none(), Fallback::memory()] {
        let error = Tickets::builder(&node.url()).fallback(fallback).open().await.expect_err("a node");
        assert!(matches!(error, Error::Denied(_)), "{error:?}");
        let source = error.source().and_then(|source| source.downcast_ref::<store::Error>()).expect("a source");
        assert_eq!(source.misconfiguration(), Some(&Misconfiguration::Cluster));
    }
}
