//! The command line as a user has it: every command a process of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use ticket_tests::RedisServer;
use ticket_tests::program::User;

const TRANSCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/shop-conversations.jsonl");
const FIELDS: [&str; 6] = ["created_at", "facts", "history", "last_decision", "updated_at", "version"];

/// The six fields as stored, by `show --field`.
fn stored(user: &User, id: &str) -> Vec<String> {
    FIELDS.iter().map(|field| user.run(&["show", id, "--field", field]).stdout).collect()
}

fn a_ticket_lives(user: &User) {
    let id = user.run(&["new", "-q"]).stdout.trim().to_owned();
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(user.json(&["say", &id, "I need a flight."])["history"], json!(["I need a flight."]));
    assert_eq!(user.json(&["learn", &id, r#"{"city":"Köln","budget":1.50}"#])["facts"]["city"], "Köln");
    let decided = user.json(&["decide", &id, r#"{"tool": "search"}"#]);
    assert_eq!(decided["last_decision"], json!({"tool": "search"}));

    let before = stored(user, &id);
    assert_eq!(before[1].trim_end(), r#"{"city":"Köln","budget":1.50}"#, "as it was given");
    let snapshot = user.run(&["snapshot", &id]).stdout;
    user.json(&["learn", &id, r#"{"city":null}"#]);
    user.json(&["say", &id, "No, a train."]);
    let back = user.run_with(&["rollback", &id, "-"], &snapshot);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(stored(user, &id), before, "the six values, byte for byte");

    let touched = user.json(&["touch", &id]);
    assert!(touched["expires_at_ms"].as_u64() > decided["expires_at_ms"].as_u64());
    assert_eq!(user.json(&["list"]), json!([id]));
    assert_eq!(user.json(&["close", &id])["closed"], true);
    assert_eq!(user.run(&["show", &id]).code, Some(3));
    assert_eq!(user.run_with(&["restore", "-"], &snapshot).code, Some(0));
    assert_eq!(stored(user, &id), before);
}

#[test]
fn a_ticket_lives_on_the_default_store() {
    let user = User::new();
    a_ticket_lives(&user);
    let file = user.home().join(".local/state/ticket/tickets.db");
    assert!(file.exists(), "{file:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_lives_on_redis() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    a_ticket_lives(&user);
    let id = user.json(&["list"])[0].as_str().unwrap().to_owned();
    let mut client = server.client().await;
    let key = format!("ticket:{id}");
    let fields: BTreeMap<String, String> = redis::cmd("HGETALL").arg(&key).query_async(&mut client).await.unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), FIELDS);
    let ttl_s: i64 = redis::cmd("TTL").arg(&key).query_async(&mut client).await.unwrap();
    assert!(0 < ttl_s && ttl_s <= 1800, "{ttl_s}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_prints_the_same_and_stores_the_same_everywhere() {
    let server = RedisServer::start(&[]);
    let memory = User::of("memory:").run(&["replay", TRANSCRIPTS, "--format", "json"]);
    let on_file = User::new();
    let on_redis = User::of(&server.url());
    assert_eq!(memory.code, Some(0), "{memory:?}");
    for user in [&on_file, &on_redis] {
        let run = user.run(&["replay", TRANSCRIPTS, "--format", "json"]);
        assert_eq!((run.code, &run.stdout), (Some(0), &memory.stdout), "{}", run.stderr);
    }
    let rows: Vec<Value> = memory.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (total, tickets) = rows.split_last().unwrap();
    assert!(tickets.len() >= 4 && total["total"]["rollbacks"].as_u64() > Some(0), "{total}");
    for ticket in tickets {
        let id = ticket["id"].as_str().unwrap();
        let texts = |user: &User| {
            ["facts", "history", "last_decision", "version"].map(|name| user.run(&["show", id, "--field", name]).stdout)
        };
        assert_eq!(texts(&on_file), texts(&on_redis), "{id}");
    }
    let again = on_file.run(&["replay", TRANSCRIPTS]);
    assert_eq!(again.code, Some(4));
    assert!(again.stderr.contains("--replace"), "{again:?}");
    assert_eq!(on_file.run(&["replay", TRANSCRIPTS, "--replace", "--format", "json"]).stdout, memory.stdout);
}

#[test]
fn texts_and_changes_come_by_stdin_and_files() {
    let user = User::new();
    user.run(&["new", "--id", "t", "--facts", r#"{"n":123456789012345678901234567890}"#]);
    let long = "x".repeat(60_000);
    assert_eq!(user.run_with(&["say", "t", "-"], &long).code, Some(0));
    assert_eq!(user.run_with(&["say", "t", "--json", "-"], r#"{"id": "m1", "text": 1.0}"#).code, Some(0));
    let changes = r#"[{"learn": {"a": 1.50}}, {"say": "two"}, {"decide": [18446744073709551616]}]"#;
    let file = user.home().join("changes.json");
    std::fs::write(&file, changes).unwrap();
    assert_eq!(user.run(&["apply", "t", file.to_str().unwrap()]).code, Some(0));
    assert_eq!(user.run_with(&["apply", "t", "-"], "{\"say\": \"three\"}\n{\"learn\": {\"b\": 2}}\n").code, Some(0));
    let shown = user.run(&["show", "t", "--field", "facts"]).stdout;
    assert_eq!(shown.trim_end(), r#"{"n":123456789012345678901234567890,"a":1.50,"b":2}"#);
    assert_eq!(user.run(&["show", "t", "--field", "last_decision"]).stdout.trim_end(), "[18446744073709551616]");
    assert_eq!(user.json(&["show", "t"])["history"].as_array().unwrap().len(), 4);
}

#[test]
fn every_refusal_has_its_exit_code_and_changes_nothing() {
    let user = User::new();
    let revision = user.json(&["new", "--id", "t"])["revision"].as_str().unwrap().to_owned();
    let now = user.json(&["say", "t", "one"])["revision"].clone();
    let before = stored(&user, "t");
    for (code, arguments) in [
        (2, &["say", "t t", "x"] as &[&str]),
        (2, &["say", "{t}", "x"]),
        (2, &["learn", "t", "[1]"]),
        (2, &["learn", "t", "{\"a\":1,\"a\":2}"]),
        (2, &["learn", "t", "{\"a\":NaN}"]),
        (2, &["decide", "t", "{"]),
        (2, &["new", "--id", "t"]),
        (2, &["new", "--ttl", "0"]),
        (2, &["new", "--ttl", "367d"]),
        (2, &["new", "--namespace", "a:b"]),
        (2, &["frobnicate"]),
        (2, &["show", "t", "--store", "mysql://h"]),
        (3, &["show", "nobody"]),
        (3, &["touch", "nobody"]),
        (3, &["close", "nobody"]),
        (4, &["say", "t", "x", "--at", &revision]),
        (4, &["close", "t", "--at", &revision]),
        (75, &["show", "t", "--store", "redis://127.0.0.1:1"]),
    ] {
        let run = user.run(arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {run:?}");
        assert!(run.stdout.is_empty() && run.stderr.starts_with("error: "), "{arguments:?}: {run:?}");
    }
    let long = user.run_with(&["say", "t", "-"], &"x".repeat(70_000));
    assert_eq!(long.code, Some(2), "{long:?}");
    assert!(long.stderr.contains("65536"), "{long:?}");
    assert_eq!(stored(&user, "t"), before);
    assert_eq!(user.json(&["show", "t"])["revision"], now);
}

#[test]
fn hostile_text_does_not_reach_a_terminal_raw() {
    let user = User::new();
    user.run(&["new", "--id", "t"]);
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}txt.exe";
    user.run_with(&["say", "t", "-"], hostile);
    let table = user.run(&["show", "t", "--format", "table"]);
    let error = user.run(&["show", &format!("t{hostile}")]);
    assert_eq!((table.code, error.code), (Some(0), Some(2)));
    for text in [&table.stdout, &error.stderr] {
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(raw), "{text:?}");
        assert!(text.contains("owned"), "{text:?}");
    }
    assert_eq!(user.json(&["show", "t"])["history"][0], hostile, "programs get what was said");
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let user = User::new();
    user.run(&["new", "--id", "t"]);
    user.run_with(&["say", "t", "-"], &"x".repeat(60_000));
    let mut command = user.command(&["show", "t"]);
    let mut process =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let stderr = String::from_utf8(process.wait_with_output().unwrap().stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn options_stand_before_or_after_the_command_and_secrets_nowhere() {
    let user = User::new();
    let file = format!("sqlite:{}", user.home().join("own.db").display());
    assert_eq!(user.run(&["--store", &file, "new", "--id", "t", "-q"]).stdout, "t\n");
    assert_eq!(user.run(&["show", "t", "--store", &file]).code, Some(0));
    assert_eq!(user.run(&["show", "t"]).code, Some(3), "another store");
    let run = user.run(&["show", "t", "--store", "redis://app:s3cret@127.0.0.1:1"]);
    assert!(!format!("{run:?}").contains("s3cret"), "{run:?}");
    let mut logged = user.command(&["doctor", "--store", "redis://app:s3cret@127.0.0.1:1"]);
    let logged = logged.env("TICKET_LOG", "trace").output().unwrap();
    assert!(!format!("{logged:?}").contains("s3cret"), "{logged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong() {
    let server = RedisServer::start(&["--maxmemory-policy", "allkeys-lru", "--maxmemory", "50mb"]);
    let user = User::of(&server.url());
    let health = user.json(&["doctor"]);
    assert!(health["facts"]["server"].as_str().unwrap().starts_with("Redis "), "{health}");
    assert!(health["facts"]["latency_us"].is_string(), "{health}");
    let findings = health["findings"].to_string();
    assert!(findings.contains("allkeys-lru") && findings.contains("appendonly"), "{findings}");
    assert_eq!(User::new().json(&["doctor"])["findings"], json!([]), "nothing is wrong with the default store");
}

#[test]
fn help_and_completions_are_there() {
    let user = User::new();
    for command in [
        "new",
        "show",
        "list",
        "say",
        "learn",
        "decide",
        "apply",
        "touch",
        "close",
        "snapshot",
        "rollback",
        "restore",
        "replay",
        "doctor",
        "completions",
    ] {
        let help = user.run(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains("Example"), "{command} has no example");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(user.run(&["completions", shell]).stdout.contains("rollback"), "{shell}");
    }
    assert_eq!(user.run(&[]).code, Some(2));
}
