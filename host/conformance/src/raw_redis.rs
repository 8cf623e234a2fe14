//! A raw client of a Redis server: plain commands over a connection of redis-rs.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue};
use ticket_store::{Entry, Error, Fields, Kind, Revision};

use crate::backend::{BoxError, Damage, EXTERNAL_TTL_MS, RawClient};

/// Names that one SCAN inspects: few round trips, and none that blocks the server.
const NAMES_PER_SCAN: usize = 1_000;

/// Time limit of one command and of connecting: a slow machine is not an outage.
const CALL_TIME: Duration = Duration::from_secs(20);

/// A raw client of a server.
pub(crate) struct RawRedis(MultiplexedConnection);

impl RawRedis {
    /// Connects to the server of a URL; `rediss://` verifies its certificate by the roots of the system.
    pub(crate) async fn connect(url: &str) -> Result<Self, Error> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CALL_TIME)).set_response_timeout(Some(CALL_TIME));
        // The error of redis-rs contains no part of the URL, which may contain a password.
        let client = redis::Client::open(url).map_err(|error| Error::invalid("invalid redis URL").caused_by(error))?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        connection.map(Self).map_err(|error| {
            let kind = match error.kind() {
                redis::ErrorKind::AuthenticationFailed => Kind::Denied,
                _ => Kind::Unavailable,
            };
            let address = client.get_connection_info().addr();
            Error::new(kind, format!("cannot connect to redis at {address} with a raw client")).caused_by(error)
        })
    }

    fn client(&self) -> MultiplexedConnection {
        self.0.clone()
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BoxError> {
        Ok(command.query_async(&mut self.client()).await?)
    }

    async fn deadline_ms(&self, name: &str) -> Result<i64, BoxError> {
        self.ask(redis::cmd("PEXPIRETIME").arg(name)).await
    }
}

#[async_trait]
impl RawClient for RawRedis {
    async fn now_ms(&self) -> Result<u64, BoxError> {
        let (seconds, microseconds): (u64, u64) = self.ask(&redis::cmd("TIME")).await?;
        Ok(seconds * 1_000 + microseconds / 1_000)
    }

    async fn advance_deadlines(&self, prefix: &str, ms: u64) -> Result<(), BoxError> {
        // A script, so that no deadline passes between reading and changing it.
        const ADVANCE: &str = "for _, key in ipairs(KEYS) do \
                                  local deadline = redis.call('PEXPIRETIME', key) \
                                  if deadline > 0 then \
                                      redis.call('PEXPIREAT', key, string.format('%.0f', deadline - ARGV[1])) \
                                  end \
                              end";
        let names = self.names(prefix, true).await?;
        for names in names.chunks(NAMES_PER_SCAN) {
            let mut eval = redis::cmd("EVAL");
            let () = self.ask(eval.arg(ADVANCE).arg(names.len()).arg(names).arg(ms)).await?;
        }
        Ok(())
    }

    async fn write(&self, name: &str, fields: &Fields, ttl_ms: u64, keep_others: bool) -> Result<(), BoxError> {
        let mut pipeline = redis::pipe();
        if !keep_others {
            pipeline.del(name).ignore();
        }
        pipeline.hset_multiple(name, fields).ignore();
        pipeline.pexpire(name, i64::try_from(ttl_ms)?).ignore();
        Ok(pipeline.query_async(&mut self.client()).await?)
    }

    async fn delete(&self, name: &str) -> Result<(), BoxError> {
        self.ask(redis::cmd("DEL").arg(name)).await
    }

    async fn clear_deadline(&self, name: &str) -> Result<(), BoxError> {
        match self.ask(redis::cmd("PERSIST").arg(name)).await? {
            true => Ok(()),
            false => Err(format!("{name} does not exist or has no deadline").into()),
        }
    }

    fn damages(&self) -> &'static [Damage] {
        use Damage::{List, NameNotUtf8, Set, SortedSet, Stream, String, TextNotUtf8};
        &[String, List, Set, SortedSet, Stream, TextNotUtf8, NameNotUtf8]
    }

    async fn damage(&self, name: &str, damage: Damage) -> Result<(), BoxError> {
        let (command, arguments): (&str, &[&[u8]]) = match damage {
            Damage::String => ("SET", &[b"text"]),
            Damage::List => ("RPUSH", &[b"a", b"b"]),
            Damage::Set => ("SADD", &[b"a"]),
            Damage::SortedSet => ("ZADD", &[b"1", b"a"]),
            Damage::Stream => ("XADD", &[b"*", b"facts", b"{}"]),
            Damage::TextNotUtf8 => ("HSET", &[b"facts", b"\xff\xfe", b"history", b"[]"]),
            Damage::NameNotUtf8 => ("HSET", &[b"facts", b"{}", b"\xc3", b"x"]),
            Damage::NoField | Damage::NegativeDeadline => return Err(format!("redis has no {damage:?}").into()),
        };
        self.delete(name).await?;
        let mut put = redis::cmd(command);
        let _: redis::Value = self.ask(put.arg(name).arg(arguments)).await?;
        self.ask(redis::cmd("PEXPIRE").arg(name).arg(EXTERNAL_TTL_MS)).await
    }

    async fn add_names(&self, prefix: &str, names: &[&str]) -> Result<(), BoxError> {
        for name in names {
            let mut put = redis::cmd("HSET");
            let () = self.ask(put.arg(format!("{prefix}{name}")).arg("facts").arg("{}")).await?;
        }
        Ok(())
    }

    async fn dump(&self, name: &str) -> Result<String, BoxError> {
        let kind: String = self.ask(redis::cmd("TYPE").arg(name)).await?;
        let deadline_ms = self.deadline_ms(name).await?;
        if kind == "hash" {
            // Sorted: a hash has no order, and its order may change between two reads.
            let fields: BTreeMap<Vec<u8>, Vec<u8>> = self.ask(redis::cmd("HGETALL").arg(name)).await?;
            return Ok(format!("{deadline_ms} {fields:?}"));
        }
        let content: Option<Vec<u8>> = self.ask(redis::cmd("DUMP").arg(name)).await?;
        Ok(format!("{deadline_ms} {kind} {content:?}"))
    }

    async fn fields(&self, name: &str) -> Result<Option<Fields>, BoxError> {
        let fields: Fields = self.ask(redis::cmd("HGETALL").arg(name)).await?;
        Ok((!fields.is_empty()).then_some(fields))
    }

    async fn revision(&self, name: &str) -> Result<Option<Revision>, BoxError> {
        let deadline_ms = u64::try_from(self.deadline_ms(name).await?).unwrap_or(0);
        let fields = self.fields(name).await?;
        Ok(fields.map(|fields| Entry::from((fields, deadline_ms)).revision))
    }

    async fn names(&self, prefix: &str, _live_only: bool) -> Result<Vec<String>, BoxError> {
        // A prefix is made of namespaces, which contain no character of a pattern. SCAN returns no expired names.
        let mut cursor: u64 = 0;
        let mut names = Vec::new();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{prefix}*")).arg("COUNT").arg(NAMES_PER_SCAN);
            let (next, page): (u64, Vec<String>) = self.ask(&scan).await?;
            names.extend(page);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}
