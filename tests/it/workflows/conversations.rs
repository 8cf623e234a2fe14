//! The refund workflow on real conversations: what 50 users of an airline said, and what the agent then looked up.

use std::fs;

use serde::Deserialize;
use serde_json::Value;
use ticket_host::{Change, Tickets};
use ticket_tests::RedisServer;

use super::{open, refund};

/// τ-bench, MIT licence: see `tests/data/LICENSE-tau-bench.txt`.
const CONVERSATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/airline-users.jsonl");

#[derive(Deserialize)]
struct Conversation {
    id: String,
    /// The users and reservations that the agent of the conversation looked up.
    user_ids: Vec<String>,
    reservation_ids: Vec<String>,
    says: Vec<String>,
}

impl Conversation {
    fn all() -> Vec<Self> {
        let text = fs::read_to_string(CONVERSATIONS).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Whether the user said it as a word.
    fn says(&self, id: &str) -> bool {
        let is_id = |char: char| char.is_ascii_alphanumeric() || char == '_';
        self.says.iter().any(|text| text.split(|char| !is_id(char)).any(|word| word == id))
    }

    /// Runs the workflow after each message, and returns what it answered and the facts at the end.
    async fn run(&self, tickets: &Tickets) -> (Vec<String>, Value) {
        let workflow = refund();
        tickets.create(Some(&self.id), &[]).await.unwrap();
        let mut outputs = Vec::new();
        for text in &self.says {
            tickets.apply(&self.id, &[Change::say(text)], None).await.unwrap();
            outputs.push(tickets.run(&self.id, &workflow, "null").await.unwrap().output);
        }
        let ticket = tickets.get(&self.id).await.unwrap();
        assert_eq!(ticket.last_decision, *outputs.last().unwrap(), "{}", self.id);
        (outputs, serde_json::from_str(&ticket.facts).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_of_real_conversations_are_those_the_agent_used() {
    let server = RedisServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("tickets.db").display());
    let stores = [open("memory:").await, open(&file).await, open(&server.url()).await];
    let (mut users, mut reservations) = (0, 0);
    for conversation in Conversation::all() {
        let id = &conversation.id;
        let (outputs, facts) = conversation.run(&stores[0]).await;
        for store in &stores[1..] {
            assert_eq!(conversation.run(store).await, (outputs.clone(), facts.clone()), "{id}");
        }
        // What the agent looked up and the user had said is in the facts.
        if let [user] = &conversation.user_ids[..]
            && conversation.says(user)
        {
            assert_eq!(facts["user_id"], **user, "{id}");
            users += 1;
        }
        if let [reservation] = &conversation.reservation_ids[..]
            && conversation.says(reservation)
        {
            assert_eq!(facts["reservation_id"], **reservation, "{id}");
            reservations += 1;
        }
        let last: Value = serde_json::from_str(outputs.last().unwrap()).unwrap();
        let is_complete = ["user_id", "reservation_id", "reason"].iter().all(|slot| facts.get(slot).is_some());
        assert_eq!(last["action"], if is_complete { "look_up" } else { "ask" }, "{id}: {facts}");
    }
    assert!(users >= 25 && reservations >= 10, "{users} users and {reservations} reservations were compared");
    println!("{users} users and {reservations} reservations compared");
}
