//! How fast an interaction is: the contenders run alternately in one process; ratios are compared, not times.
//!
//! One interaction says a message of 60 bytes and sets a decision of 200. `tests/bench.sh` runs this; it prints one row for
//! each goal, the grid of all sizes, and draws a chart. A word (`memory`, `redis`, `show`, `grid`) selects one part.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ticket_tests::RedisServer;
use tokio::runtime::Builder;

use contenders::{Bare, ByHand, Component, Contender, Native, Python};
use goals::{Goal, Row};
use rounds::{Load, Ratio, between, compare};

mod chart;
mod contenders;
mod goals;
mod grid;
mod processes;
mod rounds;

/// Where the chart is drawn.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench/interaction.svg");
/// Calls of a turn that measures a fresh instance.
const CALLS: u32 = 2_000;

fn main() {
    // As many workers as the machine of the goals has cores; Redis takes its share of the same ones.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let rows = runtime.block_on(async { tokio::spawn(run()).await.expect("the benchmark runs to its end") });
    println!("\n{}", goals::table(&rows));
}

async fn run() -> Vec<Row> {
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| word.as_deref().is_none_or(|word| word == part);
    let server = tokio::task::block_in_place(|| RedisServer::start(&[]));
    let mut rows = Vec::new();
    if wanted("memory") {
        rows.extend(in_memory().await);
    }
    if wanted("redis") {
        rows.extend(on_redis(&server).await);
    }
    if wanted("show") {
        let show = tokio::task::block_in_place(processes::show_ms);
        rows.push(Row::new("`ticket show`, whole process, warm, in ms", show, Goal::AtMost(15.0)));
    }
    if wanted("grid") {
        grid::in_memory().await;
        grid::on_sqlite().await;
        let alone_us = grid::on_redis(&server).await.alone_us;
        let shown = |name: &str| !name.contains("EVALSHA") && !name.contains("asking");
        let bars: Vec<_> = alone_us.into_iter().filter(|(name, _)| shown(name)).collect();
        chart::draw(Path::new(CHART), &grid::HISTORIES, &bars).expect("the chart is drawn");
        println!("\nchart: target/bench/interaction.svg");
    }
    rows
}

async fn in_memory() -> Vec<Row> {
    let component: Arc<dyn Contender> = Arc::new(Component::in_memory().await);
    let idle = processes::idle_bytes(&*component).await;
    let mut rows = vec![Row::new("memory, 1 KB: bytes of an idle ticket ÷ its six fields", idle, Goal::AtMost(1.5))];
    let (native, python): (Arc<dyn Contender>, Arc<dyn Contender>) =
        (Arc::new(Native::in_memory()), Arc::new(Python::in_memory()));
    let load = |history| Load { callers: 1, interactions: 5_000, history };
    let over_native = compare(&component, &native, load(10)).await;
    rows.push(Row::new("memory, history 10: component ÷ same engine native, time", over_native, Goal::AtMost(3.0)));
    for (name, history, goal) in [
        ("memory, history 10: component ÷ Python dict with deepcopy, time", 10, 0.3),
        ("memory, history 1,000: component ÷ Python dict with deepcopy, time", 1_000, 0.1),
    ] {
        rows.push(Row::new(name, compare(&component, &python, load(history)).await, Goal::AtMost(goal)));
    }
    let growth = between((&component, load(1_000)), (&component, load(10))).await;
    rows.push(Row::new("memory: component, history 1,000 ÷ history 10, time", growth, Goal::AtMost(6.0)));
    let fresh = fresh_us(&Component::in_memory_fresh().await).await;
    rows.push(Row::new("fresh instance: instantiate + call + drop, in µs", fresh, Goal::AtMost(10.0)));
    rows
}

/// Microseconds of a call that does almost nothing, in a fresh instance.
async fn fresh_us(component: &Component) -> Ratio {
    let mut us = Vec::new();
    for _ in 0..rounds::ROUNDS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            component.call().await;
        }
        us.push(begun.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS));
    }
    Ratio::of(us)
}

async fn on_redis(server: &RedisServer) -> Vec<Row> {
    let component: Arc<dyn Contender> = Arc::new(Component::on_redis(server).await);
    let by_hand: Arc<dyn Contender> = Arc::new(ByHand::on_redis(server).await);
    let evalsha: Arc<dyn Contender> = Arc::new(Bare::evalsha(server).await);
    let python: Arc<dyn Contender> = Arc::new(Python::on_redis(server));
    let one = Load { callers: 1, interactions: 1_000, history: 10 };
    let many = |history| Load { callers: 64, interactions: 100, history };
    let mut rows = Vec::new();
    let ratio = compare(&component, &by_hand, one).await;
    rows.push(Row::new("redis, 1 caller, history 10: component ÷ by hand, time", ratio, Goal::AtMost(0.65)));
    let ratio = compare(&component, &evalsha, one).await;
    rows.push(Row::new("redis, 1 caller: component ÷ empty EVALSHA, time", ratio, Goal::AtMost(1.25)));
    let ratio = compare(&component, &by_hand, many(10)).await.turned();
    rows.push(Row::new("redis, 64 callers, history 10: component ÷ by hand, throughput", ratio, Goal::AtLeast(1.1)));
    let ratio = compare(&component, &by_hand, many(1_000)).await.turned();
    rows.push(Row::new("redis, 64 callers, history 1,000: component ÷ by hand, throughput", ratio, Goal::AtLeast(0.9)));
    let ratio = compare(&component, &python, one).await.turned();
    rows.push(Row::new("redis, 1 caller: component ÷ redis-py with hiredis, throughput", ratio, Goal::AtLeast(3.0)));
    let ratio = rounds::tail(&component, Load { callers: 512, interactions: 40, history: 10 }).await;
    rows.push(Row::new("redis, 512 callers: p99 ÷ median of the latency", ratio, Goal::AtMost(4.0)));
    rows
}
