//! The agents of a schedule: three on each of two hosts, who say and learn what no other agent does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use ticket_host::{Change, Error, Tickets};
use tokio::task::JoinSet;

use super::Told;
use super::faults::TestBackend;

/// Tickets that both hosts work on.
const TICKETS: usize = 5;
const AGENTS: usize = 3;

/// What a caller is told that it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Said,
    Learnt,
}

/// The agents at work.
pub(super) struct Agents {
    pub(super) backend: Arc<TestBackend>,
    hosts: [Tickets; 2],
    shared: Arc<Shared>,
    ids: Arc<[String]>,
    working: JoinSet<()>,
}

/// What came of their work.
pub(super) struct Done {
    pub(super) backend: Arc<TestBackend>,
    pub(super) hosts: [Tickets; 2],
    pub(super) operations: u64,
    pub(super) acknowledged: Told,
    pub(super) refused: BTreeMap<&'static str, u64>,
    pub(super) ids: Arc<[String]>,
}

#[derive(Default)]
struct Shared {
    operations: AtomicU64,
    ended: AtomicBool,
    acknowledged: Mutex<Told>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Agents {
    /// Two hosts that know the tickets `PREFIX-N`, and their agents at work, who rest up to so long now and then.
    pub(super) async fn begin(
        backend: Arc<TestBackend>,
        hosts: [Tickets; 2],
        prefix: &str,
        rest: Duration,
        rng: &mut Rng,
    ) -> Self {
        let ids: Arc<[String]> = (0..TICKETS).map(|number| format!("{prefix}-{number}")).collect();
        for id in ids.iter() {
            let maker = rng.usize(..2);
            hosts[maker].create(Some(id), &[]).await.unwrap();
            hosts[1 - maker].get(id).await.unwrap();
        }
        let shared = Arc::new(Shared::default());
        let mut working = JoinSet::new();
        for (host, tickets) in hosts.iter().enumerate() {
            for agent in 0..AGENTS {
                let name = format!("h{host}a{agent}");
                let (tickets, ids) = (tickets.clone(), Arc::clone(&ids));
                working.spawn(work(tickets, ids, Arc::clone(&shared), name, rest, rng.fork()));
            }
        }
        Self { backend, hosts, shared, ids, working }
    }

    pub(super) fn operations(&self) -> u64 {
        self.shared.operations.load(Ordering::Relaxed)
    }

    /// Waits until so many more operations are done, or the time is up.
    pub(super) async fn pass(&self, operations: u64, within: Duration) {
        let (target, until) = (self.operations() + operations, Instant::now() + within);
        while self.operations() < target && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets the agents finish what they are at.
    pub(super) async fn end(self) -> Done {
        let Self { backend, hosts, shared, ids, working } = self;
        shared.ended.store(true, Ordering::Relaxed);
        working.join_all().await;
        let acknowledged = std::mem::take(&mut *shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner));
        let refused = std::mem::take(&mut *shared.refused.lock().unwrap_or_else(PoisonError::into_inner));
        Done { backend, hosts, operations: shared.operations.load(Ordering::Relaxed), acknowledged, refused, ids }
    }
}

/// One agent: one operation after the other, until all end.
async fn work(tickets: Tickets, ids: Arc<[String]>, shared: Arc<Shared>, name: String, rest: Duration, mut rng: Rng) {
    let mut number = 0_u64;
    while !shared.ended.load(Ordering::Relaxed) {
        number += 1;
        let id = &ids[rng.usize(..ids.len())];
        let unique = format!("{name}-{number}");
        let (told, result) = match rng.u8(..20) {
            0 | 1 => {
                let learnt = Change::learn(&json!({&unique: number}));
                (Some((Kind::Learnt, unique)), tickets.apply(id, &[learnt], None).await)
            }
            2 => (None, tickets.apply(id, &[Change::decide(&json!(unique))], None).await),
            3 | 4 => (None, tickets.get(id).await),
            5 => (None, tickets.touch(id).await),
            6..=10 => {
                let message = json!({"id": unique, "text": "the same"}).to_string();
                (Some((Kind::Said, message.clone())), tickets.apply(id, &[Change::Say(message)], None).await)
            }
            _ => {
                let message = json!(unique).to_string();
                (Some((Kind::Said, message)), tickets.apply(id, &[Change::say(&unique)], None).await)
            }
        };
        shared.operations.fetch_add(1, Ordering::Relaxed);
        match (result, told) {
            (Ok(_), Some((kind, text))) => {
                let mut acknowledged = shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                acknowledged.entry((id.clone(), kind)).or_default().insert(text);
            }
            (Ok(_), None) => {}
            (Err(error), _) => {
                let name = match error {
                    Error::Conflict(_) => "conflict",
                    Error::NotFound(_) => "not found",
                    Error::Unavailable(_) => "unavailable",
                    Error::Uncertain(_) => "uncertain",
                    error => panic!("{name}: {error:?}"),
                };
                *shared.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
            }
        }
        // As agents do, and so that a fault meets many states.
        if rng.u8(..8) == 0 {
            tokio::time::sleep(rest.mul_f64(rng.f64())).await;
        }
    }
}
