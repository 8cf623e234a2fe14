//! `ticket workflow run`: what it shows, what it writes, and how it fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use ticket_tests::program::{Run, User};

use super::workflows::modules;

const REFUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/refund.wasm");
/// The conversation of an airline's customer who is unwell and insured.
const SAID: [&str; 3] = [
    "I need to change my flight.",
    "My user ID is mia_kim_4397, and the reservation ID is H9ZU1C.",
    "Would cancelling be an option, since I'm feeling a bit unwell? I do have travel insurance.",
];
const BOOKING: &str = r#"{"cabin":"economy","booked_hours_ago":90,"insured":true}"#;

fn user_with_ticket() -> User {
    let user = User::new();
    assert_eq!(user.run(&["new", "--id", "mia"]).code, Some(0));
    for text in SAID {
        assert_eq!(user.run(&["say", "mia", text]).code, Some(0));
    }
    user
}

fn workflow(user: &User, options: &[&str]) -> Run {
    user.run(&[&["workflow", "run", "mia", REFUND], options].concat())
}

fn shown(user: &User) -> Value {
    serde_json::from_str(&user.run(&["show", "mia", "--format", "json"]).stdout).unwrap()
}

#[test]
fn a_dry_run_shows_what_the_run_then_writes() {
    let user = user_with_ticket();
    let before = shown(&user);
    let dry = workflow(&user, &["--input", BOOKING, "--dry-run", "--format", "json"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let dry: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(shown(&user), before);
    let run = workflow(&user, &["--input", BOOKING, "--format", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let run: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run["output"]["action"], "refund");
    assert_eq!((&run["patch"], &run["output"]), (&dry["patch"], &dry["output"]));
    assert_eq!((&run["dry_run"], &dry["dry_run"]), (&Value::Bool(false), &Value::Bool(true)));
    assert!(dry["fuel"].as_u64().is_some_and(|fuel| fuel > 0) && run["fuel"].is_null());
    let after = shown(&user);
    assert_eq!(after["facts"]["reservation_id"], "H9ZU1C");
    assert_eq!(after["last_decision"], run["output"]);
    assert_eq!(after, run["ticket"]);
}

#[test]
fn a_table_shows_what_changed_and_what_became_of_the_ticket() {
    let user = user_with_ticket();
    let run = workflow(&user, &["--format", "table"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("facts/user_id") && run.stdout.contains("output: {\"action\":\"look_up\""), "{run:?}");
    assert!(run.stderr.contains("ticket `mia` is kept until"), "{run:?}");
    let dry = workflow(&user, &["--format", "table", "--dry-run"]);
    assert!(dry.stderr.contains("a dry run: nothing is written to ticket `mia`"), "{dry:?}");
}

#[test]
fn a_failed_run_says_why_and_writes_nothing() {
    let user = user_with_ticket();
    let before = shown(&user);
    for (options, code, expected) in [
        (
            &["--input", r#"{"cabin":"attic"}"#] as &[&str],
            76,
            "the workflow failed with `input`: unknown variant `attic`",
        ),
        (&["--input", "{"], 2, "the input is not JSON: EOF"),
    ] {
        let run = workflow(&user, options);
        assert_eq!(run.code, Some(code), "{run:?}");
        assert!(run.stderr.contains(expected) && run.stderr.contains("nothing was"), "{run:?}");
    }
    assert_eq!(shown(&user), before);
    let none = user.run(&["workflow", "run", "absent", REFUND]);
    assert_eq!(none.code, Some(3), "{none:?}");
}

#[test]
fn a_file_that_is_no_workflow_is_named_with_what_is_wrong() {
    let user = user_with_ticket();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.wasm");
    let file = path.to_str().unwrap();
    let engine = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/engine.wasm");
    fs::write(&path, "#!/bin/sh").unwrap();
    for (file, expected) in [
        (file, "it is not WebAssembly"),
        (engine, "it imports `agent:tickets/"),
        ("/nowhere.wasm", "cannot read /nowhere.wasm"),
    ] {
        let run = user.run(&["workflow", "run", "mia", file]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(expected), "{run:?}");
    }
}

#[test]
fn a_failed_run_is_kept_and_runs_again_with_another_build() {
    let user = user_with_ticket();
    let before = shown(&user);
    let folder = tempfile::tempdir().unwrap();
    let trap = folder.path().join("trap.wasm");
    let say = "(call $say (i32.const 32) (i32.const 6) (i32.const 512))";
    fs::write(&trap, modules::component(&format!("{say} unreachable"), "")).unwrap();
    let failed = user.run(&["workflow", "run", "mia", trap.to_str().unwrap(), "--input", BOOKING]);
    assert!(failed.code == Some(76) && failed.stderr.contains("the workflow trapped"), "{failed:?}");
    assert_eq!(shown(&user), before);
    let file = &*kept_in(&failed);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    // Of the state that failed, whatever became of the ticket.
    assert_eq!(user.run(&["close", "mia"]).code, Some(0));
    let mended = workflow(&user, &["--replay", file, "--format", "json"]);
    assert_eq!(mended.code, Some(0), "{mended:?}");
    let mended: Value = serde_json::from_str(&mended.stdout).unwrap();
    assert_eq!((&mended["output"]["action"], &mended["dry_run"]), (&"refund".into(), &true.into()));
    assert_eq!(user.run(&["exists", "mia"]).code, Some(3));
    let other = user.run(&["workflow", "run", "max", REFUND, "--replay", file]);
    assert!(other.code == Some(2) && other.stderr.contains("is of a run on ticket `mia`, not on `max`"), "{other:?}");
    assert_eq!(workflow(&user, &["--replay", REFUND]).code, Some(2), "no file of a failed run");
}

#[test]
fn only_the_newest_failed_runs_are_kept() {
    let user = user_with_ticket();
    let mut file = String::new();
    for _ in 0..53 {
        let failed = workflow(&user, &["--input", "7"]);
        assert_eq!(failed.code, Some(76), "{failed:?}");
        file = kept_in(&failed);
    }
    assert_eq!(fs::read_dir(Path::new(&file).parent().unwrap()).unwrap().count(), 50);
    assert!(fs::exists(&file).unwrap());
}

#[test]
fn what_a_workflow_says_cannot_write_to_a_terminal() {
    let user = user_with_ticket();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.wasm");
    let file = path.to_str().unwrap();
    let red = "(i32.const 96) (i32.const 9)";
    fs::write(&path, modules::component(&format!("(call $log {red})"), "")).unwrap();
    let run = user.run(&["workflow", "run", "mia", file, "--format", "table"]);
    assert!(run.code == Some(2) && run.stderr.contains("hint: `--grant GRANTS` grants it"), "{run:?}");
    let run = user.run(&["workflow", "run", "mia", file, "--format", "table", "--grant", "log"]);
    assert!(run.code == Some(0) && run.stdout.contains("log: \\u{1b}[31mred\\u{7}"), "{run:?}");
    let audit = fs::read_to_string(user.home().join(".local/state/ticket/workflows/audit.jsonl")).unwrap();
    let events: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = events.iter().map(|line| (&line["event"], &line["workflow"])).collect();
    assert_eq!(events, [(&"refused".into(), &file.into()), (&"used".into(), &file.into())]);
    fs::write(&path, modules::answering("", &format!("(call $fail {red})"), "")).unwrap();
    let failed = user.run(&["workflow", "run", "mia", file]);
    assert!(failed.code == Some(75) && failed.stderr.contains("`code`: \\u{1b}[31mred\\u{7}"), "{failed:?}");
}

/// The file of a failed run, as it was told.
fn kept_in(failed: &Run) -> String {
    let file = failed.stderr.split("--replay ").nth(1).and_then(|rest| rest.split('`').next());
    file.expect("a file").to_owned()
}
