//! A server that refuses writes and answers reads: reads go to it, with a fallback and without one.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ticket_host::fallback::Event;
use ticket_host::{Change, Error, Fallback, Tickets};
use ticket_tests::RedisServer;
use ticket_tests::program::User;

/// How long a server may take to save, and a fallback to sync.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Why a server refuses writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Its memory is full.
    Oom,
    /// It could not save.
    Misconf,
    /// It has too few replicas.
    Noreplicas,
    /// It is a replica.
    Readonly,
}

impl Cause {
    /// Those of a primary; a replica may be behind it.
    const OF_PRIMARY: [Self; 3] = [Self::Oom, Self::Misconf, Self::Noreplicas];

    fn code(self) -> &'static str {
        match self {
            Self::Oom => "OOM",
            Self::Misconf => "MISCONF",
            Self::Noreplicas => "NOREPLICAS",
            Self::Readonly => "READONLY",
        }
    }

    async fn begin(self, server: &RedisServer) {
        match self {
            Self::Oom => server.operate(&["CONFIG", "SET", "maxmemory", "1"]).await,
            Self::Misconf => {
                fs::create_dir(dump(server).await).unwrap();
                server.operate(&["CONFIG", "SET", "save", "3600 1"]).await;
                save(server, "err").await;
            }
            Self::Noreplicas => server.operate(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await,
            Self::Readonly => server.become_replica().await,
        }
    }

    async fn end(self, server: &RedisServer) {
        match self {
            Self::Oom => server.operate(&["CONFIG", "SET", "maxmemory", "0"]).await,
            Self::Misconf => {
                fs::remove_dir(dump(server).await).unwrap();
                save(server, "ok").await;
            }
            Self::Noreplicas => server.operate(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await,
            Self::Readonly => server.promote().await,
        }
    }
}

async fn ask(server: &RedisServer, words: &[&str]) -> redis::Value {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query_async(&mut server.client().await).await.expect("an answer")
}

/// Where the server saves: a folder of that name makes it fail.
async fn dump(server: &RedisServer) -> PathBuf {
    let [_, folder]: [String; 2] = redis::from_redis_value(ask(server, &["CONFIG", "GET", "dir"]).await).unwrap();
    PathBuf::from(folder).join("dump.rdb")
}

/// Saves until that ends so.
async fn save(server: &RedisServer, status: &str) {
    let until = Instant::now() + TIME_MAX;
    loop {
        assert!(Instant::now() < until, "the server does not save");
        let command = redis::cmd("BGSAVE");
        // One may be running.
        let _: Result<redis::Value, _> = command.query_async(&mut server.client().await).await;
        let info: String = redis::from_redis_value(ask(server, &["INFO", "persistence"]).await).unwrap();
        if info.contains(&format!("rdb_last_bgsave_status:{status}")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_fallback_reads_go_on_and_writes_are_refused() {
    for cause in Cause::OF_PRIMARY.into_iter().chain([Cause::Readonly]) {
        let server = RedisServer::start(&[]);
        let before = Tickets::builder(&server.url()).fallback(Fallback::none()).open().await.unwrap();
        before.create(Some("t"), &[Change::say("kept")]).await.unwrap();
        cause.begin(&server).await;
        let opened = Tickets::builder(&server.url()).fallback(Fallback::none()).open().await;
        let opened = opened.unwrap_or_else(|error| panic!("{cause:?}: it answers reads: {error}"));
        for tickets in [&before, &opened] {
            for _ in 0..3 {
                let refused = tickets.apply("t", &[Change::say("x")], None).await.expect_err("a refused write");
                assert!(matches!(&refused, Error::Unavailable(_)), "{cause:?}: {refused:?}");
                let text = refused.to_string();
                assert!(text.contains("refuses writes now") && text.contains(cause.code()), "{cause:?}: {text}");
                let refused = tickets.create(Some("new"), &[]).await.expect_err("a refused write");
                assert!(matches!(refused, Error::Unavailable(_)), "{cause:?}: {refused:?}");
                assert_eq!(tickets.get("t").await.unwrap().history, r#"["kept"]"#, "{cause:?}");
                assert_eq!(tickets.list("", None).await.unwrap().ids, ["t"], "{cause:?}");
            }
        }
        let user = User::of(&server.url());
        let shown = user.run(&["show", "t", "--fallback", "none"]);
        assert_eq!(shown.code, Some(0), "{cause:?}: {shown:?}");
        let said = user.run(&["say", "t", "x", "--fallback", "none"]);
        assert_eq!(said.code, Some(75), "{cause:?}: {said:?}");
        cause.end(&server).await;
        for tickets in [&before, &opened] {
            tickets
                .apply("t", &[Change::say("again")], None)
                .await
                .unwrap_or_else(|error| panic!("{cause:?}: {error}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_fallback_reads_go_to_the_primary_and_writes_wait() {
    for cause in Cause::OF_PRIMARY {
        let server = RedisServer::start(&[]);
        let other = Tickets::builder(&server.url()).fallback(Fallback::none()).open().await.unwrap();
        let running = Tickets::open(&server.url()).await.unwrap();
        for id in ["a", "b", "unknown"] {
            other.create(Some(id), &[Change::say("first")]).await.unwrap();
        }
        running.apply("a", &[Change::say("second")], None).await.unwrap();
        cause.begin(&server).await;
        let late = Tickets::open(&server.url()).await.unwrap();
        for (tickets, id) in [(&running, "a"), (&late, "b")] {
            let fallback = tickets.fallback().expect("a fallback");
            let mut events = fallback.events();
            for number in 0..10 {
                tickets.apply(id, &[Change::say(&format!("{number}"))], None).await.unwrap();
                let unknown = tickets.get("unknown").await.unwrap_or_else(|error| panic!("{cause:?}: {error}"));
                assert_eq!(unknown.history, r#"["first"]"#, "{cause:?}: from the primary");
                assert!(tickets.get("absent").await.is_err_and(|error| matches!(error, Error::NotFound(_))));
            }
            assert!(tickets.get(id).await.unwrap().history.ends_with(r#""8","9"]"#), "{cause:?}: from the replica");
            let status = fallback.status().await.unwrap();
            assert!(status.primary_is_up && status.pending == 1, "{cause:?}: {status:?}");
            assert!(status.writes_refused.is_some_and(|error| error.contains(cause.code())), "{cause:?}");
            let event = events.recv().await.unwrap();
            assert!(matches!(&event, Event::WritesRefused(error) if error.contains(cause.code())), "{event:?}");
            assert!(events.is_empty(), "once: {:?}", events.try_recv());
        }
        assert!(!other.get("a").await.unwrap().history.contains('9'), "{cause:?}: nothing was written");
        cause.end(&server).await;
        for (tickets, id) in [(&running, "a"), (&late, "b")] {
            let fallback = tickets.fallback().expect("a fallback");
            assert!(fallback.shutdown(TIME_MAX).await.unwrap().pending.is_empty(), "{cause:?}");
            assert_eq!(fallback.status().await.unwrap().writes_refused, None, "{cause:?}");
            assert!(other.get(id).await.unwrap().history.ends_with(r#""8","9"]"#), "{cause:?}: synced");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_still_touches_and_closes() {
    let server = RedisServer::start(&[]);
    let tickets = Tickets::open(&server.url()).await.unwrap();
    for id in ["a", "b", "c", "d", "e", "f"] {
        tickets.create(Some(id), &[]).await.unwrap();
    }
    Cause::Oom.begin(&server).await;
    for id in ["c", "d", "e", "f"] {
        tickets.apply(id, &[Change::say("x")], None).await.unwrap();
    }
    tickets.touch("a").await.unwrap();
    tickets.close("b", None).await.unwrap();
    let status = tickets.fallback().expect("a fallback").status().await.unwrap();
    assert_eq!((status.primary_is_up, status.pending), (true, 4), "what the server does is not pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_does_not_wait_for_refused_writes() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    user.json(&["new", "--id", "t"]);
    Cause::Oom.begin(&server).await;
    let began = Instant::now();
    let runs: Vec<_> = (0..4).map(|_| user.run(&["say", "t", "x"])).collect();
    let took = began.elapsed();
    for run in &runs {
        assert_eq!(run.code, Some(0), "{run:?}");
        let begins = format!("warning: redis://127.0.0.1:{}/0 refuses changes (", server.port());
        assert!(run.stderr.starts_with(&begins) && run.stderr.contains("OOM"), "{run:?}");
        assert!(run.stderr.contains(": 1 ticket is pending in ") && run.stderr.ends_with("makes changes again\n"));
    }
    assert!(took < Duration::from_secs(4), "a second for each is what a sync may take: {took:?}");
    let doctor = user.run(&["doctor"]);
    assert_eq!(doctor.code, Some(75), "{doctor:?}");
    assert!(doctor.stdout.contains("the server refuses HSET (OOM"), "{doctor:?}");
    Cause::Oom.end(&server).await;
    assert_eq!(user.json(&["show", "t"])["history"].as_array().map(Vec::len), Some(4));
    let synced = Tickets::builder(&server.url()).fallback(Fallback::none()).open().await.unwrap();
    assert_eq!(synced.get("t").await.unwrap().message_count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_not_read_instead_of_a_fallback() {
    let server = RedisServer::start(&[]);
    let tickets = Tickets::open(&server.url()).await.unwrap();
    tickets.create(Some("t"), &[]).await.unwrap();
    Cause::Readonly.begin(&server).await;
    tickets.apply("t", &[Change::say("x")], None).await.unwrap();
    let late = Tickets::open(&server.url()).await.unwrap();
    for tickets in [&tickets, &late] {
        let status = tickets.fallback().expect("a fallback").status().await.unwrap();
        assert!(!status.primary_is_up, "it may be behind what was acknowledged: {status:?}");
    }
}
