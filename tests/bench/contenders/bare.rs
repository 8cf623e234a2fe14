//! The lower bound: the cost of a round trip that does nothing, or only stores the same bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Script};
use ticket_tests::RedisServer;
use ticket_tests::fake_redis::{Kind, Script as OfHost};

use super::by_hand::{connect, prepare};
use super::{Contender, TTL_S, fields};

enum Command {
    /// `EVALSHA` of a script that does nothing.
    Evalsha,
    /// `HSET` of whole tickets and `PEXPIRE`, in one pipeline.
    Hset,
    /// The command of the usual write of little text.
    InPlace,
}

type Whole = [(&'static str, String); 6];

pub(crate) struct Bare {
    connection: MultiplexedConnection,
    command: Command,
    script: Script,
    deadlines_ms: Mutex<HashMap<String, u64>>,
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

    pub(crate) async fn in_place(server: &RedisServer) -> Self {
        Self::new(server, Command::InPlace).await
    }

    async fn new(server: &RedisServer, command: Command) -> Self {
        let text = if let Command::InPlace = command { OfHost::of(Kind::InPlace).text } else { "return 1" };
        let (mut connection, script) = (connect(server).await, Script::new(text));
        script.load_async(&mut connection).await.expect("SCRIPT LOAD");
        let (deadlines_ms, whole) = (Mutex::default(), Mutex::new(Arc::new(fields(0))));
        Self { connection, command, script, deadlines_ms, whole }
    }

    /// Gives a ticket a later deadline: the one before and this.
    fn later(&self, key: &str) -> Option<(u64, u64)> {
        let mut deadlines_ms = self.deadlines_ms.lock().expect("lock");
        let deadline_ms = deadlines_ms.get_mut(key)?;
        *deadline_ms += 1;
        Some((*deadline_ms - 1, *deadline_ms))
    }

    fn in_place_write(&self, key: &str, whole: &Whole) -> Cmd {
        let [facts, history, decision, created_at, updated_at, version] = whole;
        let (before_ms, after_ms) = self.later(key).expect("prepared");
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.get_hash()).arg(1).arg(key);
        command.arg(before_ms).arg(&created_at.1).arg(&updated_at.1);
        command.arg(&[facts, history, decision].map(|(_, text)| text.len()));
        command.arg(after_ms).arg(6).arg(3).arg(&[facts.0, created_at.0, version.0]);
        command.arg(&[history, decision, updated_at]);
        command
    }

    /// Makes the deadlines of tickets known.
    async fn set_deadlines(&self, ids: &[String]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let deadline_ms = (now.as_secs() + u64::from(TTL_S)) * 1_000;
        let mut pipeline = redis::pipe();
        for id in ids {
            let key = format!("ticket:{id}");
            pipeline.cmd("PEXPIREAT").arg(&key).arg(deadline_ms).ignore();
            self.deadlines_ms.lock().expect("lock").insert(key, deadline_ms);
        }
        let _: () = pipeline.query_async(&mut self.connection.clone()).await.expect("PEXPIREAT");
    }
}

#[async_trait]
impl Contender for Bare {
    fn name(&self) -> &'static str {
        match self.command {
            Command::Evalsha => "empty EVALSHA",
            Command::Hset => "bare HSET + PEXPIRE",
            Command::InPlace => "bare usual write",
        }
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        *self.whole.lock().expect("lock") = Arc::new(fields(history));
        prepare(&self.connection, ids, history).await;
        self.set_deadlines(ids).await;
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
            Command::InPlace => {
                let command = self.in_place_write(&key, &whole);
                let time: Option<(u64, u64)> = command.query_async(&mut connection).await.expect("EVALSHA");
                assert!(time.is_some(), "written");
            }
        }
    }
}
