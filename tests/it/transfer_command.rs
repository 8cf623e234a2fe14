//! `ticket export` and `ticket import` between stores, and `diff`, `history` and `watch`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use ticket_tests::RedisServer;
use ticket_tests::program::{Run, User};

/// The object of a total.
fn total(run: &Run) -> Value {
    let last = run.stdout.lines().last().unwrap_or_default();
    serde_json::from_str::<Value>(last).unwrap_or_else(|error| panic!("{error}: {run:?}"))["total"].clone()
}

fn all(user: &User) -> Vec<String> {
    let ids = user.json(&["list"]);
    ids.as_array().unwrap().iter().map(|id| user.run(&["snapshot", id.as_str().unwrap()]).stdout).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_move_to_another_store_and_back_without_loss() {
    let server = RedisServer::start(&[]);
    let (from, to) = (User::new(), User::of(&server.url()));
    for id in ["a", "b", "c"] {
        from.json(&["new", "--id", id, "--facts", r#"{"n":1.0,"é":123456789012345678901234567890}"#]);
        from.json(&["say", id, "hello", "--ttl", "7d"]);
    }
    let exported = from.run(&["export"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let imported = to.run_with(&["import", "-"], &exported.stdout);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let counts = total(&imported);
    assert_eq!((&counts["created"], &counts["sha256"]), (&json!(3), &total(&exported)["sha256"]));
    assert_eq!(all(&to), all(&from), "every byte");
    let deadline = |user: &User| user.json(&["show", "a"])["expires_at_ms"].as_u64().unwrap();
    assert!(deadline(&from).abs_diff(deadline(&to)) < 7 * 24 * 3_600_000 / 1_000, "the time that was left");

    let again = total(&to.run_with(&["import", "-"], &exported.stdout));
    assert_eq!((&again["unchanged"], &again["created"]), (&json!(3), &json!(0)), "as often as it is run");
    let back = User::new();
    assert_eq!(back.run_with(&["import", "-"], &to.run(&["export"]).stdout).code, Some(0));
    assert_eq!(all(&back), all(&from));
}

#[test]
fn other_content_stays_unless_it_is_to_be_replaced() {
    let (from, to) = (User::new(), User::new());
    from.json(&["new", "--id", "a"]);
    let exported = from.run(&["export"]).stdout;
    assert_eq!(to.run_with(&["import", "-"], &exported).code, Some(0));
    to.json(&["say", "a", "more"]);
    let kept = to.run_with(&["import", "-"], &exported);
    assert!(kept.code == Some(4) && kept.stderr.contains("--replace"), "{kept:?}");
    assert_eq!(to.json(&["show", "a"])["history"], json!(["more"]));
    assert_eq!(total(&to.run_with(&["import", "-", "--replace"], &exported))["replaced"], json!(1));
    assert_eq!(to.json(&["show", "a"])["history"], json!([]));
}

#[test]
fn a_cut_export_is_told_and_can_be_continued() {
    let (from, to) = (User::new(), User::new());
    for id in ["a", "b", "c"] {
        from.json(&["new", "--id", id]);
    }
    let exported = from.run(&["export"]).stdout;
    let lines: Vec<&str> = exported.lines().collect();
    let begun = format!("{}\n", lines[..2].join("\n"));
    let cut = to.run_with(&["import", "-"], &begun);
    assert!(cut.code == Some(2) && cut.stderr.contains("--after b"), "{cut:?}");
    assert_eq!(total(&cut)["created"], json!(2), "what it has is imported");
    let rest = from.run(&["export", "--after", "b"]).stdout;
    assert_eq!(rest.lines().count(), 2);
    let whole = to.run_with(&["import", "-"], &(begun + &rest));
    assert_eq!((whole.code, &total(&whole)["created"], &total(&whole)["unchanged"]), (Some(0), &json!(1), &json!(2)));
    let nothing = to.run_with(&["import", "-"], "");
    assert!(nothing.code == Some(2) && nothing.stderr.contains("without a total"), "{nothing:?}");
    let lost = to.run_with(&["import", "-"], &format!("{}\n{}\n", lines[0], lines[3]));
    assert!(lost.code == Some(2) && lost.stderr.contains("cut or edited"), "{lost:?}");
    for wrong in ["{}", "[1,{}]", "x", r#"{"expires_at_ms":9,"snapshot":[1,"a",[],"x"]}"#] {
        let refused = to.run_with(&["import", "-"], wrong);
        assert!(refused.code == Some(2) && refused.stderr.contains("line 1"), "{wrong}: {refused:?}");
    }
    let good = format!("{}\n", lines[..3].join("\n"));
    let faulty = User::new().run_with(&["import", "-"], &(good + "{\"x\":1}\n"));
    assert_eq!((faulty.code, &total(&faulty)["created"]), (Some(2), &json!(3)), "the lines before: {faulty:?}");
    let edited = lines[0].replace("\"[]\"", "\"[1]\"");
    let refused = to.run_with(&["import", "-"], &edited.replace("\"id\":\"a\"", "\"id\":\"z\""));
    assert!(refused.code == Some(2) && refused.stderr.contains("line 1"), "{refused:?}");
}

#[test]
fn damaged_tickets_are_named_and_expired_ones_left_out() {
    let user = User::new();
    user.json(&["new", "--id", "good"]);
    user.json(&["new", "--id", "bad"]);
    let file = user.home().join(".local/state/ticket/tickets.db");
    let damage = rusqlite::Connection::open(file).unwrap();
    assert_eq!(damage.execute("UPDATE field SET value = '{' WHERE name = 'facts' AND key LIKE '%bad'", []).unwrap(), 1);
    let exported = user.run(&["export"]);
    assert!(exported.code == Some(65) && exported.stderr.contains("`bad`"), "{exported:?}");
    assert_eq!(total(&exported)["tickets"], json!(1));
    let line: Value = serde_json::from_str(exported.stdout.lines().next().unwrap()).unwrap();
    let deadline = line["expires_at_ms"].to_string();
    let past = exported.stdout.replace(&deadline, "1000");
    let expired = total(&User::new().run_with(&["import", "-"], &past));
    assert_eq!(expired["expired"], json!(1));
    assert_ne!(expired["sha256"], total(&exported)["sha256"], "it is over what is in the store");
}

#[test]
fn a_store_that_is_down_is_neither_exported_nor_imported_into() {
    let server = RedisServer::start(&[]);
    let user = User::of(&server.url());
    user.json(&["new", "--id", "a"]);
    let exported = user.run(&["export"]).stdout;
    drop(server);
    let partial = user.run(&["export"]);
    assert_eq!((partial.code, partial.stdout.as_str()), (Some(75), ""), "{partial:?}");
    let imported = user.run_with(&["import", "-"], &exported);
    assert_eq!(imported.code, Some(75), "{imported:?}");
}

#[test]
fn a_reader_that_ends_early_fails_an_export() {
    let user = User::new();
    for number in 0..100 {
        user.json(&["new", "--id", &format!("t{number}"), "--facts", &format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000))]);
    }
    let mut export = user.command(&["export"]);
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(export.stdout.take());
    assert_eq!(export.wait().unwrap().code(), Some(75));
}

#[test]
fn a_replacement_that_fails_leaves_the_ticket() {
    let (from, to) = (User::new(), User::new());
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(900_000));
    assert_eq!(from.run_with(&["new", "--id", "a", "--facts", "-"], &large).code, Some(0));
    // Another incarnation: it was created in another second.
    let exported = from.run(&["export"]).stdout;
    let store = format!("sqlite:{}?max_page_count=60", to.home().join("small.db").display());
    let created_at = from.json(&["show", "a"])["created_at"].as_u64().unwrap();
    let mut now = created_at;
    while now == created_at {
        to.run(&["close", "a", "--store", &store]);
        now = to.json(&["new", "--id", "a", "--facts", r#"{"live":true}"#, "--store", &store])["created_at"]
            .as_u64()
            .unwrap();
    }
    let failed = to.run_with(&["import", "-", "--replace", "--store", &store], &exported);
    assert_eq!(failed.code, Some(75), "{failed:?}");
    assert_eq!(to.json(&["show", "a", "--store", &store])["facts"], json!({"live": true}));
}

#[test]
fn snapshots_of_a_ticket_are_compared() {
    let user = User::new();
    user.json(&["new", "--id", "t", "--facts", r#"{"a":1}"#]);
    let first = user.run(&["snapshot", "t"]).stdout;
    user.json(&["learn", "t", r#"{"a":2,"b":3}"#]);
    user.json(&["say", "t", "hello"]);
    let second = user.run(&["snapshot", "t"]).stdout;
    let file = user.home().join("t.jsonl");
    std::fs::write(&file, first + &second).unwrap();
    let path = file.to_str().unwrap();
    let patch = user.json(&["diff", "t", &format!("{path}:1"), &format!("{path}:2")]);
    let ops: Vec<&Value> = patch.as_array().unwrap().iter().map(|op| &op["path"]).collect();
    assert_eq!(ops, [&json!("/facts/a"), &json!("/facts/b"), &json!("/history/0")]);
    assert_eq!(user.json(&["diff", "t", &format!("{path}:2")]), json!([]), "it is as it was at the second");
    let history = user.run(&["history", "t", path, "--format", "json"]);
    let lines: Vec<Value> = history.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[1]["patch"], &lines[2]["patch"]), (3, &patch, &json!([])));
    assert_eq!(user.run(&["diff", "t", &format!("{path}:3")]).code, Some(2));
}

#[test]
fn a_watch_tells_what_happens_to_a_ticket() {
    let user = User::new();
    let mut watch = user.command(&["watch", "t", "--interval", "1s", "--format", "table"]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut remarks = BufReader::new(watch.stderr.take().unwrap()).lines();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert!(remarks.next().unwrap().unwrap().starts_with("watching 0 tickets"));
    let mut next = |command: &[&str]| {
        assert_eq!(user.run(command).code, Some(0), "{command:?}");
        lines.next().unwrap().unwrap()
    };
    for (command, event) in [
        (&["new", "--id", "t"][..], "created"),
        (&["say", "t", "hello"], "changed"),
        (&["touch", "t"], "touched"),
        (&["close", "t"], "gone"),
    ] {
        let line = next(command);
        assert!(line.contains(event) && line.contains(" t"), "{line}");
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
}
