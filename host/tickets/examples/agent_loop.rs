//! An agent that keeps its conversation in a ticket: it decides, calls a tool, and rolls back a step that failed.
//!
//! `cargo run --release --example agent_loop -p ticket-host [STORE_URL]`, in memory unless a URL is given. With
//! `sqlite:agent.db` a second run continues the conversation of the first.

use serde_json::{Value, json};
use ticket_host::{Change, Error, Ticket, Tickets};

const ID: &str = "trip";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory:".into());
    let tickets = Tickets::open(&url).await?;
    let mut ticket = match tickets.create(Some(ID), &[Change::say("A flight to Seattle, please.")]).await {
        Err(Error::Exists(_)) => tickets.apply(ID, &[Change::say("Is there something cheaper?")], None).await?,
        created => created?,
    };
    println!("conversation of {} messages in {url}", ticket.message_count());

    loop {
        let decision = decide(&ticket);
        println!("decision: {decision}");
        // The decision is stored before the tool runs: after a crash the ticket says what was being done.
        let revision = Some(ticket.revision.as_str());
        ticket = tickets.apply(ID, &[Change::decide(&decision)], revision).await?;
        if decision["tool"] == "answer" {
            break;
        }
        let before = tickets.snapshot(ID).await?;
        ticket = tickets.apply(ID, &[Change::learn(&json!({"flights": "searching"}))], None).await?;
        let changes = match search_flights(decision["attempt"].as_u64().unwrap_or(0)) {
            Ok(flights) => [Change::learn(&json!({"flights": flights})), Change::say("The tool found 2 flights.")],
            Err(why) => {
                println!("tool failed: {why}; rolling back");
                ticket = tickets.rollback(ID, &before, Some(&ticket.revision)).await?;
                [Change::learn(&json!({"failures": 1})), Change::say(why)]
            }
        };
        ticket = tickets.apply(ID, &changes, Some(&ticket.revision)).await?;
    }
    println!("facts: {}\nhistory: {}", ticket.facts, ticket.history);
    Ok(())
}

/// Stands for a language model, which is given the ticket and decides what to do next.
fn decide(ticket: &Ticket) -> Value {
    let facts: Value = serde_json::from_str(&ticket.facts).unwrap_or_default();
    match &facts["flights"] {
        Value::Array(flights) => json!({"tool": "answer", "flights": flights.len()}),
        _ => json!({"tool": "search_flights", "to": "Seattle", "attempt": facts["failures"].as_u64().unwrap_or(0)}),
    }
}

/// A tool that fails the first time.
fn search_flights(attempt: u64) -> Result<[&'static str; 2], &'static str> {
    if attempt == 0 { Err("the airline did not answer") } else { Ok(["AS 1", "AS 2"]) }
}
