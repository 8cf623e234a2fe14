//! Foreign hands: what other programs do to a store behind its back, and what they see there.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};
use rusqlite::{Connection, params};
use ticket_host::store::{Condition, Entry, Fields, Key, Revision};

use crate::fixture::{Fixture, Ground, file};

/// Time to live that foreign programs give, in seconds.
pub const FOREIGN_TTL_S: u64 = 1_800;

/// What a foreign program may leave under a key that cannot be read as text fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Redis: a string.
    String,
    /// Redis: a list.
    List,
    /// Redis: a set.
    Set,
    /// Redis: a sorted set.
    SortedSet,
    /// Redis: a stream.
    Stream,
    /// A text that is not UTF-8.
    TextNotUtf8,
    /// A field name that is not UTF-8.
    NameNotUtf8,
    /// SQLite: an entry without fields.
    NoField,
    /// SQLite: a deadline before the beginning of time.
    NegativeDeadline,
}

impl Fixture {
    /// The damage that foreign programs can do to this store; none in the memory of a process.
    #[must_use]
    pub fn damages(&self) -> &'static [Damage] {
        use Damage::*;
        match &self.ground {
            Ground::Memory { .. } => &[],
            Ground::Sqlite { .. } => &[TextNotUtf8, NameNotUtf8, NoField, NegativeDeadline],
            Ground::Redis { .. } => &[String, List, Set, SortedSet, Stream, TextNotUtf8, NameNotUtf8],
        }
    }

    /// Plants damage under a key, whatever was there.
    pub async fn damage(&self, key: &Key, damage: Damage) {
        match &self.ground {
            Ground::Memory { .. } => panic!("no foreign hand reaches the memory of a process"),
            Ground::Sqlite { folder } => {
                let now_ms = self.now_ms().await;
                let connection = Connection::open(file(folder.path())).expect("the file");
                damage_rows(&connection, &self.stored_name(key), damage, now_ms);
            }
            Ground::Redis { client, .. } => {
                let mut client = client.clone();
                let name = self.stored_name(key);
                let () = redis::cmd("DEL").arg(&name).query_async(&mut client).await.expect("DEL");
                let () = damaging(&name, damage).query_async(&mut client).await.expect("damage");
                let mut expire = redis::cmd("EXPIRE");
                let () = expire.arg(&name).arg(FOREIGN_TTL_S).query_async(&mut client).await.expect("EXPIRE");
            }
        }
    }

    /// Takes the deadline from an entry; false where no foreign program could.
    pub async fn lose_deadline(&self, key: &Key) -> bool {
        let name = self.stored_name(key);
        match &self.ground {
            Ground::Memory { .. } => return false,
            Ground::Sqlite { folder } => {
                let connection = Connection::open(file(folder.path())).expect("the file");
                let rows = connection.execute("UPDATE entry SET expires_at_ms = 0 WHERE key = ?1", [name]);
                assert_eq!(rows.expect("update"), 1);
            }
            Ground::Redis { client, .. } => {
                let persisted: bool =
                    redis::cmd("PERSIST").arg(name).query_async(&mut client.clone()).await.expect("PERSIST");
                assert!(persisted);
            }
        }
        true
    }

    /// Writes an entry as a Python program does (`HSET`, `EXPIRE`); where no foreign program could, as one that
    /// uses the store. Fields that are not given stay on Redis, as a plain `HSET` has it.
    pub async fn foreign_write(&self, key: &Key, fields: &Fields) {
        match &self.ground {
            Ground::Memory { .. } | Ground::Sqlite { .. } => {
                for when in [Condition::Present, Condition::Absent] {
                    self.store.write(key, fields.clone(), FOREIGN_TTL_S * 1_000, &when).await.expect("write");
                }
            }
            Ground::Redis { client, .. } => {
                let name = self.stored_name(key);
                let mut lifecycle = redis::pipe();
                lifecycle.hset_multiple(&name, fields).ignore();
                lifecycle.expire(&name, i64::try_from(FOREIGN_TTL_S).expect("seconds")).ignore();
                let () = lifecycle.query_async(&mut client.clone()).await.expect("HSET and EXPIRE");
            }
        }
    }

    /// The revision of what is stored, asked behind the back of its store, which learns nothing of it; none where
    /// nothing is or no foreign program could ask.
    pub async fn foreign_revision(&self, key: &Key) -> Option<Revision> {
        let Ground::Redis { client, .. } = &self.ground else { return None };
        let (name, mut look) = (self.stored_name(key), redis::pipe());
        look.cmd("PEXPIRETIME").arg(&name).cmd("HGETALL").arg(&name);
        let (deadline_ms, fields): (i64, Vec<(String, String)>) =
            look.query_async(&mut client.clone()).await.expect("PEXPIRETIME and HGETALL");
        let entry = (fields, u64::try_from(deadline_ms).unwrap_or(0));
        (!entry.0.is_empty()).then(|| Entry::from(entry).revision)
    }

    /// Deletes an entry behind the back of its store.
    pub async fn foreign_delete(&self, key: &Key) {
        match &self.ground {
            Ground::Memory { .. } | Ground::Sqlite { .. } => {
                self.store.remove(key, &Condition::Present).await.expect("remove");
            }
            Ground::Redis { .. } => {
                let mut delete = redis::cmd("DEL");
                self.redis(delete.arg(self.stored_name(key))).await;
            }
        }
    }

    /// Runs a command as a plain Redis client.
    pub async fn redis(&self, command: &Cmd) -> Value {
        command.query_async(&mut self.redis_client()).await.expect("command of a plain client")
    }

    /// The plain client of a Redis fixture.
    #[must_use]
    pub fn redis_client(&self) -> MultiplexedConnection {
        match &self.ground {
            Ground::Redis { client, .. } => client.clone(),
            Ground::Memory { .. } | Ground::Sqlite { .. } => panic!("{} is no redis", self.name),
        }
    }

    /// The name of a key in the store.
    #[must_use]
    pub fn stored_name(&self, key: &Key) -> String {
        match &self.ground {
            Ground::Memory { .. } | Ground::Sqlite { .. } => key.to_string(),
            Ground::Redis { namespace, .. } => format!("{namespace}:{key}"),
        }
    }

    /// All that a foreign program sees of a key: content and deadline, as text to compare.
    pub async fn seen(&self, key: &Key) -> String {
        match &self.ground {
            Ground::Memory { .. } => format!("{:?}", self.entry(key).await),
            Ground::Sqlite { folder } => {
                rows(&Connection::open(file(folder.path())).expect("the file"), &self.stored_name(key))
            }
            Ground::Redis { .. } => seen_by(&mut self.redis_client(), &self.stored_name(key)).await,
        }
    }

    /// Plants names that look like a ticket's and are none; in the memory of a process nobody can.
    pub async fn plant_names(&self, names: &[&str]) {
        match &self.ground {
            Ground::Memory { .. } => {}
            Ground::Sqlite { folder } => {
                let connection = Connection::open(file(folder.path())).expect("the file");
                for name in names {
                    let put = connection.execute("INSERT INTO entry VALUES (?1, 0)", [name]);
                    assert_eq!(put.expect("a name"), 1);
                }
            }
            Ground::Redis { namespace, .. } => {
                for name in names {
                    let mut put = redis::cmd("HSET");
                    self.redis(put.arg(format!("{namespace}:{name}")).arg("facts").arg("{}")).await;
                }
            }
        }
    }

    /// Names of entries that have not ended; none in the memory of a process, where nobody can look.
    pub async fn names_alive(&self) -> Vec<String> {
        match &self.ground {
            Ground::Memory { .. } => Vec::new(),
            Ground::Sqlite { folder } => {
                let now_ms = i64::try_from(self.now_ms().await).expect("time");
                let connection = Connection::open(file(folder.path())).expect("the file");
                let sql = "SELECT key FROM entry WHERE expires_at_ms = 0 OR expires_at_ms >= ?1";
                let mut names = connection.prepare(sql).expect("select");
                let names = names.query_map([now_ms], |row| row.get(0)).expect("names");
                names.collect::<Result<_, _>>().expect("names")
            }
            Ground::Redis { .. } => self.names().await.unwrap_or_default(),
        }
    }

    /// All names that this fixture's entries have in the store; none where nobody but the store can look.
    pub async fn names(&self) -> Option<Vec<String>> {
        match &self.ground {
            Ground::Memory { .. } => None,
            Ground::Sqlite { folder } => {
                let connection = Connection::open(file(folder.path())).expect("the file");
                let mut names =
                    connection.prepare("SELECT key FROM entry UNION SELECT key FROM field").expect("select");
                let names = names.query_map([], |row| row.get(0)).expect("names");
                Some(names.collect::<Result<_, _>>().expect("names"))
            }
            Ground::Redis { namespace, client, .. } => {
                let mut keys = redis::cmd("KEYS");
                keys.arg(format!("{namespace}*"));
                let mut names: Vec<String> = keys.query_async(&mut client.clone()).await.expect("KEYS");
                names.sort();
                Some(names)
            }
        }
    }
}

/// All that a plain Redis client sees under a name: content and deadline, as text to compare.
pub async fn seen_by(client: &mut MultiplexedConnection, name: &str) -> String {
    let kind: String = redis::cmd("TYPE").arg(name).query_async(client).await.expect("TYPE");
    let mut seen = redis::pipe();
    seen.cmd("PEXPIRETIME").arg(name);
    if kind == "hash" {
        // By name: a hash table has no order, and moves while it is looked at.
        seen.hgetall(name);
        let (deadline_ms, fields): (i64, BTreeMap<Vec<u8>, Vec<u8>>) = seen.query_async(client).await.expect("HGETALL");
        return format!("{deadline_ms} {fields:?}");
    }
    seen.cmd("DUMP").arg(name);
    let (deadline_ms, content): (i64, Option<Vec<u8>>) = seen.query_async(client).await.expect("DUMP");
    format!("{deadline_ms} {kind} {content:?}")
}

fn damaging(name: &str, damage: Damage) -> Cmd {
    let (command, arguments): (&str, &[&[u8]]) = match damage {
        Damage::String => ("SET", &[b"text"]),
        Damage::List => ("RPUSH", &[b"a", b"b"]),
        Damage::Set => ("SADD", &[b"a"]),
        Damage::SortedSet => ("ZADD", &[b"1", b"a"]),
        Damage::Stream => ("XADD", &[b"*", b"facts", b"{}"]),
        Damage::TextNotUtf8 => ("HSET", &[b"facts", b"\xff\xfe", b"history", b"[]"]),
        Damage::NameNotUtf8 => ("HSET", &[b"facts", b"{}", b"\xc3", b"x"]),
        Damage::NoField | Damage::NegativeDeadline => panic!("redis has no {damage:?}"),
    };
    let mut command = redis::cmd(command);
    command.arg(name).arg(arguments);
    command
}

fn damage_rows(connection: &Connection, name: &str, damage: Damage, now_ms: u64) {
    let deadline_ms = match damage {
        Damage::NegativeDeadline => -5,
        _ => i64::try_from(now_ms + FOREIGN_TTL_S * 1_000).expect("deadline"),
    };
    let (field, text): (&[u8], &[u8]) = match damage {
        Damage::TextNotUtf8 => (b"facts", b"\xff\xfe"),
        Damage::NameNotUtf8 => (b"\xc3", b"{}"),
        _ => (b"facts", b"{}"),
    };
    let put = |sql: &str, values: &[&dyn rusqlite::ToSql]| connection.execute(sql, values).expect("damage");
    put("DELETE FROM field WHERE key = ?1", params![name]);
    put("INSERT OR REPLACE INTO entry VALUES (?1, ?2)", params![name, deadline_ms]);
    if damage != Damage::NoField {
        put("INSERT INTO field VALUES (?1, CAST(?2 AS TEXT), CAST(?3 AS TEXT))", params![name, field, text]);
    }
}

/// Content and deadline of an entry in the file, as text to compare.
fn rows(connection: &Connection, name: &str) -> String {
    let mut select = connection
        .prepare(
            "SELECT coalesce(max(expires_at_ms), '') FROM entry WHERE key = ?1
             UNION ALL
             SELECT * FROM (SELECT hex(name) || '=' || hex(value) FROM field WHERE key = ?1 ORDER BY name)",
        )
        .expect("select");
    let rows = select.query_map([name], |row| row.get_ref(0).map(|value| format!("{value:?}"))).expect("rows");
    rows.collect::<Result<Vec<_>, _>>().expect("rows").join(" ")
}
