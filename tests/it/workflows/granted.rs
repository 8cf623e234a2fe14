//! What an operator grants: log, clock, random bytes, tools; and that a replay sees what the run saw.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ticket_host::workflow::{Aborted, Cause, Grant, Grants, Run, RunError, ToolCall, Workflow};

use super::modules::component;
use super::{cause, limits, open};

/// Calls the tool `look-up` with `null`.
const LOOK_UP: &str = "(call $tool (i32.const 120) (i32.const 7) (i32.const 16) (i32.const 4) (i32.const 512))";
/// Traps unless the tool has answered.
const ANSWERED: &str = "(if (i32.load8_u (i32.const 512)) (then unreachable))";
/// Eight random bytes.
const EIGHT: &str = "(func $eight (result i64)
    (call $random (i32.const 8) (i32.const 512)) (i64.load align=1 (i32.load (i32.const 512))))";
const SAY: &str = "(call $say (i32.const 32) (i32.const 6) (i32.const 512))";

fn granted(run: &str, grants: Grants) -> Workflow {
    Workflow::load(component(run, ""), grants, limits()).unwrap()
}

fn aborted(run: Result<Run, RunError>) -> Box<Aborted> {
    match run {
        Err(RunError::Aborted(aborted)) => aborted,
        other => panic!("not aborted: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_granted_log_is_kept_within_its_limits() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let line = "(call $log (i32.const 96) (i32.const 9))";
    let flood = format!(
        "(local $i i32) (loop $again {line} (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))"
    );
    let component = component(&flood, "");
    let refused = Workflow::load(component.clone(), Grants::default(), limits()).unwrap_err().to_string();
    assert!(refused.contains("it imports `agent:workflow/log@0.1.0`, which is not granted"), "{refused}");
    let workflow = Workflow::load(component, Grants::default().log(), limits()).unwrap();
    let run = tickets.run("t", &workflow, "null").await.unwrap();
    assert_eq!((run.log.len(), run.log_dropped), (64, 936));
    assert_eq!(run.used, BTreeSet::from([Grant::Log]));
    // As it was written: who shows it escapes it.
    assert_eq!(run.log[0], "\x1b[31mred\x07");
}

#[tokio::test]
async fn the_clock_stands_still_during_a_run() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let run = "(if (i64.ne (call $now) (call $now)) (then unreachable)) (if (i64.eqz (call $now)) (then unreachable))";
    let run = tickets.run("t", &granted(run, Grants::default().clock()), "null").await.unwrap();
    assert_eq!(run.used, BTreeSet::from([Grant::Clock]));
}

#[tokio::test]
async fn random_bytes_differ_and_are_bounded() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let load = |run: &str| Workflow::load(component(run, EIGHT), Grants::default().random(), limits()).unwrap();
    let differ = load("(if (i64.eq (call $eight) (call $eight)) (then unreachable))");
    for _ in 0..10 {
        let run = tickets.run("t", &differ, "null").await.unwrap();
        assert_eq!(run.used, BTreeSet::from([Grant::Random]));
    }
    let many = load("(call $random (i32.const 65537) (i32.const 512))");
    let cause = cause(tickets.run("t", &many, "null").await);
    assert!(cause.to_string().contains("65537 random bytes at once, more than 65536"), "{cause}");
}

/// A run that traps by the toss of a coin goes the same way whenever it is replayed.
#[tokio::test]
async fn a_replay_sees_the_random_bytes_and_the_time_of_the_run() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let coin = format!(
        "(if (i32.wrap_i64 (i64.and (call $eight) (i64.const 1))) (then (drop (call $now)) unreachable)) {SAY}"
    );
    let grants = Grants::default().random().clock();
    let workflow = Workflow::load(component(&coin, EIGHT), grants, limits()).unwrap();
    let mut failed = None;
    while failed.is_none() {
        failed = tickets.dry_run("t", &workflow, "null").await.err();
    }
    let trace = aborted(Err(failed.unwrap())).trace;
    // The store is not asked.
    tickets.close("t", None).await.unwrap();
    for _ in 0..20 {
        let again = aborted(tickets.replay(&trace, &workflow, "null").await);
        assert!(matches!(again.cause, Cause::Trapped(_)), "{:?}", again.cause);
        assert_eq!((again.trace.clock_ms, again.trace.random_seed), (trace.clock_ms, trace.random_seed));
    }
    let mended = granted(SAY, Grants::default());
    let run = tickets.replay(&trace, &mended, "null").await.unwrap();
    assert_eq!(run.after.expect("it stays").message_count(), 1);
    assert!(!tickets.exists("t").await.unwrap());
}

#[tokio::test]
async fn a_tool_is_called_and_kept_in_the_trace() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let tool = move |input: String| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { if input == "null" { Ok("7".to_owned()) } else { Err("no".to_owned()) } }
    };
    let grants = Grants::default().tool("look-up", tool);
    let run = tickets.run("t", &granted(&format!("{LOOK_UP} {ANSWERED}"), grants.clone()), "null").await.unwrap();
    assert_eq!(run.used, BTreeSet::from([Grant::Tool("look-up".into())]));
    let traps = granted(&format!("{LOOK_UP} {ANSWERED} unreachable"), grants);
    let failed = aborted(tickets.run("t", &traps, "null").await);
    let call = ToolCall { name: "look-up".into(), input: "null".into(), answer: Ok("7".into()) };
    assert_eq!(failed.trace.tool_calls, [call]);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    let again = aborted(tickets.replay(&failed.trace, &traps, "null").await);
    assert_eq!((again.trace.tool_calls, calls.load(Ordering::Relaxed)), (failed.trace.tool_calls, 2));
}

#[tokio::test]
async fn a_dry_run_calls_tools_that_change_nothing() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let tool = |_| async { Ok("7".to_owned()) };
    let run = format!("{LOOK_UP} {ANSWERED}");
    let may_change = granted(&run, Grants::default().tool("look-up", tool));
    let refused = cause(tickets.dry_run("t", &may_change, "null").await);
    assert!(matches!(&refused, Cause::ToolInDryRun(name) if name == "look-up") && !refused.is_defect(), "{refused:?}");
    let read_only = granted(&run, Grants::default().read_only_tool("look-up", tool));
    tickets.dry_run("t", &read_only, "null").await.unwrap();
}

#[tokio::test]
async fn a_tool_that_fails_or_is_not_granted_is_told_to_the_workflow() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let is_refused = |case: u32| {
        format!("{LOOK_UP} (if (i32.ne (i32.load8_u (i32.const 516)) (i32.const {case})) (then unreachable))")
    };
    let fails = |_| async { Err("down".to_owned()) };
    tickets.run("t", &granted(&is_refused(2), Grants::default().tool("look-up", fails)), "null").await.unwrap();
    let not_json = |_| async { Ok("{".to_owned()) };
    tickets.run("t", &granted(&is_refused(2), Grants::default().tool("look-up", not_json)), "null").await.unwrap();
    let other = granted(&is_refused(0), Grants::default().tool("other", fails));
    let run = tickets.run("t", &other, "null").await.unwrap();
    assert_eq!((run.used, run.refused), (BTreeSet::new(), BTreeSet::from([Grant::Tool("look-up".into())])));
}

#[tokio::test]
async fn the_time_of_a_run_includes_its_tools() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let never = |_| std::future::pending();
    let limits = limits().time_max(Duration::from_millis(50));
    let workflow = Workflow::load(component(LOOK_UP, ""), Grants::default().tool("look-up", never), limits).unwrap();
    let cause = cause(tickets.run("t", &workflow, "null").await);
    assert!(matches!(cause, Cause::OverTime { in_host_call: true, .. }), "{cause:?}");
}
