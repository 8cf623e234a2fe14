//! How fast all this is. Prints what it measures; asserts only what a busy machine keeps too. `TICKET_MEASURES=1`
//! repeats more, for figures to quote:
//! `TICKET_MEASURES=1 cargo test --release --workspace --test it measures -- --nocapture --test-threads=1`

use std::time::{Duration, Instant};

use serde_json::json;
use ticket_host::{Change, ServedBy, Tickets};
use ticket_tests::proxy::Mode;
use ticket_tests::{Proxy, RedisServer};

use super::scene::{self, synced};

/// Bytes of a message that fills a ticket of 4 KiB.
const FILLING: usize = 4_000;
/// Tasks that make tickets at once.
const MAKERS: usize = 8;

/// `quick`, or `thorough` where figures are wanted.
fn either<T>(quick: T, thorough: T) -> T {
    if std::env::var_os("TICKET_MEASURES").is_some() { thorough } else { quick }
}

/// A server, a proxy, and an agent that knows one ticket.
async fn begin() -> (RedisServer, Proxy, Tickets) {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::before(server.port());
    let tickets = scene::open(&proxy.url()).await;
    tickets.create(Some("t"), &[Change::say("first")]).await.unwrap();
    (server, proxy, tickets)
}

async fn timed(tickets: &Tickets, number: usize) -> (Duration, ServedBy) {
    let begun = Instant::now();
    let ticket = tickets.apply("t", &[Change::decide(&json!(number))], None).await.unwrap();
    (begun.elapsed(), ticket.served_by)
}

/// Prints the middle, the 99th percentile and the worst, and returns the 99th percentile.
fn report(what: &str, goal: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let at = |share: usize| times[((times.len() * share).div_ceil(100)).clamp(1, times.len()) - 1];
    let (middle, p99, worst) = (at(50), at(99), at(100));
    println!("{what}: {} times, p50 {middle:.1?}, p99 {p99:.1?}, max {worst:.1?} (goal: {goal})", times.len());
    p99
}

async fn serves(tickets: &Tickets) -> bool {
    tickets.fallback().unwrap().status().await.unwrap().primary_is_up
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_call_after_the_server_stopped() {
    let (server, _proxy, tickets) = begin().await;
    let mut times = Vec::new();
    for number in 0..either(3, 100) {
        server.pause();
        let (time, served_by) = timed(&tickets, number).await;
        server.resume();
        assert_eq!(served_by, ServedBy::Fallback);
        times.push(time);
        synced(&tickets).await;
    }
    assert!(report("first call after SIGSTOP", "p99 160 ms", times) < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_call_after_the_port_was_closed() {
    let (_server, proxy, tickets) = begin().await;
    let mut times = Vec::new();
    for number in 0..either(5, 40) {
        proxy.set(Mode::Refuse);
        let (time, served_by) = timed(&tickets, number).await;
        assert_eq!(served_by, ServedBy::Fallback);
        times.push(time);
        proxy.set(Mode::Pass);
        synced(&tickets).await;
    }
    assert!(report("first call after the port refuses", "5 ms", times) < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_while_the_fallback_serves() {
    let (_server, proxy, tickets) = begin().await;
    proxy.set(Mode::Refuse);
    timed(&tickets, 0).await;
    let (mut changes, mut reads) = (Vec::new(), Vec::new());
    for number in 0..either(2_000, 50_000) {
        changes.push(timed(&tickets, number).await.0);
        let begun = Instant::now();
        tickets.get("t").await.unwrap();
        reads.push(begun.elapsed());
    }
    let reads = report("reads in an outage", "p99 200 us", reads);
    let changes = report("changes in an outage", "p99 200 us", changes);
    assert!(reads.max(changes) < Duration::from_millis(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_until_the_store_serves_again() {
    let outages = either(vec![100, 600], vec![50, 200, 500, 1_000, 2_000, 4_000, 7_000]);
    for mode in either(vec![Mode::Refuse, Mode::Stall], vec![Mode::Refuse, Mode::Cut, Mode::Stall, Mode::Half]) {
        let mut times = Vec::new();
        for &outage_ms in &outages {
            let (_server, proxy, tickets) = begin().await;
            proxy.set(mode);
            let until = Instant::now() + Duration::from_millis(outage_ms);
            while Instant::now() < until || serves(&tickets).await {
                timed(&tickets, 0).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            proxy.set(Mode::Pass);
            times.push(until_it_serves(&tickets).await);
        }
        let what = format!("from the end of {mode:?} until the store serves");
        assert!(report(&what, "1.5 s", times) < Duration::from_secs(10));
    }
    let mut times = Vec::new();
    for &outage_ms in &outages {
        let (server, _proxy, tickets) = begin().await;
        server.become_replica().await;
        let until = Instant::now() + Duration::from_millis(outage_ms);
        while Instant::now() < until || serves(&tickets).await {
            timed(&tickets, 0).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.promote().await;
        times.push(until_it_serves(&tickets).await);
    }
    assert!(report("from a promotion until the store serves", "1.5 s", times) < Duration::from_secs(10));
}

async fn until_it_serves(tickets: &Tickets) -> Duration {
    let begun = Instant::now();
    while !serves(tickets).await {
        assert!(begun.elapsed() < scene::SYNC_TIME_MAX);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pending_tickets_are_synced() {
    // Without the proxy, which would take its share of two cores.
    let server = RedisServer::start(&[]);
    let tickets = scene::open(&server.url()).await;
    for id in ["t", "u"] {
        tickets.create(Some(id), &[Change::say("first")]).await.unwrap();
    }
    let count = either(1_000, 10_000);
    let foreground = |tickets: Tickets| async move {
        let (mut times, mut number) = (Vec::new(), 0);
        while times.is_empty() || tickets.fallback().unwrap().status().await.unwrap().pending > 0 || number < 1_000 {
            number += 1;
            let (time, _) = timed(&tickets, number).await;
            times.push(time);
        }
        times
    };
    report("foreground before", "none", foreground(tickets.clone()).await);
    server.become_replica().await;
    while serves(&tickets).await {
        // Another ticket than that of the foreground, which the fallback would serve until it is synced.
        tickets.touch("u").await.unwrap();
    }
    let filling = "x".repeat(FILLING);
    let mut makers = tokio::task::JoinSet::new();
    for maker in 0..MAKERS {
        let (tickets, filling) = (tickets.clone(), filling.clone());
        makers.spawn(async move {
            for number in (maker..count).step_by(MAKERS) {
                tickets.create(Some(&format!("n{number}")), &[Change::say(&filling)]).await.unwrap();
            }
        });
    }
    makers.join_all().await;
    server.promote().await;
    until_it_serves(&tickets).await;
    let begun = Instant::now();
    let meanwhile = tokio::spawn(foreground(tickets.clone()));
    synced(&tickets).await;
    let took = begun.elapsed();
    println!("{count} pending tickets of 4 KiB synced in {took:.1?} (goal: 10,000 in 2 s)");
    report("foreground meanwhile", "none", meanwhile.await.unwrap());
    assert_eq!(scene::plain(&server).await.get("n0").await.unwrap().message_count(), 1);
    assert!(took < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_to_connect_in_an_outage() {
    let window = Duration::from_secs(10);
    let (_server, proxy, tickets) = begin().await;
    let before = proxy.attempts().len();
    proxy.set(Mode::Cut);
    let until = Instant::now() + either(Duration::from_secs(3), Duration::from_secs(20));
    while Instant::now() < until {
        timed(&tickets, 0).await;
        // Nor may an operator who looks all the time be too much for a server in need.
        tickets.store().health().await.expect("health");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let attempts = proxy.attempts().split_off(before);
    let most = attempts.iter().map(|from| attempts.iter().filter(|at| **at >= *from && **at < *from + window).count());
    let most = most.max().unwrap_or(0);
    println!("{} attempts to connect, at most {most} within 10 s (goal: 20)", attempts.len());
    assert!((1..=20).contains(&most));
    proxy.set(Mode::Pass);
    synced(&tickets).await;
}
