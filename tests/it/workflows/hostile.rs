//! Hostile workflows: each ends as it should, and writes nothing, on every store.

use std::time::{Duration, Instant};

use ticket_host::workflow::{Cause, Grants, RunLimits, Workflow};
use ticket_host::{Change, Tickets};
use ticket_tests::RedisServer;

use super::modules::{answering, component, with_memory};
use super::{cause, load, open};

/// How a run of a hostile workflow ends.
type Ends = fn(&Cause) -> bool;

/// A kind of hostile workflow.
struct Kind {
    name: &'static str,
    component: Vec<u8>,
    ends: Ends,
}

const SAY: &str = "(call $say (i32.const 32) (i32.const 6) (i32.const 512))";
const FACTS: &str = "(call $facts (i32.const 512))";

fn kind(name: &'static str, component: Vec<u8>, ends: Ends) -> Kind {
    Kind { name, component, ends }
}

fn over_time(cause: &Cause) -> bool {
    matches!(cause, Cause::OverTime { .. })
}

fn over_memory(cause: &Cause) -> bool {
    matches!(cause, Cause::OverMemory { .. })
}

fn trapped(cause: &Cause) -> bool {
    matches!(cause, Cause::Trapped(_))
}

fn bad_output(cause: &Cause) -> bool {
    matches!(cause, Cause::Output(_))
}

fn kinds() -> Vec<Kind> {
    [without_end(), too_much(), answers()].into_iter().flatten().collect()
}

/// Those that go on until they are interrupted.
fn without_end() -> Vec<Kind> {
    let forever = "(loop $again (br $again))";
    let recursion = "(func $deeper (param i64) (result i64)
        (i64.add (i64.const 1) (call $deeper (i64.add (local.get 0) (i64.const 1)))))";
    let many = format!("(loop $again {SAY} (br $again))");
    vec![
        kind("a loop without end", component(forever, ""), over_time),
        kind(
            "a loop in a start function",
            component("", &format!("(func $begin {forever}) (start $begin)")),
            over_time,
        ),
        kind("a loop of calls of the host", component(&format!("(loop $again {FACTS} (br $again))"), ""), |error| {
            over_time(error) || over_memory(error) || trapped(error)
        }),
        kind("changes without end", component(&many, ""), over_time),
        kind("deep recursion", component("(drop (call $deeper (i64.const 0)))", recursion), trapped),
    ]
}

/// Those that ask for too much, or go wrong in the middle.
fn too_much() -> Vec<Kind> {
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let table = "(loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 4096)) (i32.const -1)))) unreachable";
    let huge = "(call $say (i32.const 0) (i32.const 0x7ffffff0) (i32.const 512))";
    let large = "(memory.fill (i32.const 16384) (i32.const 32) (i32.const 1200000)) (call $say (i32.const 16384) (i32.const 1200000) (i32.const 512))";
    vec![
        kind("memory without end", component(grow, ""), over_memory),
        kind("a table without end", component(table, "(table $t 1 funcref)"), over_memory),
        kind("too much memory to begin with", with_memory(512), over_memory),
        kind("a trap in the middle of changes", component(&format!("{SAY} {SAY} unreachable"), ""), trapped),
        kind("a text out of its memory", component(huge, ""), trapped),
        kind(
            "a text that is too long",
            component(
                large,
                "(data (i32.const 0) \"\") (func $more (drop (memory.grow (i32.const 24)))) (start $more)",
            ),
            trapped,
        ),
        kind(
            "a text that is not UTF-8",
            component("(call $say (i32.const 112) (i32.const 2) (i32.const 512))", ""),
            trapped,
        ),
        kind(
            "a division by zero",
            component(&format!("{SAY} (drop (i32.div_u (i32.const 1) (i32.const 0)))"), ""),
            trapped,
        ),
    ]
}

/// Those that answer what they must not.
fn answers() -> Vec<Kind> {
    vec![
        kind(
            "output that is not JSON",
            answering(SAY, "(call $reply (i32.const 64) (i32.const 8) (i32.const 0))", ""),
            bad_output,
        ),
        kind(
            "output that is not JSON, and closes",
            answering(SAY, "(call $reply (i32.const 64) (i32.const 8) (i32.const 1))", ""),
            bad_output,
        ),
        kind(
            "output out of its memory",
            answering(SAY, "(call $reply (i32.const 64) (i32.const 0x7ffffff0) (i32.const 0))", ""),
            trapped,
        ),
        kind(
            "output that is too long",
            answering(
                SAY,
                "(call $reply (i32.const 300) (i32.const 65000) (i32.const 0)) (memory.fill (i32.const 300) (i32.const 49) (i32.const 65000)) (drop (memory.grow (i32.const 2))) (i32.store (i32.const 264) (i32.const 70000))",
                "",
            ),
            |error| bad_output(error) || trapped(error),
        ),
        kind(
            "an answer of no kind",
            answering(SAY, "(i32.store8 (i32.const 256) (i32.const 9)) (i32.const 256)", ""),
            trapped,
        ),
        kind("an answer that is not aligned", answering(SAY, "(i32.const 257)", ""), trapped),
        kind(
            "a failure after changes",
            answering(SAY, "(call $fail (i32.const 96) (i32.const 9))", ""),
            |error| matches!(error, Cause::Failed { code, text, try_again: true } if code == "code" && text == "\x1b[31mred\x07"),
        ),
    ]
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_ends_as_it_should_and_writes_nothing() {
    const REPEATS: usize = 3;
    let server = RedisServer::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("tickets.db").display());
    let stores = stores(&server, &file).await;
    let good = load(component(SAY, ""));
    for Kind { name, component, ends } in kinds() {
        let workflow = hostile(component);
        for tickets in &stores {
            let before = tickets.get("t").await.unwrap();
            for _ in 0..REPEATS {
                let cause = cause(tickets.run("t", &workflow, "null").await);
                assert!(ends(&cause), "{name}: {cause:?}");
                tickets.dry_run("t", &workflow, "null").await.expect_err(name);
            }
            assert_eq!(tickets.get("t").await.unwrap(), before, "{name}");
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
