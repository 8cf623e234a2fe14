//! A long time of one random fault after another, with the same two hosts all along: nothing is lost, and memory and
//! descriptors stay as they are. `TICKET_SOAK_S=7200 cargo test --release --workspace --test it soak -- --nocapture` is
//! two hours of a fault every five seconds; a usual run is short, and other tests take memory meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ticket_host::Tickets;
use ticket_tests::memory_usage::resident_bytes;
use ticket_tests::seed::{rng, seed};

use super::agents::Agents;
use super::faults::{self, Fault, TestBackend};
use super::{Tally, verdict};

/// How long tickets live: they grow, and are looked at and closed in the end.
const SHIFT_FAULTS: u32 = 4;
/// How long an agent rests now and then: an agent has other things to do.
const REST_MAX: Duration = Duration::from_millis(200);
/// How long tickets live, in milliseconds: copies that no call uses are dropped after, and memory is at its height soon.
const TTL_MS: u64 = 60_000;
/// Shifts before the first look at memory: the allocator and the last known copies fill up.
const SHIFTS_BEFORE_MEASURE: usize = 8;
/// Growth that counts as none, from the first look to the last.
const GROWTH_BYTES_MAX: u64 = 24 * 1024 * 1024;

/// How long to go on, and the time from one fault to the next; the first only where it was asked for.
fn times() -> (Option<Duration>, Duration) {
    match std::env::var("TICKET_SOAK_S") {
        Ok(text) => {
            let seconds = text.parse().expect("TICKET_SOAK_S is a number of seconds");
            (Some(Duration::from_secs(seconds)), Duration::from_secs(5))
        }
        Err(_) => (None, Duration::from_millis(500)),
    }
}

/// Bytes of memory and descriptors that this process has.
fn held() -> (u64, usize) {
    (resident_bytes(), std::fs::read_dir("/proc/self/fd").expect("/proc/self/fd").count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soak_in_random_faults_loses_nothing_and_grows_nothing() {
    let (long, every) = times();
    println!("TICKET_SEED={} a fault every {every:?} for {:?}", seed(), long.unwrap_or_default());
    let mut rng = rng("soak");
    let (backend, hosts) = TestBackend::begin(TTL_MS).await;
    let (begun, mut total, mut looks) = (Instant::now(), Tally::default(), Vec::new());
    for shift in 0.. {
        let prefix = format!("s{shift}");
        let agents = Agents::begin(Arc::clone(&backend), hosts.clone(), &prefix, REST_MAX, &mut rng).await;
        for _ in 0..SHIFT_FAULTS {
            let next = Instant::now() + every;
            let fault = Fault::any(&mut rng);
            *total.faults.entry(fault.name()).or_default() += 1;
            fault.begin(&backend).await;
            tokio::time::sleep(every.mul_f64(0.8 * rng.f64())).await;
            faults::mend(&backend, &mut rng).await;
            tokio::time::sleep(next.saturating_duration_since(Instant::now())).await;
        }
        let done = agents.end().await;
        let ids = Arc::clone(&done.ids);
        total.add(verdict::check(&format!("shift {shift} of TICKET_SEED={}", seed()), done).await);
        end_shift(&hosts, &ids).await;
        let (bytes, descriptors) = held();
        println!("{:.0?}: {} MiB, {descriptors} descriptors", begun.elapsed(), bytes >> 20);
        looks.push((bytes, descriptors));
        if long.is_none_or(|long| begun.elapsed() >= long) {
            break;
        }
    }
    println!("{:?}: {total:?}", begun.elapsed());
    if long.is_some() && looks.len() > SHIFTS_BEFORE_MEASURE {
        let ((first_bytes, first), (last_bytes, last)) = (looks[SHIFTS_BEFORE_MEASURE - 1], looks[looks.len() - 1]);
        assert!(last_bytes <= first_bytes + GROWTH_BYTES_MAX, "memory grew from {first_bytes} to {last_bytes} bytes");
        // A connection more or less may be on its way.
        assert!(last <= first + 4, "descriptors grew from {first} to {last}");
    }
}

/// Closes the tickets and drops what was looked at.
async fn end_shift(hosts: &[Tickets; 2], ids: &[String]) {
    for id in ids {
        hosts[0].close(id, None).await.unwrap();
    }
    for host in hosts {
        let branches = host.fallback().unwrap().branches();
        for branch in branches.list().await.unwrap() {
            branches.drop_branch(branch.number).await.unwrap();
        }
    }
}
