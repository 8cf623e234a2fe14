//! How the stand-in fails, by a clock that stands still until everybody waits.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use ticket_tests::stand_in::{Fault, Faults, Kind, Mode, Snapshot, StandIn};
use tokio::time::{Instant, sleep, timeout};

use super::{ask, client, client_with, eval, login, words};

const NOW_MS: u64 = 1_900_000_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// Writes an entry where there is none.
async fn write(connection: &MultiplexedConnection, key: &str) -> RedisResult<Value> {
    let deadline_ms = (NOW_MS + 1_000_000).to_string();
    let arguments = ["", "absent", "", &deadline_ms, "1000", "9000000", "0", "facts", "{}"];
    ask(connection, &eval(Kind::Write, false, key, &arguments.map(|text| text.as_bytes().to_vec()))).await
}

fn is_written(answer: &RedisResult<Value>) -> bool {
    matches!(answer, Ok(Value::Array(parts)) if parts.first() == Some(&Value::BulkString(b"written".to_vec())))
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_executes_later_what_its_clients_gave_up() {
    let stand_in = StandIn::new(NOW_MS, 1);
    let first = client(&stand_in).await;
    stand_in.freeze();
    let second = client(&stand_in).await;
    for (connection, key) in [(first, "a"), (second, "b")] {
        let lost = timeout(SECOND, write(&connection, key)).await;
        assert!(lost.is_err(), "{lost:?}");
    }
    assert_eq!(stand_in.keys(), [""; 0]);
    sleep(SECOND).await;
    stand_in.thaw();
    sleep(SECOND).await;
    assert_eq!(stand_in.keys(), ["a", "b"]);
    assert_eq!(stand_in.counts()["zombie"], 2);
    assert_eq!(stand_in.connections(), 0);
    assert_eq!(stand_in.now_ms(), NOW_MS + 4_000);
}

#[tokio::test(start_paused = true)]
async fn a_killed_server_executes_nothing_more() {
    let stand_in = StandIn::new(NOW_MS, 1);
    let connection = client(&stand_in).await;
    stand_in.set_faults(Faults { stall_ms_max: 500, ..Faults::default() });
    stand_in.fault_next_script(Fault::StallBefore);
    let asked = tokio::spawn(async move { write(&connection, "a").await });
    tokio::task::yield_now().await;
    stand_in.kill();
    assert!(asked.await.unwrap().is_err());
    assert_eq!(stand_in.connect().await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    stand_in.start();
    sleep(SECOND).await;
    assert_eq!((stand_in.keys().len(), stand_in.attempts().len()), (0, 2));
}

/// Whether each fault lets the write be answered, and be made.
#[tokio::test(start_paused = true)]
async fn each_fault_does_what_it_says() {
    for (fault, answered, made) in [
        (Fault::Reset, false, false),
        (Fault::CutAfter, false, true),
        (Fault::HalfClose, false, true),
        (Fault::StallBefore, true, true),
        (Fault::StallAfter, true, true),
        (Fault::Drip, true, true),
        (Fault::Truncate, false, true),
        (Fault::Mode(Mode::Loading), false, false),
        (Fault::Mode(Mode::Readonly), false, false),
        (Fault::Mode(Mode::Oom), false, false),
        (Fault::Mode(Mode::Misconf), false, false),
        (Fault::Noauth, false, false),
    ] {
        for seed in 0..20 {
            let stand_in = StandIn::new(NOW_MS, seed);
            stand_in.set_faults(Faults { stall_ms_max: 300, ..Faults::default() });
            let connection = client(&stand_in).await;
            stand_in.fault_next_script(fault);
            let answer = timeout(SECOND, write(&connection, "a")).await.expect("an answer or an end");
            assert_eq!(is_written(&answer), answered, "{fault:?}: {answer:?}");
            assert_eq!(stand_in.entry("a").is_some(), made, "{fault:?}");
            assert_eq!(stand_in.counts(), BTreeMap::from([(fault.name(), 1)]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connects_are_refused_and_stalled_by_chance() {
    let stand_in = StandIn::new(NOW_MS, 1);
    stand_in.set_faults(Faults { refuse: 0.5, stall_connect: 0.5, stall_ms_max: 100, ..Faults::default() });
    let begun = Instant::now();
    let mut refused = 0;
    for _ in 0..100 {
        refused += u64::from(stand_in.connect().await.is_err());
    }
    let counts = stand_in.counts();
    assert_eq!(counts["refuse"], refused);
    assert!((30..70).contains(&refused) && (10..50).contains(&counts["stall_connect"]), "{counts:?}");
    assert!(begun.elapsed() > SECOND / 2 && begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(stand_in.attempts().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_answer_and_may_follow_a_write() {
    let mut made = 0;
    for seed in 0..40 {
        let stand_in = StandIn::new(NOW_MS, seed);
        let connection = client(&stand_in).await;
        stand_in.fault_next_script(Fault::Garbage);
        assert!(write(&connection, "a").await.is_err());
        made += stand_in.keys().len();
    }
    assert!((5..35).contains(&made), "{made}");
}

#[tokio::test(start_paused = true)]
async fn scripts_are_forgotten_by_chance_and_by_a_start() {
    let stand_in = StandIn::new(NOW_MS, 1);
    let read = |by_name: bool| eval(Kind::Read, by_name, "a", &[Vec::new()]);
    let is_forgotten =
        |answer: RedisResult<Value>| matches!(answer, Ok(Value::ServerError(error)) if error.code() == "NOSCRIPT");
    let connection = client(&stand_in).await;
    assert!(is_forgotten(ask(&connection, &read(true)).await));
    ask(&connection, &read(false)).await.unwrap();
    assert!(!is_forgotten(ask(&connection, &read(true)).await));
    stand_in.fault_next_script(Fault::Noscript);
    assert!(is_forgotten(ask(&connection, &read(true)).await));
    ask(&connection, &read(false)).await.unwrap();
    let names = (stand_in.run_id(), stand_in.replid());
    write(&connection, "a").await.unwrap();
    let old = stand_in.dump();
    write(&connection, "b").await.unwrap();
    stand_in.kill();
    stand_in.start();
    assert_eq!(stand_in.keys(), ["a", "b"]);
    assert!(names.0 != stand_in.run_id() && names.1 != stand_in.replid());
    assert!(is_forgotten(ask(&client(&stand_in).await, &read(true)).await));
    stand_in.failover(old.clone());
    assert_eq!((stand_in.keys(), stand_in.dump() == old), (vec!["a".to_owned()], true));
    stand_in.restart_empty();
    assert_eq!(stand_in.dump(), Snapshot::default());
    assert!(ask(&connection, &words(&["PING"])).await.is_err(), "of a server that is no more");
}

#[tokio::test(start_paused = true)]
async fn a_new_password_ends_connections_and_refuses_the_old_one() {
    let stand_in = StandIn::new(NOW_MS, 1);
    let connection = client(&stand_in).await;
    stand_in.set_password(Some("new"));
    assert!(write(&connection, "a").await.is_err());
    let refused = client_with(&stand_in, login(Some("old"))).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), None, "{refused:?}");
    let connection = client_with(&stand_in, login(Some("new"))).await.unwrap();
    assert!(is_written(&write(&connection, "a").await));
}

/// What three clients at once see of a server that fails at random, and when; and how it failed.
async fn seen(seed: u64) -> (Vec<String>, Vec<Duration>, BTreeMap<&'static str, u64>) {
    let (begun, stand_in) = (Instant::now(), StandIn::new(NOW_MS, seed));
    stand_in.set_faults(Faults::all(0.02, 200));
    let clients = ["a", "b", "c"].map(|name| {
        let stand_in = stand_in.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut live = None;
            for turn in 0..150 {
                let connection = match live.take() {
                    Some(connection) => Ok(connection),
                    None => client_with(&stand_in, login(None)).await,
                };
                let Ok(connection) = connection else {
                    sleep(Duration::from_millis(7)).await;
                    continue;
                };
                let answer = timeout(SECOND / 10, write(&connection, &format!("{name}{turn}"))).await;
                live = matches!(answer, Ok(Ok(_))).then_some(connection);
                seen.push(format!("{:?} {answer:?}", begun.elapsed()));
            }
            seen
        })
    });
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.unwrap());
    }
    let attempts = stand_in.attempts().iter().map(|at| *at - begun).collect();
    (all, attempts, stand_in.counts())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_fails_the_same_way() {
    let (first, second, other) = (seen(7).await, seen(7).await, seen(8).await);
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert!(first.2.len() >= 12, "kinds of faults: {:?}", first.2);
}
