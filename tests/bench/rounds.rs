//! Rounds: contenders run alternately, so that other load on the machine affects all of them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::contenders::Contender;
use crate::cpu::{Cpu, Meter};

/// Rounds of one comparison; the median counts, the others give the spread.
pub(crate) const ROUNDS: usize = 11;
/// Fewest interactions with one ticket, before a new ticket with the required history replaces it.
const PER_TICKET: usize = 5;

/// How much is done in one turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Callers at once, each with tickets of its own.
    pub(crate) callers: usize,
    /// Interactions of each.
    pub(crate) interactions: usize,
    /// Messages of a new ticket.
    pub(crate) history: usize,
}

impl Load {
    /// The interactions of all callers.
    fn in_all(&self) -> f64 {
        (self.callers * self.interactions) as f64
    }
}

/// How two loads compare, or one with itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) middle: f64,
    least: f64,
    most: f64,
    /// Seconds of one interaction under each of two loads.
    each: Option<[f64; 2]>,
}

impl Ratio {
    pub(crate) fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        Self { middle: middle(&ratios), least: ratios[0], most: ratios[ratios.len() - 1], each: None }
    }

    /// How many times as much is done in the same time: the inverse ratio.
    pub(crate) fn turned(self) -> Self {
        Self {
            middle: 1.0 / self.middle,
            least: 1.0 / self.most,
            most: 1.0 / self.least,
            each: self.each.map(|[one, other]| [other, one]),
        }
    }
}

/// The median of sorted values.
fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.middle, self.least, self.most)?;
        let Some(each) = self.each else { return Ok(()) };
        let [one, other] = each.map(|seconds| seconds * 1e6);
        write!(f, ", {one:.1} µs ÷ {other:.1} µs")
    }
}

/// One turn: how long all of it took, each interaction, and the processor.
struct Turn {
    took: Duration,
    each: Vec<Duration>,
    cpu: Option<Cpu>,
}

/// What one interaction takes of time and of processors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    pub(crate) server_s: f64,
    /// Processor seconds of this process; `None` for a contender in another process.
    pub(crate) host_s: Option<f64>,
}

/// The time of `one` by the time of `other`, for the same load.
pub(crate) async fn compare(one: &Arc<dyn Contender>, other: &Arc<dyn Contender>, load: Load) -> Ratio {
    between((one, load), (other, load)).await
}

/// The time of one load by that of another, each for one interaction.
pub(crate) async fn between(one: (&Arc<dyn Contender>, Load), other: (&Arc<dyn Contender>, Load)) -> Ratio {
    let (mut ratios, mut each) = (Vec::new(), [Vec::new(), Vec::new()]);
    for round in 0..=ROUNDS {
        let (first, second) = if round % 2 == 0 { (one, other) } else { (other, one) };
        let mut seconds = [seconds(first.0, first.1).await, seconds(second.0, second.1).await];
        if round % 2 == 1 {
            seconds.reverse();
        }
        // The first round warms up.
        if round > 0 {
            ratios.push(seconds[0] / seconds[1]);
            each[0].push(seconds[0]);
            each[1].push(seconds[1]);
        }
    }
    let each = each.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        middle(&seconds)
    });
    Ratio { each: Some(each), ..Ratio::of(ratios) }
}

/// The 99th percentile of the latency by its median.
pub(crate) async fn tail(contender: &Arc<dyn Contender>, load: Load) -> Ratio {
    let mut ratios = Vec::new();
    for round in 0..=ROUNDS {
        let mut each = turn(contender, load, None).await.each;
        each.sort();
        if round > 0 {
            ratios.push(each[each.len() * 99 / 100].as_secs_f64() / each[each.len() / 2].as_secs_f64());
        }
    }
    Ratio::of(ratios)
}

/// Seconds of one interaction; the middle of some turns.
pub(crate) async fn cost(contender: &Arc<dyn Contender>, load: Load) -> f64 {
    let mut costs = Vec::new();
    for _ in 0..ROUNDS / 3 {
        costs.push(seconds(contender, load).await);
    }
    Ratio::of(costs).middle
}

/// Seconds that one interaction took of a turn.
async fn seconds(contender: &Arc<dyn Contender>, load: Load) -> f64 {
    let took = match contender.run_apart(load).await {
        Some(apart) => apart.seconds,
        None => turn(contender, load, None).await.took.as_secs_f64(),
    };
    took / load.in_all()
}

/// What one interaction took of a turn.
pub(crate) async fn spent(contender: &Arc<dyn Contender>, load: Load, meter: &Meter) -> Spent {
    let (seconds, server_s, host_s) = match contender.run_apart(load).await {
        Some(apart) => (apart.seconds, apart.server_cpu_s, None),
        None => {
            let turn = turn(contender, load, Some(meter)).await;
            let cpu = turn.cpu.expect("the meter was read");
            (turn.took.as_secs_f64(), cpu.server_s, Some(cpu.host_s))
        }
    };
    let all = load.in_all();
    Spent { seconds: seconds / all, server_s: server_s / all, host_s: host_s.map(|host_s| host_s / all) }
}

/// What one interaction takes, in each round after the first.
pub(crate) async fn spent_each(contender: &Arc<dyn Contender>, load: Load, meter: &Meter) -> Vec<Spent> {
    let mut each = Vec::new();
    for round in 0..=ROUNDS {
        let spent = spent(contender, load, meter).await;
        if round > 0 {
            each.push(spent);
        }
    }
    each
}

async fn turn(contender: &Arc<dyn Contender>, load: Load, meter: Option<&Meter>) -> Turn {
    let per_ticket = PER_TICKET.max(load.history / 10);
    let begin = Arc::new(Barrier::new(load.callers + 1));
    let mut callers = JoinSet::new();
    for _ in 0..load.callers {
        let tickets = load.interactions.div_ceil(per_ticket);
        let ids: Vec<String> = (0..tickets).map(|_| format!("b{:016x}", fastrand::u64(..))).collect();
        contender.prepare(&ids, load.history).await;
        let (contender, begin) = (Arc::clone(contender), Arc::clone(&begin));
        callers.spawn(async move {
            begin.wait().await;
            let first = Instant::now();
            let mut each = Vec::with_capacity(load.interactions);
            for number in 0..load.interactions {
                let begun = Instant::now();
                contender.interact(&ids[number / per_ticket], number).await;
                each.push(begun.elapsed());
            }
            (first, Instant::now(), each)
        });
    }
    let used = match meter {
        Some(meter) => Some((meter, meter.read().await)),
        None => None,
    };
    begin.wait().await;
    let callers = callers.join_all().await;
    let cpu = match &used {
        Some((meter, before)) => Some(meter.since(before).await),
        None => None,
    };
    // Measured by the callers, because the task that waits for them may wake late.
    let first = callers.iter().map(|(first, _, _)| *first).min().expect("a caller");
    let last = callers.iter().map(|(_, last, _)| *last).max().expect("a caller");
    Turn { took: last - first, each: callers.into_iter().flat_map(|(_, _, each)| each).collect(), cpu }
}
