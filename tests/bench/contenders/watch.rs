//! By hand without lost updates: `WATCH`, `HGETALL`, a change, then a transaction that fails if the ticket was changed.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use ticket_tests::RedisServer;

use super::by_hand::{changed, connect, messages, now, prepare, read};
use super::{Contender, TTL_S};

pub(crate) struct Watch {
    server: Arc<RedisServer>,
    connection: MultiplexedConnection,
    /// Connections that no caller uses: `WATCH` concerns all that a connection sends, so callers cannot share one.
    idle: Mutex<Vec<MultiplexedConnection>>,
}

impl Watch {
    pub(crate) async fn on_redis(server: &Arc<RedisServer>) -> Self {
        Self { server: Arc::clone(server), connection: connect(server).await, idle: Mutex::default() }
    }

    async fn connection(&self) -> MultiplexedConnection {
        let idle = self.idle.lock().expect("lock").pop();
        match idle {
            Some(connection) => connection,
            None => connect(&self.server).await,
        }
    }
}

#[async_trait]
impl Contender for Watch {
    fn name(&self) -> &'static str {
        "by hand with WATCH"
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        prepare(&self.connection, ids, history).await;
    }

    async fn interact(&self, id: &str, number: usize) {
        let (mut connection, key) = (self.connection().await, format!("ticket:{id}"));
        loop {
            let _: () = redis::cmd("WATCH").arg(&key).query_async(&mut connection).await.expect("WATCH");
            let changed = changed(&read(&mut connection, &key).await, number);
            let expires_at_ms = now().as_millis() as u64 + u64::from(TTL_S) * 1_000;
            let mut pipeline = redis::pipe();
            pipeline.atomic().hset_multiple(&key, &changed).ignore();
            pipeline.cmd("PEXPIREAT").arg(&key).arg(expires_at_ms).ignore();
            // `EXEC` returns nil if another client changed the ticket.
            let written: Option<()> = pipeline.query_async(&mut connection).await.expect("EXEC");
            if written.is_some() {
                break;
            }
        }
        self.idle.lock().expect("lock").push(connection);
    }

    async fn messages(&self, id: &str) -> usize {
        messages(&self.connection, id).await
    }
}
