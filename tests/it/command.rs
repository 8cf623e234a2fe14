//! The command line as a user runs it: every command is a process of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use ticket_tests::RedisServer;
use ticket_tests::program::{Run, User};

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
async fn a_replay_prints_and_stores_the_same_on_every_store() {
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
fn texts_and_changes_are_read_from_stdin_and_files() {
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
fn refusals_have_their_exit_code_and_change_nothing() {
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
        (3, &["show", "unknown"]),
        (3, &["touch", "unknown"]),
        (3, &["close", "unknown"]),
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
fn control_characters_are_escaped_for_a_terminal() {
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
fn a_closed_stdout_is_not_an_error() {
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
fn global_options_go_anywhere_and_passwords_are_not_shown() {
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

#[test]
fn a_url_of_another_file_than_meant_is_refused() {
    let user = User::new();
    for (url, instead) in [
        ("sqlite://t.db", "sqlite:t.db"),
        ("sqlite://t.db", "sqlite:///t.db"),
        ("sqlite:file:t.db", "sqlite:t.db"),
        ("sqlite:~/t.db", "$HOME"),
        ("sqlite:none%20such.db", "percent-encoding"),
        ("sqlite:t.db?mode=ro", "mode=ro"),
        ("file:t.db", "sqlite:PATH"),
        ("t.db", "sqlite:PATH"),
    ] {
        let mut command = user.command(&["list", "--store", url]);
        let run: Run = command.current_dir(user.home()).output().expect("the program runs").into();
        assert!(run.code == Some(2) && run.stderr.contains(instead), "{url}: {run:?}");
        if url.starts_with("sqlite:") {
            let mut command = user.command(&["list", "--store", "redis://127.0.0.1:1", "--fallback", url]);
            let run: Run = command.current_dir(user.home()).output().expect("the program runs").into();
            assert_eq!(run.code, Some(2), "--fallback {url}: {run:?}");
        }
    }
    let created: Vec<_> = std::fs::read_dir(user.home()).unwrap().filter_map(Result::ok).collect();
    assert!(!created.iter().any(|entry| entry.path().is_file() || entry.file_name() == "~"), "{created:?}");
    assert!(!std::path::Path::new("/t.db").exists());
}

#[test]
fn a_damaged_file_gets_advice_that_helps() {
    let user = User::new();
    let path = user.home().join("t.db");
    std::fs::write(&path, "not a database, but long enough to be looked at as one. ".repeat(40)).unwrap();
    let run = user.run(&["show", "t", "--store", &format!("sqlite:{}", path.display())]);
    assert!(run.code == Some(65) && run.stderr.contains("backup"), "{run:?}");
    assert!(!run.stderr.contains("ticket rollback"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_problems() {
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
fn every_command_has_help_with_an_example() {
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
        "branches",
        "doctor",
        "conform",
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

/// Runs with environment variables.
fn run_with_variables(user: &User, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    user.command(arguments).envs(variables.iter().copied()).output().expect("the program runs").into()
}

#[test]
fn variables_set_options_and_typed_options_win() {
    let user = User::new();
    let lifetime_ms = |run: Run| {
        let ticket: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        ticket["expires_at_ms"].as_u64().unwrap() - ticket["created_at"].as_u64().unwrap() * 1_000
    };
    let hour = [("TICKET_TTL", "1h")];
    assert!(lifetime_ms(run_with_variables(&user, &hour, &["new"])) > 3_598_000, "less a jitter of a two-thousandth");
    for arguments in [["new", "--ttl", "60s"], ["--ttl", "60s", "new"]] {
        assert!(lifetime_ms(run_with_variables(&user, &hour, &arguments)) <= 61_000, "{arguments:?}");
    }

    let shop = [("TICKET_NAMESPACE", "shop")];
    assert_eq!(run_with_variables(&user, &shop, &["new", "--id", "t", "-q"]).code, Some(0));
    assert_eq!(user.run(&["show", "t"]).code, Some(3), "in another namespace");
    assert_eq!(user.run(&["show", "t", "--namespace", "shop"]).code, Some(0));
    let table = run_with_variables(&user, &[("TICKET_FORMAT", "table")], &["list"]);
    assert!(table.stdout.contains("messages"), "{table:?}");
    let down = [("TICKET_STORE", "redis://127.0.0.1:1"), ("TICKET_FALLBACK", "none")];
    assert_eq!(run_with_variables(&user, &down, &["new"]).code, Some(75));
}

#[test]
fn invalid_variables_are_named_and_empty_ones_ignored() {
    let user = User::new();
    for (variable, value) in [
        ("TICKET_STORE", "mysql://h"),
        ("TICKET_STORE", "redis://[::1"),
        ("TICKET_TTL", "soon"),
        ("TICKET_NAMESPACE", "a:b"),
        ("TICKET_FALLBACK", "file"),
        ("TICKET_FORMAT", "xml"),
    ] {
        let run = run_with_variables(&user, &[(variable, value)], &["list"]);
        assert_eq!(run.code, Some(2), "{variable}={value}: {run:?}");
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(variable), "{run:?}");
    }
    let typed = run_with_variables(&user, &[("TICKET_TTL", "1h")], &["list", "--ttl", "soon"]);
    assert!(typed.stderr.contains("--ttl") && !typed.stderr.contains("TICKET_TTL"), "{typed:?}");
    let empty = ["STORE", "TTL", "NAMESPACE", "FALLBACK", "FORMAT"].map(|name| format!("TICKET_{name}"));
    let empty: Vec<(&str, &str)> = empty.iter().map(|name| (name.as_str(), "")).collect();
    let run = run_with_variables(&user, &empty, &["list"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "[]\n"), "{run:?}");
    let secret = [("TICKET_STORE", "redis://app:s3cret@h")];
    assert!(!run_with_variables(&user, &secret, &["--help"]).stdout.contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_every_ticket_also_a_damaged_one() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    assert_eq!(user.run(&["list", "-q"]).stdout, "");
    let made = user.json(&["new", "--id", "a"]);
    let said = user.json(&["say", "a", "hi"]);
    let mut hset = redis::cmd("HSET");
    hset.arg("ticket:b").arg("facts").arg("nonsense");
    let _: i64 = hset.query_async(&mut server.client().await).await.unwrap();

    assert_eq!(user.run(&["list"]).stdout, "[\"a\",\"b\"]\n");
    assert_eq!(user.run(&["list", "-q"]).stdout, "a\nb\n");
    let long = user.json(&["list", "--long"]);
    let (updated_at, expires_at_ms) = (&said["updated_at"], &said["expires_at_ms"]);
    assert_eq!(
        long[0],
        json!({"id": "a", "messages": 1, "bytes": 10, "updated_at": updated_at, "expires_at_ms": expires_at_ms})
    );
    assert_eq!(long[1]["id"], "b");
    let reason = long[1]["error"].as_str().expect("a reason");
    let table = user.run(&["list", "--format", "table"]);
    assert_eq!(table.code, Some(0), "{table:?}");
    assert!(table.stdout.contains("messages") && table.stdout.contains(" b "), "{table:?}");
    assert!(!reason.is_empty() && made["history"] == json!([]), "{long}");
    assert_eq!(user.run(&["list", "-q", "--long"]).code, Some(2));
}
