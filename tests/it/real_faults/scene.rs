//! An agent before, during and after one fault of its Redis server, and what must be true then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use redis::Value;
use serde_json::json;
use ticket_host::fallback::Status;
use ticket_host::{Change, Fallback, ServedBy, Ticket, Tickets};
use ticket_tests::{Proxy, RedisServer};

/// How long it may take until everything is synced: a hundred times what it takes, for a busy machine.
pub(super) const SYNC_TIME_MAX: Duration = Duration::from_secs(20);
/// How long one call may take: its time is 150 ms, the rest is for a busy machine.
const CALL_TIME_MAX: Duration = Duration::from_secs(3);
/// Pause between looks at what must come soon.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Calls in an outage: enough that the breaker opens and much is done behind it.
const ROUNDS: usize = 4;
/// Time to live of tickets unless set, in milliseconds.
pub(super) const TTL_MS: u64 = 30 * 60 * 1_000;

/// A server, the proxy in front of it, an agent, and what the agent was shown last.
pub(super) struct Scene {
    pub(super) server: RedisServer,
    pub(super) proxy: Proxy,
    tickets: Option<Tickets>,
    shown: BTreeMap<String, Ticket>,
    closed: BTreeSet<String>,
    said: usize,
}

/// Tickets with a fallback in memory, as `Tickets::open` gives them.
pub(super) async fn open(url: &str) -> Tickets {
    open_for(url, TTL_MS).await
}

/// The same, where tickets live for so long.
pub(super) async fn open_for(url: &str, ttl_ms: u64) -> Tickets {
    Tickets::builder(url).ttl(Duration::from_millis(ttl_ms)).open().await.unwrap()
}

/// Tickets of another host that has no fallback and has seen nothing.
pub(super) async fn plain(server: &RedisServer) -> Tickets {
    let builder = Tickets::builder(&server.operator_url()).fallback(Fallback::none());
    builder.deadline(Duration::from_secs(20)).open().await.unwrap()
}

/// Waits until the store serves and has everything.
pub(super) async fn synced(tickets: &Tickets) -> Status {
    let until = Instant::now() + SYNC_TIME_MAX;
    loop {
        let status = tickets.fallback().unwrap().status().await.unwrap();
        if status.primary_is_up && status.pending == 0 {
            return status;
        }
        assert!(Instant::now() < until, "not synced in {SYNC_TIME_MAX:?}: {status:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The fields of a ticket and its deadline, as any Redis client sees them; none where there is no key.
pub(super) async fn stored(server: &RedisServer, id: &str) -> Option<(BTreeMap<String, String>, u64)> {
    let client = server.operator().await;
    let ask = |words: [&str; 2]| {
        let mut command = redis::cmd(words[0]);
        command.arg(words[1]);
        let mut client = client.clone();
        async move { client.send_packed_command(&command).await.unwrap() }
    };
    let key = format!("ticket:{id}");
    let fields: BTreeMap<String, String> = redis::from_redis_value(ask(["HGETALL", &key]).await).unwrap();
    let Value::Int(expires_at_ms) = ask(["PEXPIRETIME", &key]).await else { panic!("no deadline") };
    (!fields.is_empty()).then(|| (fields, u64::try_from(expires_at_ms).expect("a deadline")))
}

impl Scene {
    /// With an agent that has tickets already.
    pub(super) async fn well(server: RedisServer) -> Self {
        let mut scene = Self::unopened(server);
        scene.open("", "").await;
        scene.prepare().await;
        scene
    }

    /// Before the agent has begun.
    pub(super) fn unopened(server: RedisServer) -> Self {
        let proxy = Proxy::before(server.port());
        Self { server, proxy, tickets: None, shown: BTreeMap::new(), closed: BTreeSet::new(), said: 0 }
    }

    /// Lets the agent begin, with a login.
    pub(super) async fn open(&mut self, user: &str, password: &str) {
        let login = if password.is_empty() { String::new() } else { format!("{user}:{password}@") };
        self.tickets = Some(open(&format!("redis://{login}127.0.0.1:{}", self.proxy.port())).await);
    }

    pub(super) fn tickets(&self) -> Tickets {
        self.tickets.clone().expect("an agent that has begun")
    }

    /// Some tickets.
    async fn prepare(&mut self) {
        for number in 0..6 {
            let id = format!("old-{number}");
            let ticket = self.tickets().create(Some(&id), &[Change::say("first")]).await.unwrap();
            assert_eq!(ticket.served_by, ServedBy::Store, "nothing is wrong yet");
            self.shown.insert(id, ticket);
        }
    }

    /// A call in the outage: it succeeds, in time.
    async fn call<T>(&self, what: &str, call: impl Future<Output = Result<T, ticket_host::Error>>) -> T {
        let begun = Instant::now();
        let answer = call.await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!(begun.elapsed() < CALL_TIME_MAX, "{what} took {:?}", begun.elapsed());
        answer
    }

    async fn apply(&mut self, id: &str, change: Change) {
        let at = self.shown[id].revision.clone();
        let tickets = self.tickets();
        let ticket = self.call(id, tickets.apply(id, &[change], Some(&at))).await;
        self.shown.insert(id.to_owned(), ticket);
    }

    /// Does everything that an agent does, with tickets old and new.
    pub(super) async fn go_on(&mut self) {
        let tickets = self.tickets();
        for round in 0..ROUNDS {
            let new = format!("new-{}-{round}", self.said);
            let created = self.call("create", tickets.create(Some(&new), &[Change::say("hello")])).await;
            self.shown.insert(new.clone(), created);
            let before = self.call("snapshot", tickets.snapshot(&new)).await;
            for id in self.shown.keys().cloned().collect::<Vec<_>>() {
                self.said += 1;
                self.apply(&id, Change::say(&format!("message {}", self.said))).await;
            }
            self.apply(&new, Change::learn(&json!({"round": round, "of": {"a": 1.5}}))).await;
            self.apply(&new, Change::decide(&json!(["decision", round]))).await;
            if round % 2 == 0 {
                let back = self.call("rollback", tickets.rollback(&new, &before, None)).await;
                assert_eq!(back.history, r#"["hello"]"#);
                self.shown.insert(new.clone(), back);
            }
            if round == 1 {
                self.call("close", tickets.close(&new, None)).await;
                self.shown.remove(&new);
                self.closed.insert(new);
                let old = self.shown.keys().find(|id| id.starts_with("old")).cloned();
                if let Some(old) = old {
                    self.call("close", tickets.close(&old, None)).await;
                    self.shown.remove(&old);
                    self.closed.insert(old);
                }
            }
            self.look().await;
        }
    }

    /// The agent sees all that it was shown, and nothing that it closed.
    async fn look(&self) {
        let tickets = self.tickets();
        for (id, shown) in &self.shown {
            assert_eq!(self.call("get", tickets.get(id)).await, *shown, "{id}");
        }
        for id in &self.closed {
            let gone = tickets.get(id).await;
            assert!(matches!(gone, Err(ticket_host::Error::NotFound(_))), "{id}: {gone:?}");
        }
        assert_eq!(self.listed(&tickets).await, self.shown.keys().cloned().collect());
    }

    async fn listed(&self, tickets: &Tickets) -> BTreeSet<String> {
        let (mut ids, mut cursor) = (BTreeSet::new(), None);
        loop {
            let page = self.call("list", tickets.list("", cursor.as_deref())).await;
            ids.extend(page.ids);
            cursor = page.cursor;
            if cursor.is_none() {
                return ids;
            }
        }
    }

    /// The fault has bitten: the fallback serves, and the server knows less than the agent.
    pub(super) async fn is_down(&self) {
        let status = self.tickets().fallback().unwrap().status().await.unwrap();
        assert!(!status.primary_is_up && status.pending > 0 && status.last_error.is_some(), "{status:?}");
    }

    /// The server answers reads and refuses changes, which are pending.
    pub(super) async fn refuses_writes(&self) {
        let status = self.tickets().fallback().unwrap().status().await.unwrap();
        assert!(status.primary_is_up && status.pending > 0 && status.writes_refused.is_some(), "{status:?}");
    }

    /// Everything is synced: every Redis client sees the six fields, with the very bytes and revision that the
    /// agent was shown in the outage, and nothing of what was closed; there was no conflict copy.
    pub(super) async fn is_synced(&self) {
        let tickets = self.tickets();
        let status = synced(&tickets).await;
        assert_eq!(status.branched, 0, "{:?}", tickets.fallback().unwrap().branches().list().await);
        let elsewhere = plain(&self.server).await;
        for (id, shown) in &self.shown {
            let (fields, expires_at_ms) = stored(&self.server, id).await.unwrap_or_else(|| panic!("{id} is lost"));
            assert_eq!(fields, fields_of(shown), "{id}");
            assert_eq!(expires_at_ms, shown.expires_at_ms, "{id}");
            let left_ms = expires_at_ms.saturating_sub(now_of_system_ms());
            assert!((1..=TTL_MS + 60_000).contains(&left_ms), "{id} ends in {left_ms} ms");
            assert_eq!(elsewhere.get(id).await.unwrap(), *shown, "{id}");
        }
        for id in &self.closed {
            assert_eq!(stored(&self.server, id).await, None, "{id} was closed");
        }
        self.look().await;
        assert_eq!(self.listed(&elsewhere).await, self.shown.keys().cloned().collect());
    }

    /// The store serves on, from the revisions that were shown in the outage; the agent is shown new ones.
    pub(super) async fn refresh(&mut self) {
        let (tickets, elsewhere) = (self.tickets(), plain(&self.server).await);
        for (id, shown) in &mut self.shown {
            *shown = tickets.apply(id, &[Change::say("after")], Some(&shown.revision)).await.unwrap();
            assert_eq!(elsewhere.get(id).await.unwrap(), *shown, "{id}");
        }
    }

    /// The server lost everything while no client called; it has all that it acknowledged again.
    pub(super) async fn is_back_after_loss(&self) {
        let until = Instant::now() + SYNC_TIME_MAX;
        for id in self.shown.keys() {
            while stored(&self.server, id).await.is_none() {
                assert!(Instant::now() < until, "{id} is not written back");
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        self.is_synced().await;
    }
}

fn now_of_system_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// The six fields of a ticket as they are stored.
fn fields_of(ticket: &Ticket) -> BTreeMap<String, String> {
    let fields = [
        ("facts", ticket.facts.clone()),
        ("history", ticket.history.clone()),
        ("last_decision", ticket.last_decision.clone()),
        ("created_at", ticket.created_at.to_string()),
        ("updated_at", ticket.updated_at.to_string()),
        ("version", ticket.version.to_string()),
    ];
    fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}
