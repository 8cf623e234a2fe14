//! The fake Redis answers as a real server does, in all that the host asks of one.

use std::time::Duration;

use redis::{Client, RedisError, Value};
use ticket_tests::RedisServer;
use ticket_tests::fake_redis::{Kind, Mode};
use tokio::time::sleep;

use super::pair::Pair;
use super::{ask, client_with, eval, login, words};

#[tokio::test]
async fn the_fake_redis_answers_as_a_real_server() {
    let server = RedisServer::start(&[]);
    let mut pair = Pair::new(&server, "fake Redis").await;
    pair.steps(6_000).await;
    for tag in [
        "in place done",
        "in place refused",
        "in place NOSCRIPT",
        "replace done",
        "replace refused",
        "EXECABORT",
        "replace NOSCRIPT",
        "written",
        "removed",
        "refused",
        "entry",
        "none",
        "type",
        "clock",
        "NOSCRIPT",
        "WRONGTYPE",
        "ERR",
    ] {
        assert!(pair.met(tag) >= 5, "{tag} is met too rarely: {}", pair.met(tag));
    }
}

#[tokio::test]
async fn what_a_server_cannot_do_now_is_the_same() {
    let server = RedisServer::start(&[]);
    let mut pair = Pair::new(&server, "fake Redis modes").await;
    let modes: [(Mode, &[&str], &[&str], &str); 3] = [
        (Mode::Oom, &["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"], "OOM"),
        (Mode::Readonly, &["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"], "READONLY"),
        (
            Mode::Noreplicas,
            &["CONFIG", "SET", "min-replicas-to-write", "1"],
            &["CONFIG", "SET", "min-replicas-to-write", "0"],
            "NOREPLICAS",
        ),
    ];
    for _ in 0..8 {
        for (mode, on, off, code) in &modes {
            pair.steps(50).await;
            assert_eq!(ask(&pair.real, &words(on)).await, Ok(Value::Okay));
            pair.fake_redis.set_mode(*mode, true);
            pair.steps(100).await;
            let probe = pair.both(&eval(Kind::Probe, false, "probe:none", &[Vec::new()])).await;
            assert!(format!("{probe:?}").contains(code), "{probe:?}");
            assert_eq!(ask(&pair.real, &words(off)).await, Ok(Value::Okay));
            pair.fake_redis.set_mode(*mode, false);
        }
    }
    for (_, _, _, code) in &modes {
        assert!(pair.met(code) >= 5, "{code} is met too rarely: {}", pair.met(code));
    }
}

#[tokio::test]
async fn a_busy_server_says_so() {
    let server = RedisServer::start(&["--busy-reply-threshold", "10"]);
    let mut pair = Pair::new(&server, "fake Redis busy").await;
    let endless = server.client().await;
    let endless = tokio::spawn(async move { ask(&endless, &words(&["EVAL", "while true do end", "0"])).await });
    sleep(Duration::from_millis(500)).await;
    pair.fake_redis.set_mode(Mode::Busy, true);
    pair.plain_steps(100).await;
    assert!(pair.met("BUSY") >= 5);
    assert_eq!(ask(&pair.real, &words(&["SCRIPT", "KILL"])).await, Ok(Value::Okay));
    assert!(endless.await.unwrap().is_ok_and(|answer| matches!(answer, Value::ServerError(_))));
}

#[tokio::test]
async fn entries_end_at_the_same_time() {
    let server = RedisServer::start(&[]);
    let mut pair = Pair::new(&server, "fake Redis ends").await;
    for key in ["ticket:a", "ticket:b"] {
        pair.both_words(&["HSET", key, "facts", "{}"]).await;
        let soon_ms = (pair.fake_redis.now_ms() + 2_000).to_string();
        pair.both_words(&["PEXPIREAT", key, &soon_ms]).await;
        pair.both_words(&["EXISTS", key]).await;
    }
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(pair.fake_redis.keys(), [""; 0]);
    pair.both_words(&["EXISTS", "ticket:a"]).await;
    pair.both(&eval(Kind::Read, false, "ticket:b", &[Vec::new()])).await;
}

#[tokio::test]
async fn what_is_too_large_to_bring_is_the_same() {
    let server = RedisServer::start(&[]);
    let mut pair = Pair::new(&server, "fake Redis large").await;
    let limit = 16 * 1_024 * 1_024;
    for (bytes, tag, times) in [(limit - 5, "entry", 1), (limit - 4, "large", 2)] {
        pair.both_words(&["HSET", "ticket:a", "facts", &"x".repeat(bytes)]).await;
        pair.both(&eval(Kind::Read, false, "ticket:a", &[Vec::new()])).await;
        pair.both(&eval(Kind::Remove, false, "ticket:a", &[Vec::new(), b"absent".to_vec()])).await;
        assert_eq!(pair.met(tag), times, "{tag}");
    }
}

#[tokio::test]
async fn logins_are_the_same() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let mut shown = Vec::new();
    let fake_redis = ticket_tests::fake_redis::FakeRedis::new(1, 1);
    fake_redis.set_password(Some("secret"));
    let words_of = |error: &RedisError| format!("{:?} {:?} {:?}", error.kind(), error.code(), error.detail());
    for password in [None, Some("wrong"), Some("secret")] {
        let real = Client::open(server.url_of("", password.unwrap_or_default())).unwrap();
        let real = real.get_multiplexed_async_connection().await;
        let ours = client_with(&fake_redis, login(password)).await;
        match (real, ours) {
            (Ok(real), Ok(ours)) => {
                let long = ["EVAL", "return 1", "1", "k", "1", "2", "3", "4", "5", "6", "7"];
                for command in [&["PING"][..], &["BOGUS"], &["TIME", "x"], &["HGETALL", "k"], &["CLIENT", "FOO"], &long]
                {
                    let (real, ours) = (ask(&real, &words(command)).await, ask(&ours, &words(command)).await);
                    if command[0] == "EVAL" && password.is_some() {
                        // A script that the host does not have: the fake Redis does not run it.
                        continue;
                    }
                    assert_eq!(format!("{ours:?}"), format!("{real:?}"), "{command:?} {password:?}");
                }
                shown.push("accepted".to_owned());
            }
            (Err(real), Err(ours)) => {
                assert_eq!(words_of(&ours), words_of(&real), "{password:?}");
                shown.push("refused".to_owned());
            }
            (real, ours) => panic!("{password:?}: {real:?} {ours:?}"),
        }
    }
    assert_eq!(shown, ["accepted", "refused", "accepted"]);
}
