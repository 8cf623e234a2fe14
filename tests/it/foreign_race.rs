//! A plain Redis client that edits a ticket between our read and our write is never overwritten unseen.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use redis::aio::MultiplexedConnection;
use ticket_conformance::{Action, Interposed};
use ticket_host::Change;
use ticket_host::store::Key;
use ticket_tests::{StoreKind, TestStore};

/// Each edit meets a ticket of its own, whose deadline has a jitter of its own.
fn id(number: u32) -> String {
    format!("shared-{number}")
}

const EDITS: u32 = 400;

/// What the plain client does, in the lifecycle of the agents that there are: `HGETALL`, change, `HSET`, `EXPIRE`.
#[derive(Clone, Copy, Debug)]
enum Edit {
    /// Facts of another length.
    Length,
    /// Facts of the same length.
    SameLength,
    /// Other facts, and those of before at once: only the deadline tells.
    ChangedAndUndone,
    /// Facts of another length, and no new deadline.
    LengthWithoutExpire,
}

const KINDS: [Edit; 4] = [Edit::Length, Edit::SameLength, Edit::ChangedAndUndone, Edit::LengthWithoutExpire];

/// What the client did last.
#[derive(Clone, Debug, Default)]
struct Seen {
    facts: String,
    /// Deadline and lengths were by chance what they had been: the one case that nothing tells apart.
    is_alike: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_between_read_and_write_is_never_overwritten() {
    let test = TestStore::new(StoreKind::Redis).await;
    let fixture = &test.fixture;
    let round = Arc::new(Mutex::new((0, Seen::default())));
    let times = Arc::new(AtomicU32::new(0));
    let store = Interposed::before_changes(fixture.store.clone(), times.clone(), edits(&test, &round).await);
    let ours = fixture.tickets_over(Arc::new(store));

    // The clock that dates changes stands still: all of it is within one second.
    let mut alike = 0;
    for number in 0..EDITS {
        let id = id(number);
        ours.create(Some(&id), &[Change::Learn("{\"n\":1000}".into())]).await.unwrap();
        round.lock().unwrap().0 = number;
        times.store(1, Ordering::SeqCst);
        // Each third time the engine learns beside what the client may have changed, else it does something else.
        let change = match number % 3 {
            0 => Change::Learn(format!("{{\"ours\":{number}}}")),
            1 => Change::Decide(number.to_string()),
            _ => Change::Say("\"ours\"".into()),
        };
        let ticket = ours.apply(&id, &[change], None).await.unwrap();
        let seen = round.lock().unwrap().1.clone();
        alike += u32::from(seen.is_alike);
        let n = |facts: &str| serde_json::from_str::<serde_json::Value>(facts).unwrap()["n"].clone();
        let is_kept = n(&ticket.facts) == n(&seen.facts);
        assert!(is_kept || seen.is_alike, "edit {number} is gone: {} over {}", ticket.facts, seen.facts);
    }
    let text = format!("{EDITS} foreign edits between read and write, {alike} of them alike in deadline and lengths\n");
    std::io::stdout().write_all(text.as_bytes()).unwrap();
    assert!(alike <= EDITS / 20, "{alike} of {EDITS} edits were alike, which should be rare");
}

/// The client's external write: the edit of the present round.
async fn edits(test: &TestStore, round: &Arc<Mutex<(u32, Seen)>>) -> Action {
    let names: Vec<String> = (0..EDITS)
        .map(|number| test.fixture.stored_name(&Key::parse(&format!("ticket:{}", id(number))).unwrap()))
        .collect();
    let (client, names, round) = (test.redis_client().await, Arc::new(names), Arc::clone(round));
    Box::new(move || {
        let (client, names, round) = (client.clone(), Arc::clone(&names), Arc::clone(&round));
        Box::pin(async move {
            let number = round.lock().unwrap().0 as usize;
            let seen = edit(client, &names[number], KINDS[number % KINDS.len()]).await;
            round.lock().unwrap().1 = seen;
        })
    })
}

async fn edit(mut client: MultiplexedConnection, name: &str, edit: Edit) -> Seen {
    let before = state(&mut client, name).await;
    let (longer, same_length) = ("{\"n\": 20000}", "{\"n\":2000}");
    match edit {
        Edit::Length => put(&mut client, name, longer, true).await,
        Edit::SameLength => put(&mut client, name, same_length, true).await,
        Edit::ChangedAndUndone => {
            put(&mut client, name, longer, true).await;
            put(&mut client, name, &before.0, true).await;
        }
        Edit::LengthWithoutExpire => put(&mut client, name, longer, false).await,
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
