//! Simulated outages: the real fallback, supervisor and redis-rs over streams in memory, with paused time and faults
//! by a seed.
//!
//! `TICKET_SCHEDULES` says how many, `TICKET_SEED` where they begin: schedule N of a run has the seed plus N, and a
//! failure names the command that plays it again. Without a seed it is the same schedules every time, so that a change
//! of the code is what makes a difference; a long run takes a seed of its own. `TICKET_LOG` tells what happened, for example `debug`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use weak::Weakness;
use world::{Report, run};

mod agent;
mod check;
mod journal;
mod nemesis;
mod weak;
mod world;

/// Schedules of a usual run; a release is preceded by a million.
const SCHEDULES: u64 = 20_000;
/// Where schedules begin that were given no seed.
const FIRST_SEED: u64 = 1;
/// Schedules from which on every kind of fault must have happened.
const SCHEDULES_FOR_ALL: u64 = 2_000;
/// A weakened variant must be caught within so many.
const SCHEDULES_WEAK: u64 = 1_000;
/// Calls of which at most one may end without an agent's knowing whether its change was made.
const CALLS_PER_UNCERTAIN: u64 = 100_000;
const THREADS: u64 = 2;
/// What must have happened in a usual run.
const KINDS: [&str; 29] = [
    "refuse",
    "reset",
    "cut_after",
    "half_close",
    "stall_before",
    "stall_after",
    "drip",
    "truncate",
    "garbage",
    "loading",
    "readonly",
    "oom",
    "misconf",
    "noauth",
    "noscript",
    "zombie",
    "kill",
    "freeze",
    "restart empty",
    "restart stale",
    "failover",
    "flush",
    "expire",
    "host crash",
    "server clock step",
    "host clock step",
    "cancelled caller",
    "password",
    "foreign edit",
];

fn schedules() -> u64 {
    std::env::var("TICKET_SCHEDULES").map_or(SCHEDULES, |text| text.parse().expect("a number of schedules"))
}

/// Where schedules begin.
fn first_seed() -> u64 {
    std::env::var("TICKET_SEED").map_or(FIRST_SEED, |text| text.parse().expect("TICKET_SEED is a number"))
}

/// Tells what happens, by the time of the schedule.
fn start_log() {
    if let Ok(filter) = std::env::var("TICKET_LOG") {
        let filter = tracing_subscriber::EnvFilter::new(filter);
        // Another test may have been first.
        let _ =
            tracing_subscriber::fmt().with_env_filter(filter).with_timer(world::Elapsed).with_ansi(false).try_init();
    }
}

/// Runs schedules until one fails or all are done; the sums, or why one failed.
fn run_scenario(first: u64, count: u64, weakness: Option<Weakness>) -> Result<Report, String> {
    let next = Arc::new(AtomicU64::new(0));
    let total = Arc::new(Mutex::new(Report::default()));
    let failed = Arc::new(Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while failed.lock().expect("lock").is_none() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let seed = first.wrapping_add(number);
                    match run(seed, weakness) {
                        Ok(report) => total.lock().expect("lock").add(report),
                        Err(why) => *failed.lock().expect("lock") = Some((seed, why)),
                    }
                }
            });
        }
    });
    let failed = failed.lock().expect("lock").take();
    let total = std::mem::take(&mut *total.lock().expect("lock"));
    match failed {
        None => Ok(total),
        Some((seed, why)) => Err(format!(
            "{why}\nplay it again: TICKET_SCHEDULES=1 TICKET_SEED={seed} cargo test --release -p ticket-tests --test it \
             simulation::outages"
        )),
    }
}

#[test]
fn outages_lose_nothing_double_nothing_and_end() {
    start_log();
    let (first, count) = (first_seed(), schedules());
    let report = run_scenario(first, count, None).unwrap_or_else(|why| panic!("{why}"));
    let text = format!("{count} schedules from TICKET_SEED={first}: {report}\n");
    std::io::stdout().write_all(text.as_bytes()).expect("stdout");
    let uncertain = report.happened.get(journal::UNCERTAIN).copied().unwrap_or(0);
    assert!(uncertain <= 1 + report.calls / CALLS_PER_UNCERTAIN, "{uncertain} uncertain answers");
    let never: Vec<&&str> = KINDS.iter().filter(|kind| !report.happened.contains_key(**kind)).collect();
    assert!(count < SCHEDULES_FOR_ALL || never.is_empty(), "faults that never happened: {never:?}");
}

#[test]
fn the_same_seed_is_the_same_schedule() {
    let first = first_seed();
    for seed in (0..10).map(|number| first.wrapping_add(number)) {
        let reports = [run(seed, None), run(seed, None)].map(|report| report.map(|report| report.happened));
        assert_eq!(reports[0], reports[1], "TICKET_SEED={seed}");
    }
}

/// The check can fail: it detects each known way to do it wrong.
#[test]
fn every_weakened_variant_is_caught() {
    let first = first_seed();
    let mut caught = BTreeMap::new();
    for weakness in Weakness::ALL {
        match run_scenario(first, SCHEDULES_WEAK, Some(weakness)) {
            Ok(_) => panic!("{weakness:?} is not caught in {SCHEDULES_WEAK} schedules from TICKET_SEED={first}"),
            Err(why) => drop(caught.insert(format!("{weakness:?}"), why.lines().next().unwrap_or_default().to_owned())),
        }
    }
    std::io::stdout().write_all(format!("caught: {caught:#?}\n").as_bytes()).expect("stdout");
}
