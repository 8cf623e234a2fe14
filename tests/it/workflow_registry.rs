//! `ticket workflow add`, `list`, `inspect`, `check`, `remove`, `test` and `new`: what they keep, show and refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use ticket_tests::program::{Run, User};

use super::workflows::modules;

const REFUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/refund");
const BOOKING: &str = r#"{"cabin":"economy","booked_hours_ago":90,"insured":true}"#;
const LOOK_UP: &str = "(call $tool (i32.const 120) (i32.const 7) (i32.const 16) (i32.const 4) (i32.const 512))";

/// A user with a ticket of a customer who is unwell.
fn user() -> User {
    let user = User::new();
    assert_eq!(user.run(&["new", "--id", "mia"]).code, Some(0));
    assert_eq!(user.run(&["say", "mia", "I am mia_kim_4397. Cancel H9ZU1C, please: I feel unwell."]).code, Some(0));
    user
}

fn workflow(user: &User, options: &[&str]) -> Run {
    user.run(&[&["workflow"], options].concat())
}

/// The result of a command that succeeds.
fn json(user: &User, options: &[&str]) -> Value {
    let run = workflow(user, &[options, &["--format", "json"]].concat());
    assert_eq!(run.code, Some(0), "{options:?}: {run:?}");
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// The folder of a package whose workflow calls a tool.
fn package(user: &User, manifest: &str) -> String {
    let folder = user.home().join("package");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("their.wasm"), modules::component(LOOK_UP, "")).unwrap();
    fs::write(folder.join("workflow.toml"), manifest).unwrap();
    folder.to_str().unwrap().to_owned()
}

fn registry(user: &User) -> PathBuf {
    user.home().join(".local/state/ticket/workflows")
}

const THEIRS: &str = "name = \"theirs\"\nversion = \"1\"\ncomponent = \"their.wasm\"\ngrants = [\"tool:look-up\"]\n";

#[test]
fn the_example_is_added_listed_run_and_removed() {
    let user = user();
    assert_eq!(workflow(&user, &["list", "--format", "table"]).stdout, "");
    let added = workflow(&user, &["add", REFUND, "--format", "table"]);
    assert!(
        added.code == Some(0) && added.stderr.contains("workflow `refund` 0.1.0 is added, nothing granted"),
        "{added:?}"
    );
    let listed = json(&user, &["list"]);
    assert_eq!(
        (&listed["name"], &listed["granted"], &listed["limits"]["time_ms"]),
        (&json!("refund"), &json!([]), &json!(250))
    );
    assert_eq!(json(&user, &["inspect", "refund"]), listed);
    assert_eq!(json(&user, &["inspect", REFUND])["manifest"]["sha256"], listed["manifest"]["sha256"]);
    let dry = json(&user, &["run", "mia", "refund", "--input", BOOKING, "--dry-run"]);
    let run = json(&user, &["run", "mia", "refund", "--input", BOOKING]);
    assert_eq!((&run["output"], &run["patch"]), (&dry["output"], &dry["patch"]));
    assert_eq!(run["output"]["because"], "insured");
    // It is compiled, for this user alone.
    for path in [registry(&user), registry(&user).join(".images")] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
    }
    assert_eq!(fs::read_dir(registry(&user).join(".images")).unwrap().count(), 2);
    assert_eq!(workflow(&user, &["remove", "refund"]).code, Some(0));
    let gone = workflow(&user, &["run", "mia", "refund"]);
    assert!(gone.code == Some(2) && gone.stderr.contains("there is no workflow `refund`"), "{gone:?}");
}

#[test]
fn input_is_checked_by_the_schema_of_the_manifest() {
    let user = user();
    json(&user, &["add", REFUND]);
    let run = workflow(&user, &["run", "mia", "refund", "--input", r#"{"cabin":"attic"}"#]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.stderr.contains("the input does not match its schema") && run.stderr.contains("nothing was run"),
        "{run:?}"
    );
}

#[test]
fn a_tool_of_the_operator_is_called_where_it_is_granted() {
    let user = user();
    let folder = package(&user, THEIRS);
    let refused = workflow(&user, &["add", &folder, "--grant", "tool:look-up"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("operator.toml has no such tool"), "{refused:?}");
    fs::create_dir_all(registry(&user)).unwrap();
    let tool = "[tools.look-up]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> $HOME/called; echo 7\"]\n";
    fs::write(registry(&user).join("operator.toml"), tool).unwrap();
    let refused = workflow(&user, &["add", &folder]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let expected = "it imports `agent:workflow/tools@0.1.0`, which is not granted; `tool:NAME` would grant it";
    assert!(refused.stderr.contains(expected) && refused.stderr.contains("`--grant GRANTS` grants it"), "{refused:?}");
    assert_eq!(json(&user, &["add", &folder, "--grant", "tool:look-up"])["granted"], json!(["tool:look-up"]));
    let dry = workflow(&user, &["run", "mia", "theirs", "--dry-run"]);
    assert!(
        dry.code == Some(76) && dry.stderr.contains("the tool `look-up`, which a dry run does not call"),
        "{dry:?}"
    );
    assert!(!user.home().join("called").exists());
    let run = json(&user, &["run", "mia", "theirs"]);
    assert_eq!(run["used"], json!(["tool:look-up"]));
    assert_eq!(fs::read_to_string(user.home().join("called")).unwrap(), "null");
    let audit = fs::read_to_string(registry(&user).join("audit.jsonl")).unwrap();
    let events: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = events.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["refused", "refused", "added", "used"]);
}

#[test]
fn a_limit_is_the_smallest_of_manifest_grant_and_ceiling() {
    let user = user();
    let folder = package(&user, &format!("{THEIRS}[limits]\ntime_ms = 900\nfuel = 20000\n"));
    fs::create_dir_all(registry(&user)).unwrap();
    let operator = "[ceiling]\ntime_ms = 800\noutput_bytes = 1000\n[tools.look-up]\ncommand = [\"true\"]\n";
    fs::write(registry(&user).join("operator.toml"), operator).unwrap();
    let limits =
        |more: &[&str]| json(&user, &[&["add", &folder, "--grant", "tool:look-up"], more].concat())["limits"].clone();
    let effective = limits(&[]);
    let three = |limits: &Value| ["time_ms", "fuel", "output_bytes"].map(|name| limits[name].as_u64().unwrap());
    assert_eq!(three(&effective), [800, 20_000, 1_000]);
    assert_eq!(three(&limits(&["--limit", "time_ms=70,fuel=30000"])), [70, 20_000, 1_000]);
    let zero = workflow(&user, &["add", &folder, "--grant", "tool:look-up", "--limit", "time_ms=0"]);
    assert!(zero.code == Some(2) && zero.stderr.contains("the limit `time_ms` is 0"), "{zero:?}");
}

#[test]
fn what_is_wrong_with_a_package_is_named_and_nothing_is_added() {
    let user = user();
    let digest = format!("{THEIRS}sha256 = \"{}\"\n", "0".repeat(64));
    for (manifest, expected) in [
        ("name = ".to_owned(), "workflow.toml: line 1"),
        (format!("{THEIRS}colour = 1\n"), "workflow.toml: line 5: unknown field `colour`"),
        (format!("{THEIRS}[limits]\ntime_ms = 0\n"), "the limit `time_ms` is 0, which is not between 1 and 5000"),
        (format!("{THEIRS}[limits]\ntime_ms = 9000\n"), "the limit `time_ms` is 9000"),
        (THEIRS.replace("tool:look-up", "network"), "unknown grant `network`"),
        (THEIRS.replace("their.wasm", "none.wasm"), "none.wasm: No such file"),
        (format!("{THEIRS}[input]\ntype = \"objekt\"\n"), "the schema of the input is wrong"),
        (digest, "and its manifest says 000000"),
    ] {
        let folder = package(&user, &manifest);
        for command in ["add", "check"] {
            let run = workflow(&user, &[command, &folder]);
            assert!(run.code == Some(2) && run.stderr.contains(expected), "{command} {manifest}: {run:?}");
        }
    }
    let not_asked = workflow(&user, &["add", REFUND, "--grant", "log"]);
    assert!(
        not_asked.stderr.contains("`log` cannot be granted to `refund`: its manifest does not ask for it"),
        "{not_asked:?}"
    );
    let unknown = workflow(&user, &["add", REFUND, "--grant", "network"]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("unknown grant `network`"), "{unknown:?}");
    let none = workflow(&user, &["add", "/nowhere"]);
    assert!(none.code == Some(2) && none.stderr.contains("cannot read /nowhere/workflow.toml"), "{none:?}");
    assert_eq!(workflow(&user, &["list", "--format", "json"]).stdout, "");
    let checked = workflow(&user, &["check", REFUND, "--format", "table"]);
    assert!(checked.code == Some(0) && checked.stderr.contains("workflow `refund` 0.1.0 can be added"), "{checked:?}");
    assert_eq!(workflow(&user, &["list", "--format", "json"]).stdout, "");
}

#[test]
fn a_registered_workflow_is_granted_nothing_for_one_run() {
    let user = user();
    json(&user, &["add", REFUND]);
    let run = workflow(&user, &["run", "mia", "refund", "--grant", "log"]);
    assert!(run.code == Some(2) && run.stderr.contains("granted something when it is added"), "{run:?}");
}

#[test]
fn a_failed_run_of_a_registered_workflow_is_replayed() {
    let user = user();
    let folder = package(&user, &THEIRS.replace("grants", "#"));
    let their = user.home().join("package/their.wasm");
    fs::write(&their, modules::component("unreachable", "")).unwrap();
    json(&user, &["add", &folder]);
    let failed = workflow(&user, &["run", "mia", "theirs"]);
    assert!(failed.code == Some(76) && failed.stderr.contains("the workflow trapped"), "{failed:?}");
    let file = failed.stderr.split("--replay ").nth(1).and_then(|rest| rest.split('`').next()).expect("a file");
    let again = workflow(&user, &["run", "mia", "theirs", "--replay", file]);
    assert!(again.code == Some(76) && again.stderr.contains("the workflow trapped"), "{again:?}");
    fs::write(&their, modules::component("", "")).unwrap();
    json(&user, &["add", &folder]);
    assert_eq!(json(&user, &["run", "mia", "theirs", "--replay", file])["output"], Value::Null);
}

#[test]
fn the_cases_of_the_example_pass_and_a_wrong_one_fails() {
    let user = user();
    let run = workflow(&user, &["test", REFUND, "--format", "table"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.lines().count() >= 5 && run.stdout.lines().all(|line| line.starts_with("ok ")), "{run:?}");
    let folder = package(&user, THEIRS);
    let cases = user.home().join("package/cases.jsonl");
    for (case, expected) in [
        (r#"{"name":"a","output":7}"#, "output is null, and should be 7"),
        (r#"{"name":"a","closes":true}"#, "it kept the ticket alive, and should have closed it"),
        (r#"{"name":"a","failure":"sorry"}"#, "it succeeded, and should have failed with `sorry`"),
        (
            r#"{"name":"a","ticket":{"facts":{"a":1}},"after":{"facts":{"a":2}}}"#,
            "facts is {\"a\":1}, and should be {\"a\":2}",
        ),
    ] {
        fs::write(&cases, format!("{{\"name\":\"good\",\"output\":null}}\n{case}\n")).unwrap();
        let run = workflow(&user, &["test", &folder, "--format", "table"]);
        assert!(run.code == Some(1) && run.stdout.contains(expected), "{case}: {run:?}");
        assert!(run.stdout.contains("ok     good") && run.stderr.contains("1 of 2 cases failed"), "{run:?}");
    }
    for (text, expected) in [("", "it has no case"), ("{\"nam\":1}", "cases.jsonl: line 1, column"), ("[]", "line 1")] {
        fs::write(&cases, text).unwrap();
        let run = workflow(&user, &["test", &folder]);
        assert!(run.code == Some(2) && run.stderr.contains(expected), "{text}: {run:?}");
    }
}

#[test]
fn a_component_that_cannot_be_compiled_is_refused() {
    let user = user();
    let folder = package(&user, THEIRS);
    let damaged: Vec<u8> = modules::component("", "").into_iter().rev().skip(40).rev().collect();
    fs::write(user.home().join("package/their.wasm"), damaged).unwrap();
    let refused = workflow(&user, &["add", &folder]);
    assert!(refused.code == Some(2) && refused.stderr.contains("the component cannot be compiled: "), "{refused:?}");
    fs::write(user.home().join("package/their.wasm"), vec![0; 100 << 20]).unwrap();
    let refused = workflow(&user, &["add", &folder]);
    assert!(refused.code == Some(2) && refused.stderr.contains("104857600 bytes, more than 33554432"), "{refused:?}");
    assert_eq!(fs::read_dir(registry(&user).join(".images")).unwrap().count(), 0);
}

#[test]
fn a_template_is_written_for_each_language() {
    let user = user();
    for (language, source) in [("rust", "src/lib.rs"), ("javascript", "workflow.js"), ("python", "app.py")] {
        let name = format!("greet-{language}");
        let mut new = user.command(&["workflow", "new", &name, "--language", language]);
        assert!(new.current_dir(user.home()).status().unwrap().success());
        let folder = user.home().join(&name);
        for file in [source, "README.md", "workflow.toml", "cases.jsonl", "wit/world.wit", "wit/ticket.wit"] {
            let text =
                fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{language} {file}: {error}"));
            assert!(!text.contains("{{"), "{language} {file}");
        }
        let again = user.command(&["workflow", "new", &name, "--language", language]).current_dir(user.home()).output();
        assert_eq!(again.unwrap().status.code(), Some(2));
    }
    let wrong = workflow(&user, &["new", "../a", "--language", "rust"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("name is `../a`"), "{wrong:?}");
}
