//! Workflows: what a run costs beside the calls of the store, and what hostile ones cost good ones.

use std::fs;
use std::time::{Duration, Instant};

use ticket_host::workflow::{Grants, RunLimits, Workflow};
use ticket_host::{Change, Tickets};

use crate::goals::{Goal, Row};
use crate::rounds::{ROUNDS, Ratio};

const REFUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/refund.wasm");
const RUNS: u32 = 500;
const BOOKING: &str = r#"{"cabin":"economy","booked_hours_ago":90,"insured":true}"#;
const SAID: &str = "I am mia_kim_4397. Cancel H9ZU1C, please: I feel unwell.";

pub(crate) async fn rows() -> Vec<Row> {
    let tickets = Tickets::builder("memory:").deadline(Duration::from_secs(20)).open().await.expect("tickets");
    tickets.create(Some("t"), &[Change::say(SAID)]).await.expect("a new ticket");
    let component = fs::read(REFUND).expect("guest/dist/refund.wasm");
    let limits = RunLimits::default().time_max(Duration::from_secs(5));
    let workflow = Workflow::load(component, Grants::default(), limits).expect("a workflow");
    let recorded = tickets.dry_run("t", &workflow, BOOKING).await.expect("a dry run").changes;
    let mut us = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..RUNS {
            tickets.run("t", &workflow, BOOKING).await.expect("a run");
        }
        let ran = begun.elapsed();
        let begun = Instant::now();
        for _ in 0..RUNS {
            let read = tickets.get("t").await.expect("a ticket");
            tickets.apply("t", &recorded, Some(&read.revision)).await.expect("applied");
        }
        us.push((ran.as_secs_f64() - begun.elapsed().as_secs_f64()) * 1e6 / f64::from(RUNS));
    }
    let name = "memory: a run of a workflow in Rust, over the calls of the store, in µs";
    vec![Row::new(name, Ratio::of(us), Goal::AtMost(15.0))]
}
