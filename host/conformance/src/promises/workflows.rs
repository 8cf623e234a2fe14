//! W1 to W7: what a host of workflows guarantees over every store.

use std::pin::Pin;
use std::sync::Arc;

use ticket_host::{Change, Error, Ticket, Tickets};

use crate::fixture::Fixture;
use crate::promise::Promise;
use crate::workflow_host::{NativeWorkflows, RunEnd, WorkflowHost};
use crate::workflow_promises::components::{
    CLOSE, FAIL, LOG, LOOP, MEMORY, NOT_JSON, SAY, SAY_TWICE, START_LOOP, TRAP,
};

/// The promises that this module checks.
pub(super) fn promises() -> Vec<Promise> {
    vec![
        Promise {
            name: "w1_a_run_is_written_as_a_whole_or_not",
            check: |fixture| Box::pin(on_native(fixture, CHECKS[0])),
        },
        Promise {
            name: "w2_a_run_reads_and_changes_its_ticket_alone",
            check: |fixture| Box::pin(on_native(fixture, CHECKS[1])),
        },
        Promise {
            name: "w3_runs_at_once_are_each_written_once",
            check: |fixture| Box::pin(on_native(fixture, CHECKS[2])),
        },
        Promise {
            name: "w4_a_run_is_interrupted_at_its_limits",
            check: |fixture| Box::pin(on_native(fixture, CHECKS[3])),
        },
        Promise { name: "w5_a_dry_run_changes_nothing", check: |fixture| Box::pin(on_native(fixture, CHECKS[4])) },
        Promise {
            name: "w6_an_import_that_is_not_granted_is_refused",
            check: |fixture| Box::pin(on_native(fixture, CHECKS[5])),
        },
        Promise { name: "w7_a_run_closes_its_ticket", check: |fixture| Box::pin(on_native(fixture, CHECKS[6])) },
    ]
}

type Host = Arc<dyn WorkflowHost>;
/// A check on a host and on tickets of its store; it panics if the promise is broken.
pub(crate) type Check = fn(Host, Tickets) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// The checks, in the order of their numbers.
pub(crate) const CHECKS: [Check; 7] = [
    |host, tickets| Box::pin(whole_or_not(host, tickets)),
    |host, tickets| Box::pin(alone(host, tickets)),
    |host, tickets| Box::pin(at_once(host, tickets)),
    |host, tickets| Box::pin(limits(host, tickets)),
    |host, tickets| Box::pin(dry(host, tickets)),
    |host, tickets| Box::pin(not_granted(host, tickets)),
    |host, tickets| Box::pin(closes(host, tickets)),
];

const ID: &str = "mia";
/// The output of the components that succeed.
const NULL: &str = "null";

/// Checks the host of this project.
async fn on_native(fixture: Fixture, check: Check) {
    let tickets = fixture.tickets();
    check(Arc::new(NativeWorkflows(tickets.clone())), tickets).await;
}

/// A new ticket with a message.
async fn begin(tickets: &Tickets) -> Ticket {
    let _ = tickets.close(ID, None).await;
    tickets.create(Some(ID), &[Change::say("hello")]).await.expect("created")
}

async fn succeeds(host: &Host, component: &[u8]) {
    assert_eq!(host.run(ID, component, false).await, RunEnd::Succeeded(NULL.to_owned()));
}

async fn whole_or_not(host: Host, tickets: Tickets) {
    let before = begin(&tickets).await;
    for (component, end) in [
        (TRAP, RunEnd::Trapped),
        (FAIL, RunEnd::Failed("code".to_owned())),
        (NOT_JSON, RunEnd::BadOutput),
        (LOOP, RunEnd::OverTime),
        (MEMORY, RunEnd::OverMemory),
    ] {
        assert_eq!(host.run(ID, component, false).await, end);
        assert_eq!(tickets.get(ID).await.expect("got"), before, "{end:?}");
    }
    succeeds(&host, SAY_TWICE).await;
    let after = tickets.get(ID).await.expect("got");
    assert_eq!((after.message_count(), &after.facts), (3, &before.facts));
    assert_ne!(after.revision, before.revision);
}

async fn alone(host: Host, tickets: Tickets) {
    begin(&tickets).await;
    let other = tickets.ensure("max", &[Change::say("hello")]).await.expect("there");
    // It traps unless it reads what it recorded.
    for _ in 0..3 {
        succeeds(&host, SAY_TWICE).await;
    }
    assert_eq!(tickets.get("max").await.expect("got"), other);
    assert_eq!(tickets.get(ID).await.expect("got").message_count(), 7);
    tickets.close("max", None).await.expect("closed");
}

async fn at_once(host: Host, tickets: Tickets) {
    const RUNS: usize = 12;
    begin(&tickets).await;
    let runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let host = Arc::clone(&host);
            tokio::spawn(async move { host.run(ID, SAY, false).await })
        })
        .collect();
    let mut written = 0;
    for run in runs {
        match run.await.expect("a run") {
            RunEnd::Succeeded(_) => written += 1,
            end => assert_eq!(end, RunEnd::LostRace),
        }
    }
    assert!(written > 0, "no run was written");
    assert_eq!(tickets.get(ID).await.expect("got").message_count(), 1 + written);
}

async fn limits(host: Host, tickets: Tickets) {
    let before = begin(&tickets).await;
    for (component, end) in [(LOOP, RunEnd::OverTime), (START_LOOP, RunEnd::OverTime), (MEMORY, RunEnd::OverMemory)] {
        for is_dry in [false, true] {
            assert_eq!(host.run(ID, component, is_dry).await, end);
        }
    }
    assert_eq!(tickets.get(ID).await.expect("got"), before);
    succeeds(&host, SAY).await;
}

async fn dry(host: Host, tickets: Tickets) {
    for component in [SAY, SAY_TWICE, CLOSE, TRAP, FAIL, NOT_JSON] {
        let before = begin(&tickets).await;
        let dry = host.run(ID, component, true).await;
        assert_eq!(tickets.get(ID).await.expect("got"), before, "{dry:?}");
        assert_eq!(host.run(ID, component, false).await, dry, "what the run itself answers");
    }
    let _ = tickets.close(ID, None).await;
}

async fn not_granted(host: Host, tickets: Tickets) {
    let before = begin(&tickets).await;
    for is_dry in [false, true] {
        assert_eq!(host.run(ID, LOG, is_dry).await, RunEnd::Refused);
    }
    assert_eq!(host.run(ID, b"\0asm\x01\0\0\0", false).await, RunEnd::Refused, "a core module");
    assert_eq!(tickets.get(ID).await.expect("got"), before);
}

async fn closes(host: Host, tickets: Tickets) {
    begin(&tickets).await;
    succeeds(&host, CLOSE).await;
    assert!(matches!(tickets.get(ID).await, Err(Error::NotFound(_))));
    for is_dry in [false, true] {
        assert_eq!(host.run(ID, SAY, is_dry).await, RunEnd::NotFound);
    }
    assert!(!tickets.exists(ID).await.expect("asked"));
}
