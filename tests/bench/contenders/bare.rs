//! The lower bound: the cost of a round trip that does nothing, or only stores the same bytes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Script};
use ticket_tests::RedisServer;

use super::by_hand::{connect, prepare};
use super::{Contender, TTL_S, fields};

enum Command {
    /// `EVALSHA` of a script that does nothing.
    Evalsha,
    /// `HSET` of whole tickets and `PEXPIRE`, in one pipeline.
    Hset,
    /// The commands of the usual write, with a script that does nothing: a copy, `HSET` of what changes, `DEL`.
    Staged,
}

type Whole = [(&'static str, String); 6];

pub(crate) struct Bare {
    connection: MultiplexedConnection,
    command: Command,
    script: Script,
    /// A ticket with the history that was prepared last.
    whole: Mutex<Arc<Whole>>,
}

impl Bare {
    pub(crate) async fn evalsha(server: &RedisServer) -> Self {
        Self::new(server, Command::Evalsha).await
    }

    pub(crate) async fn hset(server: &RedisServer) -> Self {
        Self::new(server, Command::Hset).await
    }

    pub(crate) async fn staged(server: &RedisServer) -> Self {
        Self::new(server, Command::Staged).await
    }

    async fn new(server: &RedisServer, command: Command) -> Self {
        let (mut connection, script) = (connect(server).await, Script::new("return 1"));
        script.load_async(&mut connection).await.expect("SCRIPT LOAD");
        Self { connection, command, script, whole: Mutex::new(Arc::new(fields(0))) }
    }

    fn staged_write(&self, key: &str, whole: &Whole) -> Pipeline {
        const MARK: &str = "0123456789abcdef";
        let staged = format!("{key}{{{key}}}{MARK}");
        let [facts, history, decision, created_at, updated_at, _] = whole;
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("COPY").arg(key).arg(&staged).ignore();
        pipeline.cmd("HSET").arg(&staged).arg(&[history, decision, updated_at]).arg(MARK).arg("").ignore();
        let script = pipeline.cmd("EVALSHA").arg(self.script.get_hash()).arg(2).arg(key).arg(&staged);
        // The parts of a revision, the new deadline, the furthest one; then what is needed of a copy.
        script.arg(1_750_001_800_000_u64).arg(&created_at.1).arg(&updated_at.1);
        script.arg(&[facts, history, decision].map(|(_, text)| text.len()));
        script.arg(1_750_001_800_001_u64).arg(31_622_400_000_u64);
        script.arg(MARK).arg(6).arg(&["facts", "created_at", "version"]);
        pipeline.del(&staged).ignore();
        pipeline
    }
}

#[async_trait]
impl Contender for Bare {
    fn name(&self) -> &'static str {
        match self.command {
            Command::Evalsha => "empty EVALSHA",
            Command::Hset => "bare HSET + PEXPIRE",
            Command::Staged => "bare COPY + HSET",
        }
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        *self.whole.lock().expect("lock") = Arc::new(fields(history));
        prepare(&self.connection, ids, history).await;
    }

    async fn interact(&self, id: &str, _number: usize) {
        let (mut connection, key) = (self.connection.clone(), format!("ticket:{id}"));
        let whole = Arc::clone(&self.whole.lock().expect("lock"));
        match &self.command {
            Command::Evalsha => {
                let _: i64 = self.script.key(&key).invoke_async(&mut connection).await.expect("EVALSHA");
            }
            Command::Hset => {
                let mut pipeline = redis::pipe();
                pipeline.hset_multiple(&key, &*whole).ignore();
                pipeline.cmd("PEXPIRE").arg(&key).arg(u64::from(TTL_S) * 1_000).ignore();
                let _: () = pipeline.query_async(&mut connection).await.expect("HSET");
            }
            Command::Staged => {
                let pipeline = self.staged_write(&key, &whole);
                let (guard,): (i64,) = pipeline.query_async(&mut connection).await.expect("EXEC");
                assert_eq!(guard, 1, "the guard ran");
            }
        }
    }
}
