//! The cost of whole processes: memory of many tickets, and time of one command.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ticket_tests::memory_usage::resident_bytes;
use ticket_tests::program::User;

use crate::contenders::{Contender, fields};
use crate::rounds::Ratio;

const RUNS: usize = 21;
/// Tickets whose memory is measured: so many that the rest of the process does not count.
const TICKETS: usize = 100_000;
/// Messages that make a ticket of 1 KB.
const HISTORY: usize = 12;

/// Milliseconds of `ticket show` from start to end, warm.
pub(crate) fn show_ms() -> Ratio {
    let user = User::new();
    user.json(&["new", "--id", "t"]);
    let run = || {
        let begun = Instant::now();
        let status = user.command(&["show", "t"]).stdout(Stdio::null()).status().expect("the program runs");
        assert!(status.success());
        begun.elapsed()
    };
    run();
    let times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    Ratio::of(times.iter().map(|time| time.as_secs_f64() * 1_000.0).collect())
}

/// Bytes that an idle ticket takes, by the bytes of its six fields. Measured first, while the process has no free memory.
pub(crate) async fn idle_bytes(contender: &dyn Contender) -> Ratio {
    let ids: Vec<String> = (0..TICKETS).map(|number| format!("idle-{number}")).collect();
    let before = resident_bytes();
    contender.prepare(&ids, HISTORY).await;
    let taken = (resident_bytes() - before) as f64;
    let fields: usize = fields(HISTORY).iter().map(|(name, text)| name.len() + text.len()).sum();
    Ratio::of(vec![taken / TICKETS as f64 / fields as f64])
}
