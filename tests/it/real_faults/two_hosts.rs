//! Two hosts with one server, one of them cut off: what each was told is in the ticket once, or in a conflict copy.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use ticket_host::fallback::Branch;
use ticket_host::{Change, Error, Ticket, Tickets};
use ticket_tests::proxy::Mode;
use ticket_tests::{Proxy, RedisServer};

use super::scene::{self, LOOK_EVERY, plain, synced};

const ID: &str = "shared";
/// Messages of each host in one outage.
const MESSAGES: u32 = 30;
/// What keeps a host from seeing the server at all; drips come through in time now and then.
const BLIND: [Mode; 6] = [Mode::Refuse, Mode::Stall, Mode::Cut, Mode::Reset, Mode::Half, Mode::Truncate];

/// A host with a wire of its own.
struct Host {
    name: &'static str,
    proxy: Proxy,
    tickets: Tickets,
}

impl Host {
    async fn of(name: &'static str, server: &RedisServer) -> Self {
        let proxy = Proxy::before(server.port());
        let tickets = scene::open(&proxy.url()).await;
        Self { name, proxy, tickets }
    }

    async fn branches(&self) -> Vec<Branch> {
        self.tickets.fallback().unwrap().branches().list().await.unwrap()
    }

    /// Says numbered messages and learns a number with each, one after the other.
    async fn say(&self, round: u32, with_ids: bool) -> Vec<String> {
        let mut said = Vec::new();
        for number in 0..MESSAGES {
            let name = format!("{}-{round}-{number}", self.name);
            let message =
                if with_ids { json!({"id": name, "text": "the same"}).to_string() } else { json!(name).to_string() };
            let learnt = Change::learn(&json!({name: number}));
            self.tickets.apply(ID, &[Change::Say(message.clone()), learnt], None).await.unwrap();
            said.push(message);
        }
        said
    }
}

/// A server and two hosts that both know a ticket.
async fn pair() -> (RedisServer, Host, Host) {
    let server = RedisServer::start(&[]);
    let (cut, well) = (Host::of("cut", &server).await, Host::of("well", &server).await);
    cut.tickets.create(Some(ID), &[Change::say("first")]).await.unwrap();
    well.tickets.get(ID).await.unwrap();
    (server, cut, well)
}

/// How often each message is in a history, by its text without spaces.
pub(super) fn counted(history: &str) -> BTreeMap<String, usize> {
    let messages: Vec<Value> = serde_json::from_str(history).expect("a history");
    let mut counts = BTreeMap::new();
    for message in messages {
        *counts.entry(message.to_string()).or_default() += 1;
    }
    counts
}

/// Both hosts and the server agree on a ticket to the byte.
pub(super) async fn agreed(server: &RedisServer, hosts: [&Tickets; 2], id: &str) -> Ticket {
    let stored = plain(server).await.get(id).await.unwrap();
    for host in hosts {
        assert_eq!(host.get(id).await.unwrap(), stored);
    }
    stored
}

/// Both write while one is cut off; then it is not.
async fn both_say(mode: Mode, with_ids: bool) {
    let (server, cut, well) = pair().await;
    let mut said = vec![json!("first").to_string()];
    for round in 0..3 {
        cut.proxy.set(mode);
        let (ours, theirs) = tokio::join!(cut.say(round, with_ids), well.say(round, with_ids));
        let status = cut.tickets.fallback().unwrap().status().await.unwrap();
        assert!(status.pending == 1 && status.last_error.is_some(), "{mode:?}: {status:?}");
        cut.proxy.set(Mode::Pass);
        synced(&cut.tickets).await;
        synced(&well.tickets).await;
        said.extend(ours.into_iter().chain(theirs));
        let ticket = agreed(&server, [&cut.tickets, &well.tickets], ID).await;
        let expected: BTreeMap<String, usize> = said.iter().map(|message| (message.clone(), 1)).collect();
        assert_eq!(counted(&ticket.history), expected, "{mode:?}, round {round}");
        let facts: BTreeMap<String, u32> = serde_json::from_str(&ticket.facts).unwrap();
        assert_eq!(facts.len(), said.len() - 1, "{mode:?}, round {round}");
    }
    assert_eq!((cut.branches().await, well.branches().await), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_with_ids_of_both_are_there_once() {
    for mode in Mode::FAULTS {
        both_say(mode, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_messages_of_both_are_there_once() {
    for mode in Mode::FAULTS {
        both_say(mode, false).await;
    }
}

/// The server stands still under both: their last writes land late, one of them or both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_both_hosts_to_a_stopped_server_are_stored_once() {
    let (server, one, other) = pair().await;
    let mut said = vec![json!("first").to_string()];
    for round in 0..4 {
        server.pause();
        let (ours, theirs) = tokio::join!(one.say(round, false), other.say(round, false));
        server.resume();
        synced(&one.tickets).await;
        synced(&other.tickets).await;
        said.extend(ours.into_iter().chain(theirs));
        let ticket = agreed(&server, [&one.tickets, &other.tickets], ID).await;
        let expected: BTreeMap<String, usize> = said.iter().map(|message| (message.clone(), 1)).collect();
        assert_eq!(counted(&ticket.history), expected, "round {round}");
    }
    assert_eq!((one.branches().await, other.branches().await), (Vec::new(), Vec::new()));
}

/// The only branch of a host, and what was said in it.
async fn only_branch(host: &Host) -> (Branch, String) {
    let mut branches = host.branches().await;
    assert_eq!(branches.len(), 1, "{}: {branches:?}", host.name);
    let branch = branches.remove(0);
    assert_eq!(branch.id, ID);
    let history = branch.entry.fields.iter().find(|(name, _)| name == "history").expect("a history").1.clone();
    (branch, history)
}

async fn is_gone(server: &RedisServer, hosts: [&Host; 2]) {
    assert_eq!(scene::stored(server, ID).await, None);
    for host in hosts {
        let gone = host.tickets.get(ID).await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{}: {gone:?}", host.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_where_the_wire_is_cut_wins_over_a_change_elsewhere() {
    for mode in BLIND {
        let (server, cut, well) = pair().await;
        cut.proxy.set(mode);
        well.tickets.apply(ID, &[Change::say("unseen")], None).await.unwrap();
        cut.tickets.close(ID, None).await.unwrap();
        cut.proxy.set(Mode::Pass);
        synced(&cut.tickets).await;
        let (_, history) = only_branch(&cut).await;
        assert_eq!(history, r#"["first","unseen"]"#, "{mode:?}");
        assert_eq!(well.branches().await, []);
        is_gone(&server, [&cut, &well]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_elsewhere_wins_over_a_change_where_the_wire_is_cut() {
    for mode in BLIND {
        let (server, cut, well) = pair().await;
        cut.proxy.set(mode);
        // First cleared there, so that a request which still passes meets nothing.
        well.tickets.close(ID, None).await.unwrap();
        cut.tickets.apply(ID, &[Change::say("unseen")], None).await.unwrap();
        cut.proxy.set(Mode::Pass);
        synced(&cut.tickets).await;
        let (_, history) = only_branch(&cut).await;
        assert_eq!(history, r#"["first","unseen"]"#, "{mode:?}");
        assert_eq!(well.branches().await, []);
        is_gone(&server, [&cut, &well]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_incarnation_stays_and_ours_becomes_a_conflict_copy() {
    for mode in [Mode::Refuse, Mode::Stall, Mode::Half] {
        let (server, cut, well) = pair().await;
        cut.proxy.set(mode);
        well.tickets.close(ID, None).await.unwrap();
        cut.tickets.apply(ID, &[Change::say("of the old incarnation")], None).await.unwrap();
        // Lives are told apart by the second in which they began.
        let old = cut.tickets.get(ID).await.unwrap();
        let mut anew = well.tickets.create(Some(ID), &[Change::say("anew")]).await.unwrap();
        for _ in 0..1_000 {
            if anew.created_at != old.created_at {
                break;
            }
            well.tickets.close(ID, None).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            anew = well.tickets.create(Some(ID), &[Change::say("anew")]).await.unwrap();
        }
        cut.proxy.set(Mode::Pass);
        synced(&cut.tickets).await;
        let (_, history) = only_branch(&cut).await;
        assert_eq!(history, r#"["first","of the old incarnation"]"#, "{mode:?}");
        let stored = agreed(&server, [&cut.tickets, &well.tickets], ID).await;
        assert_eq!(stored, anew);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_created_on_both_hosts_is_the_first_ones() {
    let (server, cut, well) = pair().await;
    cut.proxy.set(Mode::Refuse);
    cut.tickets.create(Some("new"), &[Change::say("ours")]).await.unwrap();
    let theirs = well.tickets.create(Some("new"), &[Change::say("theirs")]).await.unwrap();
    cut.proxy.set(Mode::Pass);
    synced(&cut.tickets).await;
    assert_eq!(agreed(&server, [&cut.tickets, &well.tickets], "new").await, theirs);
    let branches = cut.branches().await;
    let field = ("history".to_owned(), r#"["ours"]"#.to_owned());
    assert!(branches.len() == 1 && branches[0].entry.fields.contains(&field), "{branches:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_lands_late_is_seen_by_others_and_not_made_twice() {
    let (server, cut, well) = pair().await;
    cut.proxy.set(Mode::Stall);
    cut.tickets.apply(ID, &[Change::say("late")], None).await.unwrap();
    let mut alone = cut.tickets.apply(ID, &[Change::say("later")], None).await.unwrap();
    // The link is given up, the request is on its way; it lands when the wire is mended, before or after ours.
    for number in 0..5 {
        alone = cut.tickets.apply(ID, &[Change::say(&format!("much later {number}"))], None).await.unwrap();
    }
    assert!(alone.history.contains("much later 4"));
    cut.proxy.set(Mode::Pass);
    let mut said: Vec<String> = serde_json::from_str(&alone.history).unwrap();
    for number in 0..20 {
        let message = format!("well {number}");
        well.tickets.apply(ID, &[Change::say(&message)], None).await.unwrap();
        said.push(message);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    synced(&cut.tickets).await;
    let ticket = agreed(&server, [&cut.tickets, &well.tickets], ID).await;
    let expected = said.iter().map(|message| (json!(message).to_string(), 1)).collect();
    assert_eq!(counted(&ticket.history), expected);
}
