//! Ours: the engine as a component, over the host's stores.

use async_trait::async_trait;
use ticket_host::store::{Fallback, Options};
use ticket_host::{Change, ServedBy, Settings, Tickets};
use ticket_tests::RedisServer;

use super::{Contender, decision, message};

/// How long an operation may take here: a crowd on two cores is no outage.
const DEADLINE_MS: u64 = 20_000;

pub(crate) struct Component {
    tickets: Tickets,
}

impl Component {
    /// As a service has it: a Redis server, with memory as its fallback.
    pub(crate) async fn on_redis(server: &RedisServer) -> Self {
        Self::open(&server.url()).await
    }

    pub(crate) async fn in_memory() -> Self {
        Self::open("memory:").await
    }

    async fn open(url: &str) -> Self {
        let settings = Settings { deadline_ms: DEADLINE_MS, ..Settings::default() };
        let options = Options { call_ms: DEADLINE_MS, ..Options::default() };
        let tickets = Tickets::open_with(url, &options, Some(Fallback::default()), settings).await;
        Self { tickets: tickets.expect("tickets") }
    }
}

#[async_trait]
impl Contender for Component {
    fn name(&self) -> &'static str {
        "component"
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
