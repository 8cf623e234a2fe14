//! The rows with goals, in memory and on Redis.

use std::sync::Arc;
use std::time::Instant;

use ticket_tests::RedisServer;

use crate::contenders::{Bare, ByHand, CompareAndSet, Component, Contender, Native, Watch, python};
use crate::cpu::Meter;
use crate::goals::{Goal, Row};
use crate::processes;
use crate::rounds::{self, Load, Ratio, between, compare, spent_each};

/// Calls of a turn that measures a fresh instance.
const CALLS: u32 = 2_000;

pub(crate) async fn in_memory() -> Vec<Row> {
    let component: Arc<dyn Contender> = Arc::new(Component::in_memory().await);
    let idle = processes::idle_bytes(&*component).await;
    let mut rows = vec![Row::new("memory, 1 KB: bytes of an idle ticket ÷ its six fields", idle, Goal::AtMost(1.5))];
    let (native, dict): (Arc<dyn Contender>, Arc<dyn Contender>) =
        (Arc::new(Native::in_memory()), Arc::new(python::dict()));
    let load = |history| Load { callers: 1, interactions: 5_000, history };
    let over_native = compare(&component, &native, load(10)).await;
    rows.push(Row::new("memory, history 10: component ÷ same engine native, time", over_native, Goal::AtMost(3.0)));
    for (name, history, goal) in [
        ("memory, history 10: component ÷ Python dict with deepcopy, time", 10, 0.35),
        ("memory, history 1,000: component ÷ Python dict with deepcopy, time", 1_000, 0.1),
    ] {
        rows.push(Row::new(name, compare(&component, &dict, load(history)).await, Goal::AtMost(goal)));
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

/// The load of many callers.
fn many(history: usize) -> Load {
    Load { callers: 64, interactions: 100, history }
}

pub(crate) async fn on_redis(server: &Arc<RedisServer>) -> Vec<Row> {
    let component: Arc<dyn Contender> = Arc::new(Component::on_redis(server).await);
    let by_hand: Arc<dyn Contender> = Arc::new(ByHand::on_redis(server).await);
    let bare: Arc<dyn Contender> = Arc::new(Bare::in_place(server).await);
    let redis_py: Arc<dyn Contender> = Arc::new(python::redis_py(server));
    let one = Load { callers: 1, interactions: 1_000, history: 10 };
    let mut rows = processors(&component, server).await;
    let ratio = compare(&component, &by_hand, many(10)).await.turned();
    rows.push(Row::new("redis, 64 callers, history 10: component ÷ by hand, throughput", ratio, Goal::AtLeast(1.0)));
    let ratio = compare(&component, &by_hand, many(1_000)).await.turned();
    rows.push(Row::new("redis, 64 callers, history 1,000: component ÷ by hand, throughput", ratio, Goal::AtLeast(2.0)));
    rows.push(over_careful(&component, server).await);
    let ratio = compare(&component, &by_hand, one).await;
    rows.push(Row::new("redis, 1 caller, history 10: component ÷ by hand, time", ratio, Goal::AtMost(0.65)));
    let ratio = compare(&component, &bare, one).await;
    let name = "redis, 1 caller, history 10: component ÷ bare round trip of the same commands, time";
    rows.push(Row::new(name, ratio, Goal::AtMost(1.25)));
    let ratio = compare(&component, &redis_py, one).await.turned();
    rows.push(Row::new("redis, 1 caller: component ÷ redis-py with hiredis, throughput", ratio, Goal::AtLeast(3.0)));
    let ratio = rounds::tail(&component, Load { callers: 512, interactions: 40, history: 10 }).await;
    rows.push(Row::new("redis, 512 callers: p99 ÷ median of the latency", ratio, Goal::AtMost(4.0)));
    rows
}

/// What an interaction takes of the server's processor, and of both.
async fn processors(component: &Arc<dyn Contender>, server: &RedisServer) -> Vec<Row> {
    let meter = Meter::of(server).await;
    let mut rows = Vec::new();
    for (name, history, goal) in [
        ("redis, 64 callers, history 10: server CPU of an interaction, in µs", 10, 8.0),
        ("redis, 64 callers, history 100: server CPU of an interaction, in µs", 100, 11.0),
        ("redis, 64 callers, history 1,000: server CPU of an interaction, in µs", 1_000, 18.0),
    ] {
        let each = spent_each(component, many(history), &meter).await;
        let server_us = Ratio::of(each.iter().map(|spent| spent.server_s * 1e6).collect());
        rows.push(Row::new(name, server_us, Goal::AtMost(goal)));
        if history == 10 {
            let both = each.iter().map(|spent| (spent.server_s + spent.host_s.expect("of this process")) * 1e6);
            let name = "redis, 64 callers, history 10: CPU of an interaction, host + server, in µs";
            rows.push(Row::new(name, Ratio::of(both.collect()), Goal::AtMost(17.0)));
        }
    }
    rows
}

/// Against the faster of two ways by hand that lose no update.
async fn over_careful(component: &Arc<dyn Contender>, server: &Arc<RedisServer>) -> Row {
    let watch: Arc<dyn Contender> = Arc::new(Watch::on_redis(server).await);
    let script: Arc<dyn Contender> = Arc::new(CompareAndSet::on_redis(server).await);
    let over_watch = compare(component, &watch, many(10)).await.turned();
    let over_script = compare(component, &script, many(10)).await.turned();
    let (name, ratio) = if over_watch.middle < over_script.middle {
        ("redis, 64 callers, history 10: component ÷ by hand without lost updates (WATCH), throughput", over_watch)
    } else {
        ("redis, 64 callers, history 10: component ÷ by hand without lost updates (script), throughput", over_script)
    };
    Row::new(name, ratio, Goal::AtLeast(1.5))
}
