//! Random schedules: two hosts, several tickets, many agents, and any of the real faults at any time. Everything that
//! was acknowledged is in its ticket in the end, once, or in a conflict copy of one of the hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fastrand::Rng;
use ticket_tests::seed::{rng, seed};
use tokio::task::JoinSet;

use super::scene;
use agents::{Agents, Kind};
use faults::{Fault, TestBackend};

mod agents;
mod faults;
mod soak;
mod verdict;

/// Schedules unless `TICKET_FAULT_SCHEDULES` says how many.
const SCHEDULES: u64 = 60;
/// Operations of one schedule at least: sixty make a hundred thousand.
const OPERATIONS: u64 = 1_700;
/// Schedules at once: they wait for their servers more than they work.
const AT_ONCE: usize = 4;
/// How long a fault lasts at most while no call succeeds.
const FAULT_TIME_MAX: Duration = Duration::from_millis(700);
/// Operations from one fault to the next.
const PAUSE_OPERATIONS_MAX: u64 = 60;
/// Operations in a fault.
const FAULT_OPERATIONS_MAX: u64 = 100;

/// How long an agent rests now and then.
const REST_MAX: Duration = Duration::from_millis(2);

/// What came of one schedule.
#[derive(Debug, Default)]
struct Tally {
    operations: u64,
    acknowledged: u64,
    in_copies: u64,
    branches: BTreeMap<String, u64>,
    refused: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.acknowledged += other.acknowledged;
        self.in_copies += other.in_copies;
        for (why, count) in other.branches {
            *self.branches.entry(why).or_default() += count;
        }
        for (name, count) in other.refused {
            *self.refused.entry(name).or_default() += count;
        }
        for (name, count) in other.faults {
            *self.faults.entry(name).or_default() += count;
        }
    }
}

fn schedules() -> u64 {
    std::env::var("TICKET_FAULT_SCHEDULES")
        .map_or(SCHEDULES, |text| text.parse().expect("TICKET_FAULT_SCHEDULES is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn nothing_acknowledged_is_lost_whatever_fails_when() {
    let (count, begun) = (schedules(), Instant::now());
    println!("TICKET_SEED={} TICKET_FAULT_SCHEDULES={count}", seed());
    let mut running = JoinSet::new();
    let mut total = Tally::default();
    for number in 0..count {
        if running.len() == AT_ONCE {
            // The first that fails ends the test, and the others with it.
            total.add(running.join_next().await.expect("schedules").unwrap());
        }
        running.spawn(schedule(number));
    }
    while let Some(tally) = running.join_next().await {
        total.add(tally.unwrap());
    }
    println!("{count} schedules in {:?}: {total:?}", begun.elapsed());
    assert!(total.operations >= count * OPERATIONS);
    // Behind a fallback nearly everything succeeds: what does not is a lost race or a ticket not yet written back.
    let refused: u64 = total.refused.values().sum();
    assert!(refused * 10 <= total.operations, "{total:?}");
}

async fn schedule(number: u64) -> Tally {
    let mut rng = rng(&format!("fault schedule {number}"));
    let (backend, hosts) = TestBackend::begin(scene::TTL_MS).await;
    if rng.u8(..4) == 0 {
        // Until a restart every write is a script.
        backend.server.operate(&["ACL", "SETUSER", "default", "-@transaction"]).await;
    }
    let agents = Agents::begin(backend, hosts, "t", REST_MAX, &mut rng).await;
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    while agents.operations() < OPERATIONS {
        agents.pass(rng.u64(1..=PAUSE_OPERATIONS_MAX), FAULT_TIME_MAX).await;
        for fault in some_faults(&mut rng) {
            *faults.entry(fault.name()).or_default() += 1;
            fault.begin(&agents.backend).await;
            if rng.bool() {
                agents.pass(rng.u64(1..=FAULT_OPERATIONS_MAX), FAULT_TIME_MAX).await;
            }
        }
        agents.pass(rng.u64(1..=FAULT_OPERATIONS_MAX), FAULT_TIME_MAX).await;
        faults::mend(&agents.backend, &mut rng).await;
    }
    let done = agents.end().await;
    let of = format!("schedule {number} of TICKET_SEED={} with {faults:?}", seed());
    let tally = verdict::check(&of, done).await;
    Tally { faults, ..tally }
}

/// One fault, now and then two at once.
fn some_faults(rng: &mut Rng) -> Vec<Fault> {
    let count = if rng.u8(..4) == 0 { 2 } else { 1 };
    (0..count).map(|_| Fault::any(rng)).collect()
}

/// What was said or learnt, by ticket.
type Told = BTreeMap<(String, Kind), BTreeSet<String>>;
