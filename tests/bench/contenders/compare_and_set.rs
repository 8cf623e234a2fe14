//! By hand without lost updates: `HGETALL`, a change, then a script that stores it if the ticket is still the one read.

use async_trait::async_trait;
use redis::Script;
use redis::aio::MultiplexedConnection;
use ticket_tests::RedisServer;

use super::by_hand::{changed, connect, messages, prepare, read};
use super::{Contender, TTL_S};

/// Arguments: the counter as it was read, seconds to live, name, text, name, text, …
const STORE_IF_SAME: &str = "\
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1";

/// Compares a counter in `version`: `updated_at` has whole seconds, so two changes of one second would look the same.
pub(crate) struct CompareAndSet {
    connection: MultiplexedConnection,
    script: Script,
}

impl CompareAndSet {
    pub(crate) async fn on_redis(server: &RedisServer) -> Self {
        Self { connection: connect(server).await, script: Script::new(STORE_IF_SAME) }
    }
}

#[async_trait]
impl Contender for CompareAndSet {
    fn name(&self) -> &'static str {
        "by hand with a script"
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        prepare(&self.connection, ids, history).await;
    }

    async fn interact(&self, id: &str, number: usize) {
        let (mut connection, key) = (self.connection.clone(), format!("ticket:{id}"));
        loop {
            let stored = read(&mut connection, &key).await;
            let counter: u64 = stored["version"].parse().expect("a counter");
            let mut call = self.script.key(&key);
            call.arg(counter).arg(TTL_S);
            for (name, text) in changed(&stored, number) {
                let text = if name == "version" { (counter + 1).to_string() } else { text };
                call.arg(name).arg(text);
            }
            let is_stored: bool = call.invoke_async(&mut connection).await.expect("EVALSHA");
            if is_stored {
                break;
            }
        }
    }

    async fn messages(&self, id: &str) -> usize {
        messages(&self.connection, id).await
    }
}
