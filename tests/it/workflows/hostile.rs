//! Hostile workflows: each ends as it should, and writes nothing, on every store.

use std::time::{Duration, Instant};

use ticket_host::workflow::{Grants, RunLimits, Workflow};
use ticket_host::{Change, Tickets};
use ticket_tests::RedisServer;
use ticket_tests::workflows::hostile::{Kind, SAY, kinds, over_time};

use super::modules::component;
use super::{cause, load, open};

const RUNS_VARIABLE: &str = "TICKET_HOSTILE_RUNS";

fn hostile(component: Vec<u8>) -> Workflow {
    let limits = RunLimits::default().time_max(Duration::from_millis(60)).memory_bytes_max(2 << 20);
    Workflow::load(component, Grants::default(), limits).unwrap()
}

async fn stores(server: &RedisServer, file: &str) -> Vec<Tickets> {
    let mut stores = Vec::new();
    for url in ["memory:", file, &server.url()] {
        let tickets = open(url).await;
        tickets.create(Some("t"), &[Change::say("hello")]).await.unwrap();
        stores.push(tickets);
    }
    stores
}

/// How often each kind runs on each store, and as often dry.
fn runs() -> usize {
    std::env::var(RUNS_VARIABLE).ok().map_or(3, |runs| runs.parse().expect("a number of runs"))
}

/// Runs a workflow that must not succeed, so often: those that go on until they are interrupted many at once.
async fn run_often(tickets: &Tickets, kind: &Kind, workflow: &Workflow) {
    const AT_ONCE: usize = 50;
    let name = kind.name;
    let at_once = if kind.is_endless { AT_ONCE } else { 1 };
    let mut left = runs();
    while left > 0 {
        let running: Vec<_> = (0..at_once.min(left))
            .map(|_| {
                let (tickets, workflow) = (tickets.clone(), workflow.clone());
                tokio::spawn(async move {
                    let run = tickets.run("t", &workflow, "null").await;
                    (cause(run), tickets.dry_run("t", &workflow, "null").await.is_ok())
                })
            })
            .collect();
        left -= running.len();
        for run in running {
            let (cause, dry) = run.await.unwrap();
            assert!((kind.ends)(&cause) && !dry, "{name}: {cause:?}");
        }
    }
}

/// `TICKET_HOSTILE_RUNS` says how often; it was run with 1,000.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_ends_as_it_should_and_writes_nothing() {
    let server = RedisServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("tickets.db").display());
    let stores = stores(&server, &file).await;
    let good = load(component(SAY, ""));
    for kind in kinds() {
        let workflow = hostile(kind.component.clone());
        for tickets in &stores {
            let before = tickets.get("t").await.unwrap();
            run_often(tickets, &kind, &workflow).await;
            assert_eq!(tickets.get("t").await.unwrap(), before, "{}", kind.name);
        }
    }
    for tickets in &stores {
        tickets.run("t", &good, "null").await.expect("a good one runs after them");
    }
}

/// The bound is generous: it finds a loop that is not interrupted, and does not measure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_end_in_time_and_others_run_beside_them() {
    let tickets = open("memory:").await;
    for id in ["good", "bad"] {
        tickets.create(Some(id), &[]).await.unwrap();
    }
    let (endless, good) = (hostile(component("(loop $again (br $again))", "")), load(component(SAY, "")));
    let loops: Vec<_> = (0..20)
        .map(|_| {
            let (tickets, endless) = (tickets.clone(), endless.clone());
            tokio::spawn(async move { tickets.run("bad", &endless, "null").await })
        })
        .collect();
    let begun = Instant::now();
    for _ in 0..10 {
        tickets.run("good", &good, "null").await.unwrap();
    }
    for run in loops {
        assert!(over_time(&cause(run.await.unwrap())));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(tickets.get("good").await.unwrap().message_count(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_given_up_writes_nothing() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    let workflow = load(component(&format!("{SAY} (loop $again (br $again))"), ""));
    let run = tokio::time::timeout(Duration::from_millis(50), tickets.run("t", &workflow, "null")).await;
    assert!(run.is_err(), "{run:?}");
    assert_eq!(tickets.get("t").await.unwrap().message_count(), 0);
}
