//! What each operation costs by itself, in memory: `tests/bench.sh functions` runs it.

use divan::Bencher;
use ticket_host::{Change, State, Tickets};
use tokio::runtime::{Builder, Runtime};

/// Messages of the ticket.
const HISTORIES: [usize; 3] = [10, 100, 1_000];
const ID: &str = "t";

fn main() {
    divan::main();
}

/// A ticket with a history, and the runtime of its operations.
struct TestBackend {
    runtime: Runtime,
    tickets: Tickets,
}

impl TestBackend {
    fn new(history: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let tickets = runtime.block_on(async {
            let tickets = Tickets::open("memory:").await.expect("tickets");
            let said: Vec<Change> = (0..history).map(|number| Change::say(&said(number))).collect();
            tickets.create(Some(ID), &said).await.expect("a ticket");
            tickets
        });
        Self { runtime, tickets }
    }
}

fn said(number: usize) -> String {
    format!("{:.<58}", format!("message {number} "))
}

#[divan::bench(args = HISTORIES)]
fn get(bencher: Bencher<'_, '_>, history: usize) {
    let TestBackend { runtime, tickets } = TestBackend::new(history);
    bencher.bench_local(|| runtime.block_on(tickets.get(ID)).expect("got"));
}

/// Rolls the history back now and then, so that its length stays about the same.
#[divan::bench(args = HISTORIES)]
fn say(bencher: Bencher<'_, '_>, history: usize) {
    let TestBackend { runtime, tickets } = TestBackend::new(history);
    let before = runtime.block_on(tickets.snapshot(ID)).expect("a snapshot");
    let mut number = 0;
    let changes = [Change::say(&said(0))];
    bencher
        .with_inputs(|| {
            number += 1;
            if number % (history / 10).max(1) == 0 {
                runtime.block_on(tickets.rollback(ID, &before, None)).expect("back");
            }
        })
        .bench_local_values(|()| runtime.block_on(tickets.apply(ID, &changes, None)).expect("said"));
}

#[divan::bench(args = HISTORIES)]
fn learn(bencher: Bencher<'_, '_>, history: usize) {
    let TestBackend { runtime, tickets } = TestBackend::new(history);
    let changes = [Change::Learn("{\"city\":\"Seattle\",\"seats\":2}".into())];
    bencher.bench_local(|| runtime.block_on(tickets.apply(ID, &changes, None)).expect("learnt"));
}

#[divan::bench(args = HISTORIES)]
fn touch(bencher: Bencher<'_, '_>, history: usize) {
    let TestBackend { runtime, tickets } = TestBackend::new(history);
    bencher.bench_local(|| runtime.block_on(tickets.touch(ID)).expect("touched"));
}

#[divan::bench(args = HISTORIES)]
fn snapshot(bencher: Bencher<'_, '_>, history: usize) {
    let TestBackend { runtime, tickets } = TestBackend::new(history);
    bencher.bench_local(|| runtime.block_on(tickets.snapshot(ID)).expect("a snapshot"));
}

#[divan::bench(args = HISTORIES)]
fn rollback(bencher: Bencher<'_, '_>, history: usize) {
    let TestBackend { runtime, tickets } = TestBackend::new(history);
    let before = runtime.block_on(tickets.snapshot(ID)).expect("a snapshot");
    bencher.bench_local(|| runtime.block_on(tickets.rollback(ID, &before, None)).expect("back"));
}

/// Merges one message of each side.
#[divan::bench(args = HISTORIES)]
fn merge(bencher: Bencher<'_, '_>, history: usize) {
    let TestBackend { runtime, tickets } = TestBackend::new(history);
    let base = runtime.block_on(tickets.get(ID)).expect("got");
    let state = |more: &str| State {
        facts: base.facts.clone(),
        history: format!("{}{more}]", base.history.trim_end_matches(']')),
        last_decision: base.last_decision.clone(),
        created_at: base.created_at,
        updated_at: base.updated_at,
    };
    let (base, ours, theirs) = (state(""), state(",\"ours\""), state(",\"theirs\""));
    bencher.bench_local(|| runtime.block_on(tickets.merge(&base, &ours, &theirs)).expect("merged"));
}
