//! Ours: the engine as a component, over the host's stores.

use async_trait::async_trait;
use tempfile::TempDir;
use ticket_host::fallback::Fallback;
use ticket_host::store::Options;
use ticket_host::{Change, ServedBy, Settings, Tickets};
use ticket_tests::RedisServer;

use super::{Contender, decision, message};

/// How long an operation may take here: a crowd on two cores is no outage.
const DEADLINE_MS: u64 = 20_000;

pub(crate) struct Component {
    tickets: Tickets,
    name: &'static str,
    _folder: Option<TempDir>,
}

impl Component {
    /// As a service has it: a Redis server, with memory as its fallback.
    pub(crate) async fn on_redis(server: &RedisServer) -> Self {
        Self::open("component", &server.url(), options(), settings()).await
    }

    /// The same, and every change asks the server first.
    pub(crate) async fn on_redis_asked(server: &RedisServer) -> Self {
        let options = Options { copies_bytes_max: 0, ..options() };
        Self::open("component, asking first", &server.url(), options, settings()).await
    }

    pub(crate) async fn in_memory() -> Self {
        Self::open("component", "memory:", options(), settings()).await
    }

    /// With an instance of its own for every call.
    pub(crate) async fn in_memory_fresh() -> Self {
        let settings = Settings { fresh_instances: true, ..settings() };
        Self::open("component, fresh instances", "memory:", options(), settings).await
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("tickets.db").display());
        Self { _folder: Some(folder), ..Self::open("component", &url, options(), settings()).await }
    }

    async fn open(name: &'static str, url: &str, options: Options, settings: Settings) -> Self {
        let tickets = Tickets::open_with(url, &options, Some(Fallback::default()), settings).await;
        Self { tickets: tickets.expect("tickets"), name, _folder: None }
    }

    /// A call that does next to nothing: it finds no ticket.
    pub(crate) async fn call(&self) {
        self.tickets.get("none").await.expect_err("nobody made it");
    }
}

fn settings() -> Settings {
    Settings { deadline_ms: DEADLINE_MS, ..Settings::default() }
}

fn options() -> Options {
    Options { call_ms: DEADLINE_MS, ..Options::default() }
}

#[async_trait]
impl Contender for Component {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        let mut changes: Vec<Change> = (0..history).map(|number| Change::Say(message(number))).collect();
        changes.push(Change::Decide(decision(0)));
        for id in ids {
            self.tickets.create(Some(id), &changes).await.expect("a new ticket");
        }
    }

    async fn interact(&self, id: &str, number: usize) {
        let changes = [Change::Say(message(number)), Change::Decide(decision(number))];
        let ticket = self.tickets.apply(id, &changes, None).await.expect("applied");
        assert_eq!(ticket.served_by, ServedBy::Store, "no fallback is measured here");
    }
}
