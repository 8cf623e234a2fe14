//! `ticket conform` and its kit: a good store passes and keeps what it has, a store that breaks a rule is caught.

use std::sync::Arc;

use ticket_conformance::{self as conformance, Options, Report, TestBackend, Verdict};
use ticket_tests::RedisServer;
use ticket_tests::broken::{BrokenBackend, Rule};
use ticket_tests::program::User;
use ticket_tests::seed;
use tokio::runtime::{Builder, Runtime};

#[test]
fn a_good_store_conforms_and_its_tickets_stay_as_they_are() {
    let server = RedisServer::start(&[]);
    for store in [String::new(), "memory:".to_owned(), server.url()] {
        let user = if store.is_empty() { User::new() } else { User::of(&store) };
        user.json(&["new", "--id", "kept", "--facts", r#"{"a": 1}"#]);
        let before = user.json(&["list"]);
        let report = user.json(&["conform", "--random", "20"]);
        let broken = |checked: &&serde_json::Value| checked["verdict"].get("broken").is_some();
        let promises = report["promises"].as_array().unwrap();
        assert_eq!(promises.iter().filter(broken).collect::<Vec<_>>(), Vec::<&serde_json::Value>::new());
        assert_eq!((promises.len(), report["comparison"]["scenarios"].as_u64()), (63, Some(20)), "{store}");
        assert!(report["comparison"]["difference"].is_null(), "{report}");
        assert_eq!(user.json(&["list"]), before, "{store}");
    }
}

#[test]
fn a_check_leaves_nothing_and_stays_in_its_namespace() {
    let server = RedisServer::start(&["--save", ""]);
    let user = User::of(&server.url());
    // A user of the server who may use names of one application alone.
    let _: String = command(&server, "ACL SETUSER agent on >secret ~app* +@all");
    let limited = User::of(&server.url_of("agent", "secret"));
    user.json(&["conform", "--random", "10"]);
    limited.json(&["conform", "--random", "10", "--namespace", "app"]);
    assert_eq!(command::<u64>(&server, "DBSIZE"), 0);
    let refused = limited.run(&["conform", "--only", "P1", "--random", "0"]);
    assert_eq!(refused.code, Some(77), "{}", refused.stderr);
}

#[test]
fn wrong_words_are_refused_and_a_scenario_prints_its_transcript() {
    let user = User::new();
    for (typed, says) in [
        (&["conform", "--only", "P99"][..], "unknown promise `P99`"),
        (&["conform", "--fallback", "memory:"], "leave `--fallback` out"),
        (&["conform", "--ttl", "1h"], "leave `--ttl` out"),
        (&["conform", "--scenario", "nowhere.jsonl"], "nowhere.jsonl"),
        (&["conform", "--scenario", "-"], "it has no first line"),
    ] {
        let run = user.run(typed);
        assert_eq!((run.code, run.stderr.contains(says)), (Some(2), true), "{typed:?}: {}", run.stderr);
    }
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/operations.jsonl");
    let expected = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/expected/operations.jsonl"));
    assert_eq!(user.run(&["conform", "--scenario", scenario]).stdout, expected.unwrap());
}

#[test]
fn a_failed_external_write_ends_a_scenario_and_leaves_nothing() {
    let server = RedisServer::start(&["--save", ""]);
    // Only external writes of the scenario send this command.
    let _: String = command(&server, "ACL SETUSER agent on >secret ~* +@all -pexpire");
    let user = User::of(&server.url_of("agent", "secret"));
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("scenario.jsonl");
    for before in ["", r#","before":"write""#] {
        let scenario = [
            r#"{"about":"an external write"}"#,
            r#"{"op":"create","id":"a"}"#,
            &format!(r#"{{"op":"put","id":"a","fields":{{"facts":"{{}}"}},"ttl_ms":1800000{before}}}"#),
            r#"{"op":"apply","id":"a","changes":[{"decide":"{}"}]}"#,
        ];
        std::fs::write(&file, scenario.join("\n")).unwrap();
        let run = user.run(&["conform", "--scenario", file.to_str().unwrap()]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(75), ""), "{}", run.stderr);
        assert!(run.stderr.contains("the scenario stopped") && run.stderr.contains("pexpire"), "{}", run.stderr);
        assert_eq!(command::<u64>(&server, "DBSIZE"), 0, "{before}");
    }
}

fn command<T: redis::FromRedisValue>(server: &RedisServer, line: &str) -> T {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    let mut client = redis::Client::open(server.operator_url()).unwrap().get_connection().unwrap();
    command.arg(words.collect::<Vec<_>>()).query(&mut client).unwrap()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The report on a backend with stores that break a rule.
fn report(backend: Arc<dyn TestBackend>, rule: Rule, promise: &str) -> Report {
    // Checks that fail are what is wanted: their messages would only confuse.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let options = Options { seed: seed::seed(), scenarios: 200, only: vec![promise.into()], ..Options::default() };
    let runtime = runtime();
    let report = runtime.block_on(conformance::run(Arc::new(BrokenBackend::new(backend, rule)), &options)).unwrap();
    std::panic::set_hook(hook);
    report
}

/// The promises that a report finds broken.
fn broken(report: &Report) -> Vec<&str> {
    let is_broken = |checked: &&conformance::Checked| matches!(checked.verdict, Verdict::Broken(_));
    report.promises.iter().filter(is_broken).map(|checked| checked.promise.as_str()).collect()
}

#[test]
fn promises_and_comparison_catch_a_store_that_breaks_a_rule() {
    let server = RedisServer::start(&[]);
    let folder = tempfile::TempDir::new().unwrap();
    let runtime = runtime();
    let file = format!("sqlite:{}", folder.path().join("tickets.db").display());
    for rule in Rule::ALL {
        for url in ["memory:", &file, &server.url()] {
            let backend = runtime.block_on(conformance::backend(url)).unwrap();
            let name = format!("{url} with {}", rule.name());
            let expected = match rule {
                Rule::TtlNotRefreshed => "P10",
                Rule::MergeInsteadOfReplace => "P2",
                Rule::RevisionNotRaised => "P8",
            };
            let report = report(backend, rule, expected);
            assert!(broken(&report).contains(&expected), "{name}: {:?}", broken(&report));
            assert!(report.comparison.difference.is_some(), "{name}: {:?}", report.comparison);
        }
    }
}

#[test]
fn an_unrepeated_difference_is_counted_and_breaks_nothing() {
    let runtime = runtime();
    let good = runtime.block_on(conformance::backend("memory:")).unwrap();
    // Its first play is in the only namespace with this in its name, and the first scenario of this seed shows the rule.
    let backend = BrokenBackend::only_in(good, Rule::MergeInsteadOfReplace, "-r0-");
    let options = Options { seed: 1, scenarios: 3, only: vec!["P1".into()], ..Options::default() };
    let report = runtime.block_on(conformance::run(Arc::new(backend), &options)).unwrap();
    assert!(report.is_kept(), "{report:#?}");
    assert_eq!((report.comparison.scenarios, report.comparison.unrepeated), (3, 1));
}
