//! One schedule: a server, its hosts and their agents, its faults, and the checks after them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use ticket_host::clock::Clock;
use ticket_host::fallback::{Branches, Merge};
use ticket_host::store::{Connector, Options, RedisPrimary, Stream};
use ticket_host::{Limits, Tickets, merge};
use ticket_tests::fake_redis::{FakeRedis, Faults, Snapshot};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::agent::Agent;
use super::check::check;
use super::journal::Journal;
use super::nemesis::Nemesis;
use super::weak::{Weak, Weakness};

/// Time of one operation.
pub(super) const CALL_MS: u64 = 150;
/// Tickets of a schedule; of the first half all that is said must be there in the end.
pub(super) const TICKETS: usize = 4;
pub(super) const PASSWORD: &str = "s3cret";
/// When every schedule begins.
const BASE_MS: u64 = 1_750_000_000_000;
/// Longer than any stalled call lives.
const ZOMBIES: Duration = Duration::from_secs(6);
/// Within so long after the last fault everything must be synced.
const PEACE: Duration = Duration::from_secs(20);

/// What happened in schedules.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) happened: BTreeMap<&'static str, u64>,
    pub(super) calls: u64,
    served_here: u64,
    branches: u64,
}

impl Report {
    pub(super) fn add(&mut self, other: Self) {
        for (kind, count) in other.happened {
            *self.happened.entry(kind).or_default() += count;
        }
        self.calls += other.calls;
        self.served_here += other.served_here;
        self.branches += other.branches;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { happened, calls, served_here, branches } = self;
        write!(f, "{calls} calls, {served_here} served by a fallback, {branches} branches; {happened:?}")
    }
}

/// A host's wall clock, which goes on with tokio's and is stepped now and then.
#[derive(Clone, Debug)]
pub(super) struct StepClock {
    began: Instant,
    offset_ms: Arc<AtomicI64>,
}

impl StepClock {
    fn new() -> Self {
        Self { began: Instant::now(), offset_ms: Arc::default() }
    }

    pub(super) fn step(&self, by_ms: i64) {
        self.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for StepClock {
    fn now_ms(&self) -> u64 {
        let passed_ms = u64::try_from(self.began.elapsed().as_millis()).expect("milliseconds");
        (BASE_MS + passed_ms).saturating_add_signed(self.offset_ms.load(Ordering::Relaxed))
    }
}

thread_local! {
    static BEGAN: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

/// The time of the log: since the schedule began.
pub(super) struct Elapsed;

impl tracing_subscriber::fmt::time::FormatTime for Elapsed {
    fn format_time(&self, w: &mut tracing_subscriber::fmt::format::Writer<'_>) -> fmt::Result {
        let elapsed = BEGAN.get().map(|began| began.elapsed()).unwrap_or_default();
        write!(w, "{:>9.3}", elapsed.as_secs_f64())
    }
}

/// The way of a host to the server.
#[derive(Debug)]
struct Way(FakeRedis);

#[async_trait]
impl Connector for Way {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.0.connect().await?))
    }
}

/// A host and its agents.
pub(super) struct Host {
    index: usize,
    incarnation: u32,
    pub(super) tickets: Tickets,
    /// Of this incarnation and of those before.
    pub(super) branches: Vec<Branches>,
    pub(super) clock: StepClock,
    pub(super) may_crash: bool,
    agents: Vec<JoinHandle<()>>,
    rng: Rng,
    backend: TestBackend,
}

/// What all hosts share.
#[derive(Clone)]
struct TestBackend {
    server: FakeRedis,
    merge: Merge,
    weakness: Option<Weakness>,
    journal: Journal,
}

impl TestBackend {
    async fn open(&self, clock: &StepClock) -> Tickets {
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        loop {
            match self.try_open(&clock).await {
                Ok(tickets) => return tickets,
                // Garbage: at start the server is not Redis; whoever runs the host starts it again.
                Err(ticket_host::Error::Denied(_)) => sleep(Duration::from_millis(100)).await,
                Err(error) => panic!("tickets: {error:?}"),
            }
        }
    }

    async fn try_open(&self, clock: &Arc<dyn Clock>) -> Result<Tickets, ticket_host::Error> {
        let options = Options::default().clock(Arc::clone(clock));
        let url = format!("redis://:{PASSWORD}@fake-redis/");
        let store = RedisPrimary::new(&url, Some(Box::new(Way(self.server.clone()))), &options).expect("url");
        let primary = Arc::new(Weak { inner: store, weakness: self.weakness });
        let builder = Tickets::builder_over_primary(primary).merge(Arc::clone(&self.merge));
        builder.clock(Arc::clone(clock)).deadline(Duration::from_millis(CALL_MS)).open().await
    }
}

impl Host {
    async fn open(index: usize, mut rng: Rng, backend: &TestBackend) -> Self {
        let clock = StepClock::new();
        let tickets = backend.open(&clock).await;
        let branches = vec![tickets.fallback().expect("fallback").branches().clone()];
        let (may_crash, agents) = (rng.u32(0..3) == 0, Vec::new());
        Self { index, incarnation: 0, tickets, branches, clock, may_crash, agents, rng, backend: backend.clone() }
    }

    /// Two agents, each with tickets that the other has not: one calm, one that is closed and rolled back.
    fn talk(&mut self, operations: u32) {
        for first in 0..TICKETS / 2 {
            let agent = Agent {
                host: (self.index, self.incarnation),
                tickets: self.tickets.clone(),
                ids: vec![format!("t{first}"), format!("t{}", first + TICKETS / 2)],
                rng: self.rng.fork(),
                journal: self.backend.journal.clone(),
            };
            self.agents.push(spawn_local(agent.talk(operations)));
        }
    }

    /// Ends at once, with what it holds, and begins anew.
    pub(super) async fn crash(&mut self) {
        for agent in self.agents.drain(..) {
            agent.abort();
            let _ = agent.await;
        }
        self.incarnation += 1;
        self.tickets = self.backend.open(&self.clock).await;
        self.branches.push(self.tickets.fallback().expect("fallback").branches().clone());
        self.talk(10);
    }

    /// Which incarnation it is in: what earlier ones held is gone.
    pub(super) fn incarnation(&self) -> (usize, u32) {
        (self.index, self.incarnation)
    }

    async fn is_synced(&self) -> bool {
        let status = self.tickets.fallback().expect("fallback").status().await.expect("status");
        status.primary_is_up && status.pending == 0
    }
}

/// Plays the schedule of a seed.
pub(super) fn run(seed: u64, weakness: Option<Weakness>) -> Result<Report, String> {
    thread_local! {
        static MERGE: Merge = merge(Limits::default()).expect("engine");
    }
    fastrand::seed(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("runtime");
    let merge = MERGE.with(Merge::clone);
    let merge = weakness.map_or(Arc::clone(&merge), |weakness| weakness.merge(merge));
    LocalSet::new().block_on(&runtime, run_scenario(Rng::with_seed(seed), merge, weakness))
}

async fn run_scenario(mut rng: Rng, merge: Merge, weakness: Option<Weakness>) -> Result<Report, String> {
    BEGAN.set(Some(Instant::now()));
    let server = FakeRedis::new(BASE_MS, rng.u64(..));
    server.set_password(Some(PASSWORD));
    // Then every write is a script.
    if rng.u8(..4) == 0 {
        server.forbid_transactions();
    }
    let backend = TestBackend { server: server.clone(), merge, weakness, journal: Journal::default() };
    let mut hosts = Vec::new();
    for index in 0..rng.usize(1..=4) {
        hosts.push(Host::open(index, rng.fork(), &backend).await);
    }
    for number in 0..TICKETS {
        hosts[0].tickets.create(Some(&format!("t{number}")), &[]).await.map_err(|error| format!("{error:?}"))?;
    }
    for host in &mut hosts {
        host.talk(20);
    }
    let journal = backend.journal.clone();
    let nemesis =
        Nemesis { server: server.clone(), hosts, rng: rng.fork(), journal: journal.clone(), old: Snapshot::default() };
    let mut hosts = Nemesis { old: server.dump(), ..nemesis }.run(rng.u32(3..14)).await;
    for host in &mut hosts {
        for agent in host.agents.drain(..) {
            agent.await.map_err(|error| format!("an agent ended: {error}"))?;
        }
    }
    make_peace(&server, &hosts).await?;
    check(&server, &hosts, &journal).await?;
    Ok(report(&server, &hosts, &journal).await)
}

/// Ends all faults, and waits until everything is synced, also after the last call that was on its way.
async fn make_peace(server: &FakeRedis, hosts: &[Host]) -> Result<(), String> {
    server.set_faults(Faults::default());
    server.clear_modes();
    server.thaw();
    server.start();
    server.set_password(Some(PASSWORD));
    for _ in 0..2 {
        let until = Instant::now() + PEACE;
        for host in hosts {
            while !host.is_synced().await {
                if Instant::now() > until {
                    let status = host.tickets.fallback().expect("fallback").status().await;
                    return Err(format!("host {} does not come to peace: {status:?}", host.index));
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        sleep(ZOMBIES).await;
    }
    Ok(())
}

async fn report(server: &FakeRedis, hosts: &[Host], journal: &Journal) -> Report {
    let (mut happened, calls, served_here) = journal.sums();
    for (kind, count) in server.counts() {
        *happened.entry(kind).or_default() += count;
    }
    let mut branches = 0;
    for kept in hosts.iter().flat_map(|host| &host.branches) {
        branches += kept.count().await.expect("count");
    }
    Report { happened, calls, served_here, branches }
}
