//! How fast an interaction is: the contenders run alternately in one process; ratios are compared, not times.
//!
//! One interaction says a message of 60 bytes and sets a decision of 200. `tests/bench.sh` runs this; it prints one row for
//! each goal, the table of contenders, the grid of all sizes, and draws a chart. A word (`memory`, `workflows`, `hostile`, `redis`,
//! `contenders`, `show`, `grid`) selects one part.

use std::path::Path;
use std::sync::Arc;

use ticket_tests::RedisServer;
use tokio::runtime::Builder;

use goals::{Goal, Row};

mod chart;
mod contenders;
mod cpu;
mod goals;
mod grid;
mod guarantees;
mod hostile;
mod processes;
mod rounds;
mod rows;
mod workflows;

/// Where the chart is drawn.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench/interaction.svg");

fn main() {
    // As many workers as the machine of the goals has cores; Redis takes its share of the same ones.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let rows = runtime.block_on(async { tokio::spawn(run()).await.expect("the benchmark runs to its end") });
    if !rows.is_empty() {
        println!("\n{}", goals::table(&rows));
    }
}

async fn run() -> Vec<Row> {
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| word.as_deref().is_none_or(|word| word == part);
    let server = tokio::task::block_in_place(|| Arc::new(RedisServer::start(&[])));
    let mut rows = Vec::new();
    if wanted("memory") {
        rows.extend(rows::in_memory().await);
    }
    if wanted("workflows") {
        rows.extend(workflows::rows().await);
    }
    if wanted("hostile") {
        rows.extend(hostile::rows().await);
    }
    if wanted("redis") {
        rows.extend(rows::on_redis(&server).await);
    }
    if wanted("contenders") {
        guarantees::print(&server).await;
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
