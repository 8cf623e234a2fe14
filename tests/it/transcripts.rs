//! `ticket replay` of transcripts in the forms of the APIs.

use std::fs;

use ticket_tests::RedisServer;
use ticket_tests::program::{Run, User};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/transcripts");

fn replayed(user: &User, text: &str, options: &[&str]) -> Run {
    let arguments = [&["replay", "-", "--replace", "--format", "json"], options].concat();
    user.run_with(&arguments, text)
}

/// The rows of a replay without its total.
fn rows(run: &Run) -> String {
    assert_eq!(run.code, Some(0), "{run:?}");
    run.stdout.lines().filter(|line| !line.starts_with("{\"total\"")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_conversations_in_all_forms_give_the_same_rows() {
    let server = RedisServer::start(&[]);
    let expected = fs::read_to_string(format!("{CORPUS}/expected.jsonl")).unwrap();
    let mut files: Vec<String> = fs::read_dir(CORPUS)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| !path.ends_with("expected.jsonl"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 8, "{files:?}");
    for user in [User::of("memory:"), User::new(), User::of(&server.url())] {
        for file in &files {
            let run = user.run(&["replay", file, "--replace", "--strict", "--format", "json"]);
            // Calls of the older form cannot be parallel.
            let expected: String = match file.ends_with("function-call.jsonl") {
                true => {
                    expected.lines().filter(|row| !row.contains("\"trip\"")).map(|row| format!("{row}\n")).collect()
                }
                false => expected.clone(),
            };
            assert_eq!(rows(&run), expected, "{file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_takes_back_its_own_effect_alone_on_every_store() {
    let server = RedisServer::start(&[]);
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/failed-calls.jsonl")).unwrap();
    for user in [User::new(), User::of(&server.url())] {
        let rows = rows(&replayed(&user, &text, &[]));
        let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        let counts =
            |row: &serde_json::Value| ["messages", "decisions", "facts", "rollbacks"].map(|name| row[name].as_u64());
        assert_eq!(counts(&rows[0]), [1, 2, 1, 1].map(Some), "one of two parallel calls fails");
        assert_eq!(counts(&rows[1]), [1, 1, 0, 1].map(Some), "a result marked as an error in a user message");
        let field = |id: &str, name: &str| user.run(&["show", id, "--field", name]).stdout;
        assert_eq!(field("siblings", "facts").trim_end(), r#"{"look":{"ok":true}}"#);
        assert_eq!(field("siblings", "last_decision").trim_end(), r#"{"tool":"look","arguments":{}}"#);
        assert_eq!(field("blocks", "last_decision").trim_end(), "{}");
        assert_eq!(field("blocks", "history").trim_end(), r#"["hi"]"#);
    }
}

#[test]
fn a_form_may_be_named() {
    let user = User::of("memory:");
    let read = |file: &str, form: &str| user.run(&["replay", &format!("{CORPUS}/{file}.jsonl"), "--from", form]);
    for form in ["openai", "responses", "anthropic", "langchain", "gemini"] {
        assert_eq!(read(form, form).code, Some(0), "{form}");
        let other = read(form, if form == "gemini" { "responses" } else { "gemini" });
        assert_eq!(other.code, Some(2), "{form}: {other:?}");
    }
    let error = read("anthropic", "openai").stderr;
    assert!(error.contains("line 1"), "{error}");
    let wrong = replayed(&user, r#"{"id":"a","dialogue":[]}"#, &[]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("openai") && wrong.stderr.contains("gemini"), "{}", wrong.stderr);
}

#[test]
fn what_has_no_effect_is_counted_or_stops_a_strict_replay() {
    let user = User::new();
    let text =
        r#"{"id":"a","messages":[{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"c9","content":"1"}]}"#;
    let run = replayed(&user, text, &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("skipped 1") && run.stderr.contains("line 1, message 2"), "{}", run.stderr);
    user.run(&["close", "a"]);
    let strict = replayed(&user, text, &["--strict"]);
    assert_eq!(strict.code, Some(2), "{strict:?}");
    assert_eq!(user.run(&["show", "a"]).code, Some(3), "nothing is written");
}

#[test]
fn failures_are_what_results_or_a_pattern_say() {
    let user = User::of("memory:");
    let text = |result: &str| {
        format!(
            r#"{{"id":"a","messages":[{{"role":"assistant","function_call":{{"name":"f","arguments":"{{}}"}}}},{{"role":"function","name":"f","content":"{result}"}}]}}"#
        )
    };
    let rollbacks = |result: &str, options: &[&str]| {
        let row: serde_json::Value = serde_json::from_str(&rows(&replayed(&user, &text(result), options))).unwrap();
        row["rollbacks"].as_u64().unwrap()
    };
    assert_eq!(rollbacks("Errors: 0, all fine", &[]), 0);
    assert_eq!(rollbacks("ERROR no", &[]), 1);
    assert_eq!(rollbacks("no such order", &["--error-pattern", "^no such"]), 1);
    let wrong = replayed(&user, "", &["--error-pattern", "("]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[test]
fn a_message_with_a_large_image_keeps_a_reference() {
    let user = User::new();
    let payload = "QUFB".repeat(100_000);
    let text = format!(
        r#"{{"id":"a","messages":[{{"role":"user","content":[{{"type":"text","text":"see"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{payload}"}}}}]}}]}}"#
    );
    let run = replayed(&user, &text, &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("--keep-media"), "{}", run.stderr);
    let history = user.run(&["show", "a", "--field", "history"]).stdout;
    assert!(history.contains("\"bytes\":300000") && history.len() < 400, "{history}");
    let whole = replayed(&user, &text, &["--keep-media"]);
    assert_eq!(whole.code, Some(2), "{}", whole.stderr);
    assert_eq!(user.run(&["show", "a", "--field", "history"]).stdout, history, "the ticket before is there again");
}
