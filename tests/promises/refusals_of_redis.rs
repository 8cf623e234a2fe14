//! P19 on Redis: servers that are full or read-only, forbid a command, or hang.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use ticket_conformance::steps::{TTL_MS, applied, create, existing, fields, key, numbered};
use ticket_host::store::{Condition, Error, Fields, Kind, Namespace, Options, Outcome, RedisStore, SharedStore};
use ticket_tests::RedisServer;

/// The commands of the store, and some more.
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
    "copy",
    "rename",
    "multi",
    "exec",
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

/// A server, a store that logs in as a user of it, its administrator, and the failures.
struct Refusals {
    server: RedisServer,
    store: SharedStore,
    administrator: MultiplexedConnection,
    failures: Vec<String>,
}

pub(crate) async fn check() {
    let server = RedisServer::start(&[]);
    let mut administrator = server.client().await;
    command(&mut administrator, "ACL SETUSER agent on >secret ~* &* +@all").await;
    let store = store_of(&server, 20_000).await;
    let mut refusals = Refusals { server, store, administrator, failures: Vec::new() };
    let mut changes_made = 0;
    for forbidden in COMMANDS {
        changes_made += refusals.under(&format!("ACL SETUSER agent -{forbidden}"), "ACL SETUSER agent +@all").await;
    }
    assert!(changes_made > 20, "commands that the store does not use must not matter: {changes_made}");
    refusals.under("ACL SETUSER agent resetkeys ~other:*", "ACL SETUSER agent ~*").await;
    refusals.under("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0").await;
    refusals.under("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE").await;
    refusals.while_paused().await;
    assert!(
        refusals.failures.is_empty(),
        "written although the answer says otherwise:\n{}",
        refusals.failures.join("\n")
    );
}

async fn store_of(server: &RedisServer, call_ms: u64) -> SharedStore {
    let namespace = Some(Namespace::parse(NAMESPACE).expect("namespace"));
    let options = Options::default().namespace(namespace).call_time(Duration::from_millis(call_ms));
    std::sync::Arc::new(RedisStore::open(&server.url_of("agent", "secret"), &options).await.expect("store"))
}

async fn command(client: &mut MultiplexedConnection, line: &str) {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    let () = command.arg(words.collect::<Vec<_>>()).query_async(client).await.expect(line);
}

/// The changes to try: more, fewer or other fields, another deadline, and a removal.
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

impl Refusals {
    /// Tries every change after the command `order`; the command `back` reverts it. Returns how many were made
    /// nevertheless.
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

    /// Tries one change; returns whether it was made.
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
        let before = dump(&mut self.administrator, &name).await;
        // A connection tries once what the server may refuse.
        self.store = store_of(&self.server, 20_000).await;
        command(&mut self.administrator, order).await;
        let outcome = match what {
            "touch" => self.store.touch(&key, 2 * TTL_MS).await,
            "remove" => self.store.remove(&key, &when).await,
            _ => self.store.write(&key, change, TTL_MS, &when).await,
        };
        let after = dump(&mut self.administrator, &name).await;
        command(&mut self.administrator, back).await;
        let answer = match outcome {
            Ok(Outcome::Written { .. } | Outcome::Removed) => return true,
            Ok(Outcome::Refused(_)) => "refused".to_owned(),
            Err(error) if may_have_written(&error) => return false,
            Err(error) => error.chain(),
        };
        if after != before {
            self.failures.push(format!("{order}: {what} of {id}, {when:?}: {answer}"));
        }
        false
    }

    /// A paused server may make the change later: the answer must be `Uncertain` if it does.
    async fn while_paused(&mut self) {
        let store = store_of(&self.server, 150).await;
        for (what, change) in changes() {
            let key = key(&format!("still-{what}"));
            let name = format!("{NAMESPACE}:{key}");
            // With another time to live than the change, so that the change is visible.
            applied(store.write(&key, numbered(1), TTL_MS / 2, &Condition::Absent).await);
            let when = Condition::At(existing(&store, &key).await.revision);
            let before = dump(&mut self.administrator, &name).await;
            self.server.pause();
            let outcome = match what {
                "touch" => store.touch(&key, TTL_MS).await,
                "remove" => store.remove(&key, &when).await,
                _ => store.write(&key, change, TTL_MS, &when).await,
            };
            self.server.resume();
            let error = outcome.expect_err("an error from a paused server");
            // The server has executed everything sent before once it has answered a later connection.
            drop(store_of(&self.server, 20_000).await);
            let after = dump(&mut self.administrator, &name).await;
            if !may_have_written(&error) && after != before {
                self.failures.push(format!("while paused: {what}: {}", error.chain()));
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
async fn dump(client: &mut MultiplexedConnection, name: &str) -> String {
    let mut look = redis::pipe();
    look.cmd("PEXPIRETIME").arg(name).hgetall(name);
    let (deadline_ms, fields): (i64, BTreeMap<String, String>) = look.query_async(client).await.expect("HGETALL");
    format!("{deadline_ms} {fields:?}")
}
