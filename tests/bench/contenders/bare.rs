//! The lower bound: the cost of a round trip that does nothing, or only stores the same bytes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use redis::Script;
use redis::aio::MultiplexedConnection;
use ticket_tests::RedisServer;

use super::by_hand::{connect, prepare};
use super::{Contender, TTL_S, fields};

enum Command {
    /// `EVALSHA` of a script that does nothing.
    Evalsha(Script),
    /// `HSET` of whole tickets and `PEXPIRE`, in one pipeline.
    Hset(Mutex<Arc<Whole>>),
}

type Whole = [(&'static str, String); 6];

pub(crate) struct Bare {
    connection: MultiplexedConnection,
    command: Command,
}

impl Bare {
    pub(crate) async fn evalsha(server: &RedisServer) -> Self {
        Self { connection: connect(server).await, command: Command::Evalsha(Script::new("return 1")) }
    }

    /// Stores tickets with the history that was prepared last.
    pub(crate) async fn hset(server: &RedisServer) -> Self {
        let command = Command::Hset(Mutex::new(Arc::new(fields(0))));
        Self { connection: connect(server).await, command }
    }
}

#[async_trait]
impl Contender for Bare {
    fn name(&self) -> &'static str {
        match self.command {
            Command::Evalsha(_) => "empty EVALSHA",
            Command::Hset(_) => "bare HSET + PEXPIRE",
        }
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        if let Command::Hset(whole) = &self.command {
            *whole.lock().expect("lock") = Arc::new(fields(history));
        }
        prepare(&self.connection, ids, history).await;
    }

    async fn interact(&self, id: &str, _number: usize) {
        let (mut connection, key) = (self.connection.clone(), format!("ticket:{id}"));
        match &self.command {
            Command::Evalsha(script) => {
                let _: i64 = script.key(&key).invoke_async(&mut connection).await.expect("EVALSHA");
            }
            Command::Hset(whole) => {
                let whole = Arc::clone(&whole.lock().expect("lock"));
                let mut pipeline = redis::pipe();
                pipeline.hset_multiple(&key, &*whole).ignore();
                pipeline.cmd("PEXPIRE").arg(&key).arg(u64::from(TTL_S) * 1_000).ignore();
                let _: () = pipeline.query_async(&mut connection).await.expect("HSET");
            }
        }
    }
}
