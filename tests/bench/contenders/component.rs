//! Ours: the engine as a component, over the host's stores.

use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use ticket_host::{Change, ServedBy, StoreUrl, Tickets, TicketsBuilder};
use ticket_tests::RedisServer;

use super::{Contender, decision, message};

/// How long an operation may take here: load on two cores is not an outage.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Component {
    tickets: Tickets,
    name: &'static str,
    _folder: Option<TempDir>,
}

impl Component {
    /// As a service has it: a Redis server, with memory as its fallback.
    pub(crate) async fn on_redis(server: &RedisServer) -> Self {
        Self::open("component", builder(&server.url())).await
    }

    /// The same, and every change asks the server first.
    pub(crate) async fn on_redis_asked(server: &RedisServer) -> Self {
        Self::open("component, asking first", builder(&server.url()).cache_bytes_max(0)).await
    }

    pub(crate) async fn in_memory() -> Self {
        Self::open("component", builder("memory:")).await
    }

    /// With an instance of its own for every call.
    pub(crate) async fn in_memory_fresh() -> Self {
        Self::open("component, fresh instances", builder("memory:").fresh_instances(true)).await
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("tickets.db").display());
        Self { _folder: Some(folder), ..Self::open("component", builder(&url)).await }
    }

    async fn open(name: &'static str, builder: TicketsBuilder<StoreUrl>) -> Self {
        Self { tickets: builder.open().await.expect("tickets"), name, _folder: None }
    }

    /// A call that does next to nothing: it finds no ticket.
    pub(crate) async fn call(&self) {
        self.tickets.get("none").await.expect_err("it was never created");
    }
}

fn builder(url: &str) -> TicketsBuilder<StoreUrl> {
    Tickets::builder(url).deadline(DEADLINE)
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

    async fn messages(&self, id: &str) -> usize {
        let ticket = self.tickets.get(id).await.expect("a ticket");
        serde_json::from_str::<Vec<serde_json::Value>>(&ticket.history).expect("messages").len()
    }
}
