//! What a program does without this project: `HGETALL`, a change with serde_json, `HSET` and `EXPIRE` in one pipeline. It loses
//! updates if two clients change one ticket.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use ticket_tests::RedisServer;

use super::{Contender, TTL_S, decision, fields, message};

pub(crate) struct ByHand {
    connection: MultiplexedConnection,
}

impl ByHand {
    pub(crate) async fn on_redis(server: &RedisServer) -> Self {
        Self { connection: connect(server).await }
    }
}

/// A connection that does not wait to fill a packet.
pub(super) async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let mut connection = server.client().await;
    let _: () = redis::cmd("PING").query_async(&mut connection).await.expect("PING");
    connection
}

/// Creates tickets as a plain client does.
pub(super) async fn prepare(connection: &MultiplexedConnection, ids: &[String], history: usize) {
    let mut connection = connection.clone();
    let fields = fields(history);
    for ids in ids.chunks(64) {
        let mut pipeline = redis::pipe();
        for id in ids {
            pipeline.hset_multiple(format!("ticket:{id}"), &fields).ignore();
            pipeline.cmd("EXPIRE").arg(format!("ticket:{id}")).arg(TTL_S).ignore();
        }
        let _: () = pipeline.query_async(&mut connection).await.expect("HSET");
    }
}

/// A ticket as a plain client reads it.
pub(super) type Fields = HashMap<String, String>;

pub(super) async fn read(connection: &mut MultiplexedConnection, key: &str) -> Fields {
    redis::cmd("HGETALL").arg(key).query_async(connection).await.expect("HGETALL")
}

/// The messages that a plain client finds in a ticket.
pub(super) async fn messages(connection: &MultiplexedConnection, id: &str) -> usize {
    let stored = read(&mut connection.clone(), &format!("ticket:{id}")).await;
    serde_json::from_str::<Vec<Value>>(&stored["history"]).expect("messages").len()
}

pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

/// The fields after interaction `number`.
pub(super) fn changed(stored: &Fields, number: usize) -> [(&'static str, String); 6] {
    let json = |name: &str| serde_json::from_str::<Value>(&stored[name]).expect("JSON");
    let (facts, mut history) = (json("facts"), json("history"));
    let said = serde_json::from_str(&message(number)).expect("a message");
    history.as_array_mut().expect("messages").push(said);
    let decision: Value = serde_json::from_str(&decision(number)).expect("a decision");
    [
        ("facts", facts.to_string()),
        ("history", history.to_string()),
        ("last_decision", decision.to_string()),
        ("created_at", stored["created_at"].clone()),
        ("updated_at", now().as_secs().to_string()),
        ("version", stored["version"].clone()),
    ]
}

#[async_trait]
impl Contender for ByHand {
    fn name(&self) -> &'static str {
        "by hand (redis-rs)"
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        prepare(&self.connection, ids, history).await;
    }

    async fn interact(&self, id: &str, number: usize) {
        let (mut connection, key) = (self.connection.clone(), format!("ticket:{id}"));
        let changed = changed(&read(&mut connection, &key).await, number);
        let mut pipeline = redis::pipe();
        pipeline.hset_multiple(&key, &changed).ignore().cmd("EXPIRE").arg(&key).arg(TTL_S).ignore();
        let _: () = pipeline.query_async(&mut connection).await.expect("HSET");
    }

    async fn messages(&self, id: &str) -> usize {
        messages(&self.connection, id).await
    }
}
