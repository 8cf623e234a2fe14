//! How the fake Redis fails, by a clock that stands still until everybody waits.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use ticket_tests::fake_redis::{FakeRedis, Fault, Faults, Kind, Mode, Snapshot};
use tokio::time::{Instant, sleep, timeout};

use super::{ask, client, client_with, eval, login, words};

const NOW_MS: u64 = 1_900_000_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// Writes an entry where there is none.
async fn write(connection: &MultiplexedConnection, key: &str) -> RedisResult<Value> {
    let deadline_ms = (NOW_MS + 1_000_000).to_string();
    let arguments = ["", "absent", "", &deadline_ms, "1000", "9000000", "facts", "{}"];
    ask(connection, &eval(Kind::Write, false, key, &arguments.map(|text| text.as_bytes().to_vec()))).await
}

fn is_written(answer: &RedisResult<Value>) -> bool {
    matches!(answer, Ok(Value::Array(parts)) if parts.first() == Some(&Value::BulkString(b"written".to_vec())))
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_executes_later_what_its_clients_gave_up() {
    let fake_redis = FakeRedis::new(NOW_MS, 1);
    let first = client(&fake_redis).await;
    fake_redis.freeze();
    let second = client(&fake_redis).await;
    for (connection, key) in [(first, "a"), (second, "b")] {
        let lost = timeout(SECOND, write(&connection, key)).await;
        assert!(lost.is_err(), "{lost:?}");
    }
    assert_eq!(fake_redis.keys(), [""; 0]);
    sleep(SECOND).await;
    fake_redis.thaw();
    sleep(SECOND).await;
    assert_eq!(fake_redis.keys(), ["a", "b"]);
    assert_eq!(fake_redis.counts()["zombie"], 2);
    assert_eq!(fake_redis.connections(), 0);
    assert_eq!(fake_redis.now_ms(), NOW_MS + 4_000);
}

#[tokio::test(start_paused = true)]
async fn a_killed_server_executes_nothing_more() {
    let fake_redis = FakeRedis::new(NOW_MS, 1);
    let connection = client(&fake_redis).await;
    fake_redis.set_faults(Faults { stall_ms_max: 500, ..Faults::default() });
    fake_redis.fault_next_script(Fault::StallBefore);
    let asked = tokio::spawn(async move { write(&connection, "a").await });
    tokio::task::yield_now().await;
    fake_redis.kill();
    assert!(asked.await.unwrap().is_err());
    assert_eq!(fake_redis.connect().await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    fake_redis.start();
    sleep(SECOND).await;
    assert_eq!((fake_redis.keys().len(), fake_redis.attempts().len()), (0, 2));
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
            let fake_redis = FakeRedis::new(NOW_MS, seed);
            fake_redis.set_faults(Faults { stall_ms_max: 300, ..Faults::default() });
            let connection = client(&fake_redis).await;
            fake_redis.fault_next_script(fault);
            let answer = timeout(SECOND, write(&connection, "a")).await.expect("an answer or an end");
            assert_eq!(is_written(&answer), answered, "{fault:?}: {answer:?}");
            assert_eq!(fake_redis.entry("a").is_some(), made, "{fault:?}");
            assert_eq!(fake_redis.counts(), BTreeMap::from([(fault.name(), 1)]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connects_are_refused_and_stalled_by_chance() {
    let fake_redis = FakeRedis::new(NOW_MS, 1);
    fake_redis.set_faults(Faults { refuse: 0.5, stall_connect: 0.5, stall_ms_max: 100, ..Faults::default() });
    let begun = Instant::now();
    let mut refused = 0;
    for _ in 0..100 {
        refused += u64::from(fake_redis.connect().await.is_err());
    }
    let counts = fake_redis.counts();
    assert_eq!(counts["refuse"], refused);
    assert!((30..70).contains(&refused) && (10..50).contains(&counts["stall_connect"]), "{counts:?}");
    assert!(begun.elapsed() > SECOND / 2 && begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(fake_redis.attempts().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn garbage_is_no_answer_and_may_follow_a_write() {
    let mut made = 0;
    for seed in 0..40 {
        let fake_redis = FakeRedis::new(NOW_MS, seed);
        let connection = client(&fake_redis).await;
        fake_redis.fault_next_script(Fault::Garbage);
        assert!(write(&connection, "a").await.is_err());
        made += fake_redis.keys().len();
    }
    assert!((5..35).contains(&made), "{made}");
}

#[tokio::test(start_paused = true)]
async fn scripts_are_forgotten_by_chance_and_by_a_start() {
    let fake_redis = FakeRedis::new(NOW_MS, 1);
    let read = |by_name: bool| eval(Kind::Read, by_name, "a", &[Vec::new()]);
    let is_forgotten =
        |answer: RedisResult<Value>| matches!(answer, Ok(Value::ServerError(error)) if error.code() == "NOSCRIPT");
    let connection = client(&fake_redis).await;
    assert!(is_forgotten(ask(&connection, &read(true)).await));
    ask(&connection, &read(false)).await.unwrap();
    assert!(!is_forgotten(ask(&connection, &read(true)).await));
    fake_redis.fault_next_script(Fault::Noscript);
    assert!(is_forgotten(ask(&connection, &read(true)).await));
    ask(&connection, &read(false)).await.unwrap();
    let names = (fake_redis.run_id(), fake_redis.replid());
    write(&connection, "a").await.unwrap();
    let old = fake_redis.dump();
    write(&connection, "b").await.unwrap();
    fake_redis.kill();
    fake_redis.start();
    assert_eq!(fake_redis.keys(), ["a", "b"]);
    assert!(names.0 != fake_redis.run_id() && names.1 != fake_redis.replid());
    assert!(is_forgotten(ask(&client(&fake_redis).await, &read(true)).await));
    fake_redis.failover(old.clone());
    assert_eq!((fake_redis.keys(), fake_redis.dump() == old), (vec!["a".to_owned()], true));
    fake_redis.restart_empty();
    assert_eq!(fake_redis.dump(), Snapshot::default());
    assert!(ask(&connection, &words(&["PING"])).await.is_err(), "of a server that is no more");
}

#[tokio::test(start_paused = true)]
async fn a_new_password_ends_connections_and_refuses_the_old_one() {
    let fake_redis = FakeRedis::new(NOW_MS, 1);
    let connection = client(&fake_redis).await;
    fake_redis.set_password(Some("new"));
    assert!(write(&connection, "a").await.is_err());
    let refused = client_with(&fake_redis, login(Some("old"))).await.map(drop).unwrap_err();
    assert_eq!(refused.code(), None, "{refused:?}");
    let connection = client_with(&fake_redis, login(Some("new"))).await.unwrap();
    assert!(is_written(&write(&connection, "a").await));
}

/// What three clients at once see of a server that fails at random, and when; and how it failed.
async fn seen(seed: u64) -> (Vec<String>, Vec<Duration>, BTreeMap<&'static str, u64>) {
    let (begun, fake_redis) = (Instant::now(), FakeRedis::new(NOW_MS, seed));
    fake_redis.set_faults(Faults::all(0.02, 200));
    let clients = ["a", "b", "c"].map(|name| {
        let fake_redis = fake_redis.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut live = None;
            for round in 0..150 {
                let connection = match live.take() {
                    Some(connection) => Ok(connection),
                    None => client_with(&fake_redis, login(None)).await,
                };
                let Ok(connection) = connection else {
                    sleep(Duration::from_millis(7)).await;
                    continue;
                };
                let answer = timeout(SECOND / 10, write(&connection, &format!("{name}{round}"))).await;
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
    let attempts = fake_redis.attempts().iter().map(|at| *at - begun).collect();
    (all, attempts, fake_redis.counts())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_fails_the_same_way() {
    let (first, second, other) = (seen(7).await, seen(7).await, seen(8).await);
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert!(first.2.len() >= 12, "kinds of faults: {:?}", first.2);
}
