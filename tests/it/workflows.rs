//! Workflows: what a good one does, what a hostile one cannot do, and that a run is all or nothing.

use std::fs;
use std::time::Duration;

use ticket_host::workflow::{Cause, Grants, Run, RunError, RunLimits, Workflow};
use ticket_host::{Change, Error, Tickets};
use ticket_tests::RedisServer;
pub(crate) use ticket_tests::workflows::modules;

mod conversations;
mod granted;
mod hostile;
mod kit;
mod refused;
mod registry;

const REFUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/refund.wasm");
/// Load on a machine is not an outage.
const DEADLINE: Duration = Duration::from_secs(20);
const TIME_MAX: Duration = Duration::from_secs(2);

fn limits() -> RunLimits {
    RunLimits::default().time_max(TIME_MAX)
}

fn load(component: Vec<u8>) -> Workflow {
    Workflow::load(component, Grants::default(), limits()).unwrap()
}

fn refund() -> Workflow {
    load(fs::read(REFUND).unwrap())
}

/// Why a run had no answer that counts.
fn cause(run: Result<Run, RunError>) -> Cause {
    match run {
        Err(RunError::Aborted(aborted)) => aborted.cause,
        other => panic!("not aborted: {other:?}"),
    }
}

async fn open(url: &str) -> Tickets {
    Tickets::builder(url).deadline(DEADLINE).open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_fills_slots_and_decides_on_every_store() {
    let server = RedisServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("tickets.db").display());
    let workflow = refund();
    for url in ["memory:", &file, &server.url()] {
        let tickets = open(url).await;
        tickets.create(Some("mia"), &[Change::say("I am mia_kim_4397. Cancel H9ZU1C, please.")]).await.unwrap();
        let run = tickets.run("mia", &workflow, "null").await.unwrap();
        assert_eq!(run.output, r#"{"action":"ask","for":["reason"]}"#, "{url}");
        let after = run.after.expect("it stays");
        assert_eq!(after.facts, r#"{"reservation_id":"H9ZU1C","user_id":"mia_kim_4397"}"#, "{url}");
        assert_eq!(after.last_decision, run.output, "{url}");
        tickets.apply("mia", &[Change::say("I feel unwell.")], None).await.unwrap();
        let input = r#"{"cabin":"economy","booked_hours_ago":90,"insured":true}"#;
        let run = tickets.run("mia", &workflow, input).await.unwrap();
        assert_eq!(run.output, r#"{"action":"refund","because":"insured","reservation_id":"H9ZU1C"}"#, "{url}");
        assert_eq!(tickets.get("mia").await.unwrap(), run.after.expect("it stays"), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_the_ticket_and_sends_no_write() {
    let server = RedisServer::start(&[]);
    let tickets = open(&server.url()).await;
    tickets.create(Some("mia"), &[Change::say("I am mia_kim_4397.")]).await.unwrap();
    let seen = async || {
        let mut look = redis::pipe();
        look.cmd("PEXPIRETIME").arg("ticket:mia").cmd("HGETALL").arg("ticket:mia");
        let stored: (i64, Vec<Vec<u8>>) = look.query_async(&mut server.client().await).await.unwrap();
        (stored, writes(&server).await)
    };
    let before = seen().await;
    let run = tickets.dry_run("mia", &refund(), "null").await.unwrap();
    let after = run.after.expect("it stays");
    assert_eq!(after.facts, r#"{"user_id":"mia_kim_4397"}"#);
    assert_eq!(run.changes.len(), 2);
    assert!(run.spent.fuel.is_some_and(|fuel| fuel > 1_000) && run.spent.host_calls >= 4, "{:?}", run.spent);
    assert_eq!(seen().await, before);
    assert_eq!(tickets.get("mia").await.unwrap(), run.before);
    tickets.run("mia", &refund(), "null").await.unwrap();
    assert_ne!(seen().await, before, "a run that is not dry");
}

/// How often a server was sent what can write, in all.
async fn writes(server: &RedisServer) -> u64 {
    const COMMANDS: [&str; 9] = ["hset", "hdel", "del", "pexpireat", "copy", "rename", "exec", "eval", "evalsha"];
    let mut info = redis::cmd("INFO");
    let stats: String = info.arg("commandstats").query_async(&mut server.client().await).await.unwrap();
    let calls = |line: &str| {
        let (name, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        COMMANDS.contains(&name).then(|| counts.split(',').next()?.parse::<u64>().ok())?
    };
    stats.lines().filter_map(calls).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_may_close_its_ticket() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let close = modules::answering("", "(call $reply (i32.const 16) (i32.const 4) (i32.const 1))", "");
    let workflow = load(close);
    let dry = tickets.dry_run("t", &workflow, "null").await.unwrap();
    assert_eq!(dry.after, None);
    assert!(tickets.exists("t").await.unwrap());
    let run = tickets.run("t", &workflow, "null").await.unwrap();
    assert_eq!((run.after, run.output.as_str()), (None, "null"));
    assert!(!tickets.exists("t").await.unwrap());
    let gone = tickets.run("t", &workflow, "null").await;
    assert!(matches!(gone, Err(RunError::Tickets(Error::NotFound(_)))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_see_what_was_recorded() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let say = "(call $say (i32.const 32) (i32.const 6) (i32.const 512))";
    // Traps unless there are two messages.
    let run = format!("{say} {say} (block $two (br_if $two (i32.eq (call $count) (i32.const 2))) unreachable)");
    let run = tickets.run("t", &load(modules::component(&run, "")), "null").await.unwrap();
    assert_eq!(run.after.expect("it stays").history, r#"["said","said"]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_ends_during_a_run_is_not_made_again() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let closing = tickets.clone();
    let close = move |_| {
        let tickets = closing.clone();
        async move { tickets.close("t", None).await.map(|()| "null".to_owned()).map_err(|error| error.to_string()) }
    };
    let call = "(call $tool (i32.const 120) (i32.const 7) (i32.const 16) (i32.const 4) (i32.const 512))";
    let say = "(call $say (i32.const 32) (i32.const 6) (i32.const 512))";
    let component = modules::component(&format!("{say} {call}"), "");
    let workflow = Workflow::load(component, Grants::default().tool("look-up", close), limits()).unwrap();
    let run = tickets.run("t", &workflow, "null").await;
    assert!(matches!(run, Err(RunError::Tickets(Error::NotFound(_)))), "{run:?}");
    assert!(!tickets.exists("t").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_newer_ticket_is_not_given_to_a_workflow() {
    let server = RedisServer::start(&[]);
    let tickets = open(&server.url()).await;
    let workflow = load(modules::component("", ""));
    for (field, value, is_expected) in [
        ("version", "9", (|error| matches!(error, Error::UnsupportedVersion(_))) as fn(&Error) -> bool),
        ("facts", "{", |error| matches!(error, Error::Corrupt(_))),
    ] {
        tickets.create(Some("t"), &[]).await.unwrap();
        let mut client = server.client().await;
        let _: i64 = redis::cmd("HSET").arg("ticket:t").arg(field).arg(value).query_async(&mut client).await.unwrap();
        match tickets.run("t", &workflow, "null").await {
            Err(RunError::Tickets(error)) if is_expected(&error) => {}
            other => panic!("{field}: {other:?}"),
        }
        let kept: String = redis::cmd("HGET").arg("ticket:t").arg(field).query_async(&mut client).await.unwrap();
        assert_eq!(kept, value);
        let _: i64 = redis::cmd("DEL").arg("ticket:t").query_async(&mut client).await.unwrap();
    }
}

/// Many runs at once on one ticket: each is written once, on the state that it read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_runs_are_each_written_once() {
    const RUNS: usize = 40;
    let server = RedisServer::start(&[]);
    let tickets = open(&server.url()).await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let say = modules::component("(call $say (i32.const 32) (i32.const 6) (i32.const 512))", "");
    let workflow = Workflow::load(say, Grants::default(), limits().repeats_max(10)).unwrap();
    let runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let (tickets, workflow) = (tickets.clone(), workflow.clone());
            tokio::spawn(async move { tickets.run("t", &workflow, "null").await })
        })
        .collect();
    let mut written = 0;
    for run in runs {
        match run.await.unwrap() {
            Ok(_) => written += 1,
            Err(RunError::LostRace { attempts: 11 }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(written > 0);
    assert_eq!(tickets.get("t").await.unwrap().message_count(), written);
}
