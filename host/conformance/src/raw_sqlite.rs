//! A raw client of a SQLite file: plain statements, each on a connection of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, ToSql, params};
use ticket_store::clock::Clock;
use ticket_store::{Entry, Fields, Revision};

use crate::backend::{BoxError, Damage, EXTERNAL_TTL_MS, RawClient};

/// How long a statement waits for other users of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// A raw client of a file.
pub(crate) struct RawSqlite {
    path: PathBuf,
    clock: Arc<dyn Clock>,
}

impl RawSqlite {
    /// A client of the file at `path`; deadlines are counted from `clock`.
    pub(crate) fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { path, clock }
    }

    fn connect(&self) -> Result<Connection, BoxError> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }

    fn run(&self, statements: &[(&str, &[&dyn ToSql])]) -> Result<(), BoxError> {
        let mut connection = self.connect()?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for (sql, values) in statements {
            transaction.execute(sql, *values)?;
        }
        Ok(transaction.commit()?)
    }

    fn in_ms(&self, ttl_ms: u64) -> Result<i64, BoxError> {
        Ok(i64::try_from(self.clock.now_ms() + ttl_ms)?)
    }
}

#[async_trait]
impl RawClient for RawSqlite {
    async fn now_ms(&self) -> Result<u64, BoxError> {
        Ok(self.clock.now_ms())
    }

    async fn advance_deadlines(&self, prefix: &str, ms: u64) -> Result<(), BoxError> {
        let sql = "UPDATE entry SET expires_at_ms = max(expires_at_ms - ?2, 1)
                   WHERE substr(key, 1, length(?1)) = ?1 AND expires_at_ms > 0";
        self.run(&[(sql, params![prefix, i64::try_from(ms)?])])
    }

    async fn write(&self, name: &str, fields: &Fields, ttl_ms: u64, keep_others: bool) -> Result<(), BoxError> {
        let mut connection = self.connect()?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        if !keep_others {
            transaction.execute("DELETE FROM field WHERE key = ?1", [name])?;
        }
        transaction.execute("INSERT OR REPLACE INTO entry VALUES (?1, ?2)", params![name, self.in_ms(ttl_ms)?])?;
        for (field, text) in fields {
            transaction.execute("INSERT OR REPLACE INTO field VALUES (?1, ?2, ?3)", [name, field, text])?;
        }
        Ok(transaction.commit()?)
    }

    async fn delete(&self, name: &str) -> Result<(), BoxError> {
        self.run(&[
            ("DELETE FROM field WHERE key = ?1", params![name]),
            ("DELETE FROM entry WHERE key = ?1", params![name]),
        ])
    }

    async fn clear_deadline(&self, name: &str) -> Result<(), BoxError> {
        self.run(&[("UPDATE entry SET expires_at_ms = 0 WHERE key = ?1", params![name])])
    }

    fn damages(&self) -> &'static [Damage] {
        use Damage::{NameNotUtf8, NegativeDeadline, NoField, TextNotUtf8};
        &[TextNotUtf8, NameNotUtf8, NoField, NegativeDeadline]
    }

    async fn damage(&self, name: &str, damage: Damage) -> Result<(), BoxError> {
        let deadline_ms = if damage == Damage::NegativeDeadline { -5 } else { self.in_ms(EXTERNAL_TTL_MS)? };
        let (field, text): (&[u8], &[u8]) = match damage {
            Damage::TextNotUtf8 => (b"facts", b"\xff\xfe"),
            Damage::NameNotUtf8 => (b"\xc3", b"{}"),
            _ => (b"facts", b"{}"),
        };
        let insert_entry = "INSERT OR REPLACE INTO entry VALUES (?1, ?2)";
        let insert_field = "INSERT INTO field VALUES (?1, CAST(?2 AS TEXT), CAST(?3 AS TEXT))";
        let (of_entry, of_field) = (params![name, deadline_ms], params![name, field, text]);
        let entry_alone: [(&str, &[&dyn ToSql]); 2] =
            [("DELETE FROM field WHERE key = ?1", params![name]), (insert_entry, of_entry)];
        self.run(&entry_alone)?;
        if damage == Damage::NoField { Ok(()) } else { self.run(&[(insert_field, of_field)]) }
    }

    async fn add_names(&self, prefix: &str, names: &[&str]) -> Result<(), BoxError> {
        for name in names {
            self.run(&[("INSERT INTO entry VALUES (?1, 0)", params![format!("{prefix}{name}")])])?;
        }
        Ok(())
    }

    async fn dump(&self, name: &str) -> Result<String, BoxError> {
        let connection = self.connect()?;
        let mut select = connection.prepare(
            "SELECT coalesce(max(expires_at_ms), '') FROM entry WHERE key = ?1
             UNION ALL
             SELECT * FROM (SELECT hex(name) || '=' || hex(value) FROM field WHERE key = ?1 ORDER BY name)",
        )?;
        let rows = select.query_map([name], |row| row.get_ref(0).map(|value| format!("{value:?}")))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.join(" "))
    }

    async fn fields(&self, name: &str) -> Result<Option<Fields>, BoxError> {
        let connection = self.connect()?;
        let mut select = connection.prepare("SELECT name, value FROM field WHERE key = ?1 ORDER BY name")?;
        let fields = select.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let fields = fields.collect::<Result<Fields, _>>()?;
        Ok((!fields.is_empty()).then_some(fields))
    }

    async fn revision(&self, name: &str) -> Result<Option<Revision>, BoxError> {
        let sql = "SELECT coalesce(max(expires_at_ms), 0) FROM entry WHERE key = ?1";
        let expires_at_ms: i64 = self.connect()?.query_row(sql, [name], |row| row.get(0))?;
        let expires_at_ms = u64::try_from(expires_at_ms).unwrap_or(0);
        let fields = self.fields(name).await?;
        Ok(fields.map(|fields| Entry::from((fields, expires_at_ms)).revision))
    }

    async fn names(&self, prefix: &str, live_only: bool) -> Result<Vec<String>, BoxError> {
        let connection = self.connect()?;
        let sql = "SELECT key FROM (
                       SELECT key FROM entry WHERE NOT ?2 OR expires_at_ms <= 0 OR expires_at_ms >= ?3
                       UNION SELECT key FROM field WHERE NOT ?2
                   ) WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key";
        let mut select = connection.prepare(sql)?;
        let names = select.query_map(params![prefix, live_only, self.in_ms(0)?], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }
}
