//! The life of one ticket: create, apply, snapshot, rollback, conflict, close.
//!
//! `cargo run --release --example conversation -p ticket-host`

use serde_json::json;
use ticket_host::{Change, Error, Tickets};

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Any store works: `memory:`, `sqlite:tickets.db` or `redis://127.0.0.1/`.
    let tickets = Tickets::open("memory:").await?;

    let ticket = tickets.create(Some("order-7"), &[Change::say("I need a flight to Seattle.")]).await?;
    println!("created {} at revision {}", ticket.id, ticket.revision);

    // Several changes are one atomic write.
    let changes = [Change::learn(&json!({"city": "Seattle"})), Change::decide(&json!({"tool": "search_flights"}))];
    let ticket = tickets.apply("order-7", &changes, None).await?;
    println!("facts {}, last decision {}", ticket.facts, ticket.last_decision);

    let snapshot = tickets.snapshot("order-7").await?;
    let changed = tickets.apply("order-7", &[Change::learn(&json!({"city": "Boston"}))], None).await?;
    println!("facts {} by mistake", changed.facts);

    // A revision makes a change conditional: a client that has not seen the mistake cannot write over it.
    match tickets.apply("order-7", &[Change::say("Thanks!")], Some(&ticket.revision)).await {
        Err(Error::Conflict(Some(current))) => println!("conflict: the ticket is now at {}", current.revision),
        other => println!("unexpected: {other:?}"),
    }

    let ticket = tickets.rollback("order-7", &snapshot, Some(&changed.revision)).await?;
    println!("rolled back: facts {}", ticket.facts);

    tickets.close("order-7", Some(&ticket.revision)).await?;
    if let Err(error) = tickets.get("order-7").await {
        println!("closed: {error}");
    }
    Ok(())
}
