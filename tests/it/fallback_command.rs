//! The command line while Redis is down: the next command reads what one wrote, and the first that reaches Redis syncs it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use ticket_tests::RedisServer;
use ticket_tests::program::{Run, User};

const TRANSCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/shop-conversations.jsonl");
/// How long a server is up, and how long it is down or paused, while faults are injected.
const FAULT_TIME: Duration = Duration::from_millis(400);
/// Commands until one has reached a server on a busy machine.
const TRIES_MAX: u32 = 20;

fn warnings(run: &Run) -> usize {
    run.stderr.lines().filter(|line| line.starts_with("warning: ")).count()
}

/// Lists until nothing is pending: on a busy machine a command may not reach its server in time.
fn sync_all(list: impl Fn() -> Run) {
    let mut listed = list();
    for _ in 0..TRIES_MAX {
        assert_eq!(listed.code, Some(0), "{listed:?}");
        if warnings(&listed) == 0 {
            return;
        }
        listed = list();
    }
    panic!("changes are still pending: {listed:?}");
}

/// The six fields that a plain client sees.
async fn stored(server: &RedisServer, id: &str) -> BTreeMap<String, String> {
    let mut command = redis::cmd("HGETALL");
    command.arg(format!("ticket:{id}")).query_async(&mut server.client().await).await.expect("HGETALL")
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_without_redis_and_sync_when_it_is_up() {
    let server = RedisServer::start(&[]);
    server.stop();
    let user = User::of(&server.url());
    for arguments in [
        &["new", "--id", "a"] as &[&str],
        &["say", "a", "Where is my parcel?"],
        &["learn", "a", r#"{"parcel": "lost"}"#],
        &["new", "--id", "b"],
        &["close", "b"],
        &["show", "a"],
    ] {
        let run = user.run(arguments);
        assert_eq!((run.code, warnings(&run)), (Some(0), 1), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains("is down"), "{arguments:?}: {run:?}");
    }
    let shown = user.json(&["show", "a"]);
    assert_eq!(shown["history"], json!(["Where is my parcel?"]));
    let list = user.run(&["list"]);
    assert_eq!(
        (list.stdout.as_str(), warnings(&list)),
        ("[\"a\"]\n", 2),
        "a second warning says that the list may be incomplete: {list:?}"
    );
    let closed = user.run(&["show", "b"]);
    assert_eq!(closed.code, Some(3), "{closed:?}");
    let unknown = user.run(&["show", "unknown"]);
    assert_eq!(unknown.code, Some(75), "it may exist: {unknown:?}");

    server.restart();
    let other = user.run(&["list"]);
    assert_eq!((other.code, warnings(&other)), (Some(0), 0), "{other:?}");
    let fields = stored(&server, "a").await;
    assert_eq!(fields["facts"], r#"{"parcel":"lost"}"#);
    assert_eq!(fields.len(), 6);
    let again = user.run(&["show", "a"]);
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap(), shown, "the revision is still valid");
    assert!(again.stderr.is_empty(), "{again:?}");
}

#[test]
fn without_a_fallback_a_server_that_is_down_is_an_error() {
    let user = User::of("redis://127.0.0.1:1");
    let run = user.run(&["new", "--fallback", "none"]);
    assert_eq!(run.code, Some(75), "{run:?}");
    assert!(run.stdout.is_empty() && run.stderr.starts_with("error: "), "{run:?}");
    assert_eq!(run.stderr.matches("cannot be reached").count(), 1, "one reason, given once: {run:?}");
}

#[test]
fn changes_in_memory_alone_are_reported_as_lost() {
    let user = User::of("redis://127.0.0.1:1");
    let run = user.run(&["new", "--id", "t", "--fallback", "memory:"]);
    assert_eq!(run.code, Some(75), "{run:?}");
    assert!(run.stderr.contains("lost with this process: t"), "{run:?}");
    let wrong = user.run(&["new", "--fallback", "sqlite:"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[test]
fn a_server_that_is_not_redis_is_an_error_with_a_fallback() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // It answers after a request, as servers do, and closes after its client.
            if stream.read(&mut [0; 512]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                let _ = stream.read_to_end(&mut Vec::new());
            }
        }
    });
    let run = User::of(&format!("redis://127.0.0.1:{port}")).run(&["new"]);
    assert_eq!(run.code, Some(77), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_prints_the_same_while_redis_is_killed_and_paused() {
    let server = Arc::new(RedisServer::start(&[]));
    let calm = User::of("memory:").run(&["replay", TRANSCRIPTS, "--format", "json"]);
    let user = User::of(&server.url());
    let (over, bad) = (Arc::new(AtomicBool::new(false)), Arc::clone(&server));
    let treated = {
        let over = Arc::clone(&over);
        tokio::task::spawn_blocking(move || {
            for round in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                if round % 2 == 0 {
                    bad.kill();
                    std::thread::sleep(FAULT_TIME);
                    bad.restart();
                } else {
                    bad.pause();
                    std::thread::sleep(FAULT_TIME);
                    bad.resume();
                }
                std::thread::sleep(FAULT_TIME);
            }
        })
    };
    let mut runs = Vec::new();
    for round in 0..12 {
        let mut arguments = vec!["replay", TRANSCRIPTS, "--format", "json"];
        // From the second run on this user knows these tickets, also while Redis is down.
        arguments.extend((round > 0).then_some("--replace"));
        runs.push(tokio::task::block_in_place(|| user.run(&arguments)));
    }
    over.store(true, Ordering::Relaxed);
    for run in runs {
        assert_eq!((run.code, &run.stdout), (Some(0), &calm.stdout), "{run:?}");
    }
    treated.await.expect("treated");
    sync_all(|| user.run(&["list"]));
    assert_eq!(stored(&server, "parcel-lost-1").await.len(), 6);
    for line in calm.stdout.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if let Some(id) = row["id"].as_str() {
            assert_eq!(stored(&server, id).await.len(), 6, "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_can_be_shown_applied_and_dropped() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    for id in ["gone", "anew", "dropped", "mixed"] {
        user.json(&["new", "--id", id]);
    }
    server.pause();
    for id in ["gone", "anew", "dropped"] {
        user.json(&["say", id, "said in the outage"]);
    }
    user.json(&["say", "mixed", "--json", r#"{"id": "m1", "text": "ours"}"#]);
    server.resume();
    let other = User::of(&server.url());
    other.json(&["say", "mixed", "--json", r#"{"id": "m1", "text": "theirs"}"#]);
    for id in ["gone", "anew", "dropped"] {
        let mut delete = redis::cmd("DEL");
        let _: i64 = delete.arg(format!("ticket:{id}")).query_async(&mut server.client().await).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    other.json(&["new", "--id", "anew"]);
    sync_all(|| user.run(&["list"]));

    let branches = user.json(&["branches", "list"]);
    let number = |id: &str| {
        let branch = branches.as_array().unwrap().iter().find(|branch| branch["id"] == id).expect("a branch");
        branch["number"].to_string()
    };
    assert_eq!(branches.as_array().unwrap().len(), 4, "{branches}");
    let shown = user.json(&["branches", "show", &number("gone")]);
    assert_eq!(shown["fields"]["history"], json!(["said in the outage"]));
    assert!(user.run(&["branches", "list", "--format", "table"]).stdout.contains("gone"));
    assert!(
        user.run(&["branches", "show", &number("gone"), "--format", "table"]).stdout.contains("said in the outage")
    );

    let back = user.json(&["branches", "apply", &number("gone")]);
    assert_eq!(back["history"], json!(["said in the outage"]));
    let refused = user.run(&["branches", "apply", &number("anew")]);
    assert_eq!(refused.code, Some(2), "another ticket: {refused:?}");
    let refused = user.run(&["branches", "apply", &number("mixed")]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("cannot be combined"), "{refused:?}");
    let dropped = user.run(&["branches", "drop", &number("dropped")]);
    assert_eq!(dropped.code, Some(0), "{dropped:?}");
    assert_eq!(user.run(&["branches", "drop", &number("dropped")]).code, Some(2));
    let left = user.json(&["branches", "list"]);
    assert_eq!(left.as_array().unwrap().len(), 2, "what was not applied stays: {left}");
    assert_eq!(User::new().run(&["branches", "list"]).code, Some(2), "a file has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_home_branches_are_kept_beside_the_fallback_file() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    let file = format!("sqlite:{}", user.home().join("f.db").display());
    let run = |arguments: &[&str]| Run::from(user.command(arguments).env_remove("HOME").output().expect("it runs"));
    let homeless = run(&["branches", "list"]);
    assert_eq!(homeless.code, Some(2), "{homeless:?}");
    assert!(homeless.stderr.contains("HOME is not set"), "{homeless:?}");

    server.pause();
    assert_eq!(run(&["new", "--id", "t", "--fallback", &file]).code, Some(0));
    server.resume();
    User::of(&server.url()).json(&["new", "--id", "t", "--facts", r#"{"made": "elsewhere"}"#]);
    sync_all(|| run(&["list", "--fallback", &file]));
    let branches = run(&["branches", "list", "--fallback", &file]);
    // Created in the same second, or another incarnation of the id.
    assert!(branches.stdout.contains("elsewhere") && branches.stdout.contains("\"id\":\"t\""), "{branches:?}");
    assert!(user.home().join("f.db.branches").exists());
}

#[test]
fn a_fallback_file_belongs_to_one_store() {
    let user = User::of("redis://127.0.0.1:1");
    let file = format!("sqlite:{}", user.home().join("f.db").display());
    user.json(&["new", "--id", "t", "--fallback", &file]);
    for other in [&["--namespace", "shop"] as &[&str], &["--store", "redis://127.0.0.1:2"]] {
        let run = user.run(&[other, &["show", "t", "--fallback", &file]].concat());
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("name another file"), "{run:?}");
    }
    user.json(&["show", "t", "--fallback", &file]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_default_file_is_a_warning() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    std::fs::write(user.home().join("state"), "").unwrap();
    let command = |arguments: &[&str]| -> Run {
        let state = user.home().join("state");
        user.command(arguments).env("XDG_STATE_HOME", state).output().expect("it runs").into()
    };
    let run = command(&["new", "--id", "t"]);
    assert_eq!((run.code, warnings(&run)), (Some(0), 1), "{run:?}");
    assert_eq!(stored(&server, "t").await.len(), 6);
    server.stop();
    let run = command(&["new", "--id", "u"]);
    assert_eq!(run.code, Some(75), "{run:?}");
    assert!(run.stderr.contains("lost with this process: u"), "{run:?}");
}

#[test]
fn a_command_that_fails_reports_lost_changes_too() {
    let user = User::of("redis://127.0.0.1:1");
    let lines = "{\"id\": \"t\", \"messages\": []}\nnonsense\n";
    let run = user.run_with(&["replay", "-", "--fallback", "memory:", "--wait", "0s"], lines);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("line 2") && run.stderr.contains("lost with this process: t"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_counts_pending_tickets() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    server.stop();
    user.json(&["new", "--id", "t"]);
    let down = user.run(&["doctor", "--format", "json"]);
    assert_eq!(down.code, Some(75), "{down:?}");
    let report: Value = serde_json::from_str(&down.stdout).unwrap();
    assert_eq!((&report["facts"]["breaker"], &report["facts"]["unsaved_tickets"]), (&json!("open"), &json!("1")));
    server.restart();
    user.json(&["show", "t"]);
    let report = user.json(&["doctor", "--format", "json"]);
    assert_eq!((&report["facts"]["breaker"], &report["facts"]["unsaved_tickets"]), (&json!("closed"), &json!("0")));
    let last = report["facts"]["last_reconciliation"].as_str().expect("the last reconciliation").to_owned();
    assert!(last.contains("1 ticket"), "{last}");
}
