//! What hostile workflows cost: resident memory, the time of good ones beside them, and how late a loop ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ticket_host::workflow::{Grants, RunLimits, Workflow};
use ticket_host::{Change, Tickets};
use ticket_tests::memory_usage::resident_bytes;
use ticket_tests::workflows::hostile::{SAY, kinds};
use ticket_tests::workflows::modules::component;

use crate::goals::{Goal, Row};
use crate::rounds::{ROUNDS, Ratio};

/// Good runs of one measurement.
const GOOD: usize = 500;
/// Hostile runs of each kind.
const HOSTILE: usize = 1_000;
const TIME_MAX: Duration = Duration::from_millis(20);
const MIB: f64 = 1024.0 * 1024.0;

fn load(component: Vec<u8>, time_max: Duration) -> Workflow {
    Workflow::load(component, Grants::default(), RunLimits::default().time_max(time_max)).expect("a workflow")
}

pub(crate) async fn rows() -> Vec<Row> {
    let tickets = Tickets::builder("memory:").deadline(Duration::from_secs(20)).open().await.expect("tickets");
    for id in ["good", "bad"] {
        tickets.create(Some(id), &[Change::say("hello")]).await.expect("a ticket");
    }
    vec![late(&tickets).await, beside(&tickets).await, memory(&tickets).await]
}

/// How much longer than its limit the slowest of many endless runs took.
async fn late(tickets: &Tickets) -> Row {
    let endless: Vec<_> = kinds().into_iter().filter(|kind| kind.is_endless).map(|kind| kind.component).collect();
    let endless: Vec<_> = endless.into_iter().map(|component| load(component, TIME_MAX)).collect();
    let mut ms = Vec::new();
    for _ in 0..ROUNDS {
        let mut slowest = Duration::ZERO;
        for workflow in &endless {
            for _ in 0..5 {
                let begun = Instant::now();
                tickets.run("bad", workflow, "null").await.expect_err("endless");
                slowest = slowest.max(begun.elapsed().saturating_sub(TIME_MAX));
            }
        }
        ms.push(slowest.as_secs_f64() * 1e3);
    }
    Row::new("memory: an endless run ends after its time, in ms", Ratio::of(ms), Goal::AtMost(10.0))
}

/// The slowest but one percent of good runs.
async fn p99(tickets: &Tickets, good: &Workflow) -> Duration {
    let mut times = Vec::new();
    for _ in 0..GOOD {
        let begun = Instant::now();
        tickets.dry_run("good", good, "null").await.expect("a run");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times[GOOD * 99 / 100]
}

/// Good runs beside one stream of hostile ones, compared with good ones alone.
async fn beside(tickets: &Tickets) -> Row {
    let good = load(component(SAY, ""), Duration::from_secs(5));
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let alone = p99(tickets, &good).await;
        let goes_on = Arc::new(AtomicBool::new(true));
        let hostile = tokio::spawn(stream(tickets.clone(), Arc::clone(&goes_on)));
        let beside = p99(tickets, &good).await;
        goes_on.store(false, Ordering::Relaxed);
        hostile.await.expect("a stream");
        ratios.push(beside.as_secs_f64() / alone.as_secs_f64());
    }
    Row::new("memory: p99 of good runs beside hostile ones ÷ alone", Ratio::of(ratios), Goal::AtMost(2.0))
}

async fn stream(tickets: Tickets, goes_on: Arc<AtomicBool>) {
    let workflows: Vec<_> = kinds().into_iter().map(|kind| load(kind.component, TIME_MAX)).collect();
    while goes_on.load(Ordering::Relaxed) {
        for workflow in &workflows {
            let _ = tickets.run("bad", workflow, "null").await;
        }
    }
}

/// Resident memory at most while every kind runs often, many at once, over that before. What is there afterwards is printed,
/// and which kind took most.
async fn memory(tickets: &Tickets) -> Row {
    let workflows: Vec<_> = kinds().into_iter().map(|kind| (kind.name, load(kind.component, TIME_MAX))).collect();
    // Each once: what is made once for all runs does not count.
    for (_, workflow) in &workflows {
        let _ = tickets.run("bad", workflow, "null").await;
    }
    let (before, begun) = (resident_bytes(), Instant::now());
    let mib = |bytes: u64| (bytes as f64 - before as f64) / MIB;
    let mut most = (0.0, "");
    for (name, workflow) in &workflows {
        let peak = mib(peak(tickets, workflow).await);
        if peak > most.0 {
            most = (peak, name);
        }
    }
    println!(
        "{} runs of {} hostile kinds in {:?}: most resident memory by `{}`, afterwards {:+.1} MiB",
        HOSTILE * workflows.len(),
        workflows.len(),
        begun.elapsed(),
        most.1,
        mib(resident_bytes()),
    );
    let name = "memory: resident MiB more while hostile ones run, 8 at once";
    Row::new(name, Ratio::of(vec![most.0]), Goal::AtMost(32.0))
}

/// Most resident memory seen between runs of one workflow, many at once.
async fn peak(tickets: &Tickets, workflow: &Workflow) -> u64 {
    const AT_ONCE: usize = 8;
    let (most, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(HOSTILE)));
    let running: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (tickets, workflow) = (tickets.clone(), workflow.clone());
            let (left, most) = (Arc::clone(&left), Arc::clone(&most));
            tokio::spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let _ = tickets.run("bad", &workflow, "null").await;
                    most.fetch_max(resident_bytes(), Ordering::Relaxed);
                }
            })
        })
        .collect();
    for running in running {
        running.await.expect("runs");
    }
    most.load(Ordering::Relaxed)
}
