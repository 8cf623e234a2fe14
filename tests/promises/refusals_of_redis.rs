//! P19 on Redis: servers that are full, read-only, or forbid a command, or stand still.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use ticket_conformance::steps::{TTL_MS, applied, create, existing, fields, key, numbered};
use ticket_host::store::{Condition, Error, Fields, Kind, Namespace, Options, Outcome, RedisStore, SharedStore};
use ticket_tests::RedisServer;

/// What a store may ask of a server, and then some.
const COMMANDS: &[&str] = &[
    "hset",
    "hdel",
    "hget",
    "hmget",
    "hgetall",
    "hlen",
    "hkeys",
    "hstrlen",
    "hexists",
    "del",
    "unlink",
    "exists",
    "type",
    "time",
    "expire",
    "pexpire",
    "pexpireat",
    "pexpiretime",
    "pttl",
    "eval",
    "evalsha",
    "script",
    "ping",
    "info",
    "client",
    "hello",
];
const NAMESPACE: &str = "refusals";

/// A server of its own, a store that is a user of it, its administrator, and what went wrong.
struct TestBackend {
    server: RedisServer,
    store: SharedStore,
    administrator: MultiplexedConnection,
    wrongs: Vec<String>,
}

pub(crate) async fn check() {
    let server = RedisServer::start(&[]);
    let mut administrator = server.client().await;
    command(&mut administrator, "ACL SETUSER agent on >secret ~* &* +@all").await;
    let store = store_of(&server, 20_000).await;
    let mut backend = TestBackend { server, store, administrator, wrongs: Vec::new() };
    let mut changes_made = 0;
    for forbidden in COMMANDS {
        changes_made += backend.under(&format!("ACL SETUSER agent -{forbidden}"), "ACL SETUSER agent +@all").await;
    }
    assert!(changes_made > 20, "commands that the store does not need are not missed: {changes_made}");
    backend.under("ACL SETUSER agent resetkeys ~other:*", "ACL SETUSER agent ~*").await;
    backend.under("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0").await;
    backend.under("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE").await;
    backend.while_it_stands_still().await;
    assert!(backend.wrongs.is_empty(), "written in spite of the answer:\n{}", backend.wrongs.join("\n"));
}

async fn store_of(server: &RedisServer, call_ms: u64) -> SharedStore {
    let namespace = Some(Namespace::parse(NAMESPACE).expect("namespace"));
    let options = Options { namespace, call_ms, ..Options::default() };
    std::sync::Arc::new(RedisStore::open(&server.url_of("agent", "secret"), &options).await.expect("store"))
}

async fn command(client: &mut MultiplexedConnection, line: &str) {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    let () = command.arg(words.collect::<Vec<_>>()).query_async(client).await.expect(line);
}

/// The changes that are tried: each makes what the entry has more, less, or otherwise.
fn changes() -> Vec<(&'static str, Fields)> {
    let few = fields(&[("facts", "{}")]);
    vec![
        ("few", few),
        ("same", numbered(1)),
        ("other", numbered(123_456)),
        ("touch", Vec::new()),
        ("remove", Vec::new()),
    ]
}

impl TestBackend {
    /// Tries every change while the server is as `order` makes it; `back` makes it well again. Answers how many
    /// were made all the same.
    async fn under(&mut self, order: &str, back: &str) -> usize {
        let mut made = 0;
        for (what, change) in changes() {
            for id in ["kept", "new"] {
                for named in [false, true] {
                    made += usize::from(self.one(order, back, (what, change.clone()), id, named).await);
                }
            }
        }
        made
    }

    /// Tries one change; true where it was made.
    async fn one(&mut self, order: &str, back: &str, (what, change): (&str, Fields), id: &str, named: bool) -> bool {
        let key = key(id);
        let name = format!("{NAMESPACE}:{key}");
        command(&mut self.administrator, &format!("DEL {name}")).await;
        let when = match (id, named) {
            ("kept", true) => Condition::At(create(&self.store, &key, numbered(1)).await.revision),
            ("kept", false) => {
                create(&self.store, &key, numbered(1)).await;
                Condition::Present
            }
            _ => Condition::Absent,
        };
        let before = seen_by(&mut self.administrator, &name).await;
        command(&mut self.administrator, order).await;
        let outcome = match what {
            "touch" => self.store.touch(&key, 2 * TTL_MS).await,
            "remove" => self.store.remove(&key, &when).await,
            _ => self.store.write(&key, change, TTL_MS, &when).await,
        };
        let after = seen_by(&mut self.administrator, &name).await;
        command(&mut self.administrator, back).await;
        let answer = match outcome {
            Ok(Outcome::Written { .. } | Outcome::Removed) => return true,
            Ok(Outcome::Refused(_)) => "refused".to_owned(),
            Err(error) if may_have_written(&error) => return false,
            Err(error) => error.chain(),
        };
        if after != before {
            self.wrongs.push(format!("{order}: {what} of {id}, {when:?}: {answer}"));
        }
        false
    }

    /// A server that stands still may make the change later: only `Uncertain` may be said of it.
    async fn while_it_stands_still(&mut self) {
        let store = store_of(&self.server, 150).await;
        for (what, change) in changes() {
            let key = key(&format!("still-{what}"));
            let name = format!("{NAMESPACE}:{key}");
            // With a time to live that the change does not name, so that it shows.
            applied(store.write(&key, numbered(1), TTL_MS / 2, &Condition::Absent).await);
            let when = Condition::At(existing(&store, &key).await.revision);
            let before = seen_by(&mut self.administrator, &name).await;
            self.server.pause();
            let outcome = match what {
                "touch" => store.touch(&key, TTL_MS).await,
                "remove" => store.remove(&key, &when).await,
                _ => store.write(&key, change, TTL_MS, &when).await,
            };
            self.server.resume();
            let error = outcome.expect_err("an answer from a server that stands still");
            // Whatever is on its way has arrived when connections that are younger have been answered.
            drop(store_of(&self.server, 20_000).await);
            let after = seen_by(&mut self.administrator, &name).await;
            if !may_have_written(&error) && after != before {
                self.wrongs.push(format!("while it stands still: {what}: {}", error.chain()));
            }
        }
    }
}

fn may_have_written(error: &Error) -> bool {
    match error.kind() {
        Kind::Uncertain => true,
        Kind::Invalid | Kind::TooLarge(_) | Kind::Denied | Kind::Unavailable | Kind::Corrupt => false,
    }
}

/// Content and deadline of a hash, as text to compare.
async fn seen_by(client: &mut MultiplexedConnection, name: &str) -> String {
    let mut look = redis::pipe();
    look.cmd("PEXPIRETIME").arg(name).hgetall(name);
    let (deadline_ms, fields): (i64, BTreeMap<String, String>) = look.query_async(client).await.expect("HGETALL");
    format!("{deadline_ms} {fields:?}")
}
