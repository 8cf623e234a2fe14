//! A plain Redis client that edits a ticket between our read and our write is never overwritten unseen.

use std::io::Write;
use std::sync::{Arc, Mutex};

use redis::aio::MultiplexedConnection;
use ticket_host::{Change, Tickets};
use ticket_tests::interposed::{Deed, Interposed};
use ticket_tests::{Fixture, StoreKind};

const ID: &str = "shared";
const EDITS: u32 = 400;

/// What the plain client does, in the lifecycle of the agents that there are: `HGETALL`, change, `HSET`, `EXPIRE`.
#[derive(Clone, Copy, Debug)]
enum Edit {
    /// Facts of another length.
    Length,
    /// Facts of the same length.
    SameLength,
    /// Other facts, and those of before at once: only the deadline tells.
    ThereAndBack,
    /// Other facts, and the second of the change, without a new deadline.
    LengthWithoutExpire,
}

const KINDS: [Edit; 4] = [Edit::Length, Edit::SameLength, Edit::ThereAndBack, Edit::LengthWithoutExpire];

/// What the client did last.
#[derive(Clone, Debug, Default)]
struct Seen {
    facts: String,
    /// Deadline and lengths were by chance what they had been: the one case that nothing tells apart.
    is_alike: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_client_between_read_and_write_is_never_overwritten_unseen() {
    let fixture = Fixture::new(StoreKind::Redis).await;
    let name = fixture.stored_name(&ticket_host::store::Key::parse(&format!("ticket:{ID}")).unwrap());
    let turn = Arc::new(Mutex::new((0, Seen::default())));
    let between = Arc::new(Interposed::new(fixture.store.clone(), edits(&fixture, &name, &turn)));
    let ours = Tickets::new(between.clone(), fixture.settings()).unwrap();
    ours.create(Some(ID), &[Change::Learn("{\"n\":1000}".into())]).await.unwrap();

    // The clock that dates changes stands still: all of it is within one second.
    let mut alike = 0;
    for number in 0..EDITS {
        turn.lock().unwrap().0 = number;
        between.arm(1);
        // Each third time the engine learns what the client may have changed, else something beside it.
        let ticket = match number % 3 {
            0 => ours.apply(ID, &[Change::Learn(format!("{{\"ours\":{number}}}"))], None).await,
            1 => ours.apply(ID, &[Change::Decide(number.to_string())], None).await,
            _ => ours.apply(ID, &[Change::Say("\"x\"".into())], None).await,
        }
        .unwrap();
        let seen = turn.lock().unwrap().1.clone();
        alike += u32::from(seen.is_alike);
        let theirs: serde_json::Value = serde_json::from_str(&seen.facts).unwrap();
        let facts: serde_json::Value = serde_json::from_str(&ticket.facts).unwrap();
        assert!(
            seen.is_alike || facts["n"] == theirs["n"],
            "edit {number} is gone: {} over {}",
            ticket.facts,
            seen.facts
        );
        if number % 50 == 49 {
            // The history is of no interest and may not pass a limit.
            let fresh = ours.apply(ID, &[Change::Learn("{\"ours\":null}".into())], None).await.unwrap();
            assert!(fresh.message_count() <= EDITS as usize);
        }
    }
    let text = format!("{EDITS} foreign edits between read and write, {alike} of them alike in deadline and lengths\n");
    std::io::stdout().write_all(text.as_bytes()).unwrap();
    assert!(alike <= EDITS / 20, "{alike} of {EDITS} edits were alike, which should be rare");
}

/// The client's deed: the edit whose turn it is.
fn edits(fixture: &Fixture, name: &str, turn: &Arc<Mutex<(u32, Seen)>>) -> Deed {
    let (client, name, turn) = (fixture.redis_client(), name.to_owned(), Arc::clone(turn));
    Box::new(move || {
        let (client, name, turn) = (client.clone(), name.clone(), Arc::clone(&turn));
        Box::pin(async move {
            let number = turn.lock().unwrap().0;
            let seen = edit(client, &name, number).await;
            turn.lock().unwrap().1 = seen;
        })
    })
}

async fn edit(mut client: MultiplexedConnection, name: &str, number: u32) -> Seen {
    let before = state(&mut client, name).await;
    let facts: serde_json::Value = serde_json::from_str(&before.0).unwrap();
    let n = facts["n"].as_u64().unwrap();
    let other = |n: u64| {
        let mut facts = facts.clone();
        facts["n"] = n.into();
        facts.to_string()
    };
    let same_length = other(if n % 10 == 9 { n - 1 } else { n + 1 });
    let longer = other(if n > 1_000_000_000 { 1_000 } else { n * 10 });
    match KINDS[number as usize % KINDS.len()] {
        Edit::Length => put(&mut client, name, &longer, true).await,
        Edit::SameLength => put(&mut client, name, &same_length, true).await,
        Edit::ThereAndBack => {
            put(&mut client, name, &longer, true).await;
            put(&mut client, name, &before.0, true).await;
        }
        Edit::LengthWithoutExpire => put(&mut client, name, &longer, false).await,
    }
    let after = state(&mut client, name).await;
    Seen { is_alike: (before.0.len(), before.1) == (after.0.len(), after.1), facts: after.0 }
}

/// Facts and deadline.
async fn state(client: &mut MultiplexedConnection, name: &str) -> (String, u64) {
    let mut look = redis::pipe();
    look.hget(name, "facts").cmd("PEXPIRETIME").arg(name);
    look.query_async(client).await.unwrap()
}

async fn put(client: &mut MultiplexedConnection, name: &str, facts: &str, expires: bool) {
    let mut lifecycle = redis::pipe();
    lifecycle.hset(name, "facts", facts).ignore();
    if expires {
        lifecycle.expire(name, 1_800).ignore();
    }
    let () = lifecycle.query_async(client).await.unwrap();
}
