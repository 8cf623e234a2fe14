//! Entries as rows: what the calls of a store do inside a transaction.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result as SqlResult, Transaction, params};

use super::database::signed;
use crate::deadline;
use crate::entry::{Condition, Entry};
use crate::error::Error;
use crate::fields::Fields;
use crate::limits::TTL_MS_MAX;
use crate::revision::Revision;
use crate::text::excerpt;

/// The rows of one entry.
pub(super) struct Rows {
    /// As stored; a negative number is not a deadline.
    expires_at_ms: i64,
    /// Values by name; none for a value that is not text.
    fields: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Rows {
    /// The rows of a name; none if there is no entry.
    pub(super) fn load(connection: &Connection, name: &str) -> SqlResult<Option<Self>> {
        // One statement, so that deadline and fields belong together.
        let mut statement = connection.prepare_cached(
            "SELECT entry.expires_at_ms, field.name, field.value FROM entry LEFT JOIN field ON field.key = entry.key
             WHERE entry.key = ?1",
        )?;
        let mut rows = statement.query([name])?;
        let mut found: Option<Self> = None;
        while let Some(row) = rows.next()? {
            let expires_at_ms = row.get(0)?;
            let loaded = found.get_or_insert_with(|| Self { expires_at_ms, fields: BTreeMap::new() });
            if let ValueRef::Text(name) = row.get_ref(1)? {
                let value = match row.get_ref(2)? {
                    ValueRef::Text(text) => Some(text.to_vec()),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => None,
                };
                loaded.fields.insert(name.to_vec(), value);
            }
        }
        Ok(found)
    }

    /// The deadline; 0 for none.
    pub(super) fn expires_at_ms(&self) -> u64 {
        u64::try_from(self.expires_at_ms).unwrap_or(0)
    }

    /// The revision of these fields with this deadline.
    pub(super) fn revision(&self, expires_at_ms: u64) -> Revision {
        Revision::of_bytes(expires_at_ms, |name| {
            self.fields.get(name.as_bytes()).and_then(Option::as_deref).unwrap_or_default()
        })
    }

    /// Whether the condition holds; `Corrupt` if that cannot be told.
    pub(super) fn meet(&self, when: &Condition, name: &str) -> Result<bool, Error> {
        match when {
            Condition::Present => Ok(true),
            Condition::Absent => self.check(name).map(|()| false),
            Condition::At(revision) => {
                self.check(name)?;
                Ok(self.revision(self.expires_at_ms()) == *revision)
            }
        }
    }

    /// The entry; `Corrupt`, with key and field, if it does not consist of texts.
    pub(super) fn entry(&self, name: &str) -> Result<Entry, Error> {
        self.check(name)?;
        let text = |bytes: &[u8], of: &[u8]| {
            String::from_utf8(bytes.to_vec()).map_err(|error| {
                let field = excerpt(&String::from_utf8_lossy(of));
                Error::corrupt(format!("field {field} of {name} is not UTF-8 text")).caused_by(error.utf8_error())
            })
        };
        let mut fields = Fields::with_capacity(self.fields.len());
        for (field, value) in &self.fields {
            fields.push((text(field, field)?, text(value.as_deref().unwrap_or_default(), field)?));
        }
        Ok(Entry::new(fields, self.expires_at_ms()))
    }

    /// Refuses rows that only another program can have left: no field, a value that is not text, an invalid deadline.
    fn check(&self, name: &str) -> Result<(), Error> {
        if self.expires_at_ms < 0 {
            return Err(Error::corrupt(format!("{name} has the invalid deadline {}", self.expires_at_ms)));
        }
        if self.fields.is_empty() {
            return Err(Error::corrupt(format!("{name} has no field")));
        }
        match self.fields.iter().find(|(_, value)| value.is_none()) {
            Some((field, _)) => {
                let field = excerpt(&String::from_utf8_lossy(field));
                Err(Error::corrupt(format!("field {field} of {name} is not text")))
            }
            None => Ok(()),
        }
    }
}

/// Makes `fields` the whole entry. Only what differs from the current rows is written.
pub(super) fn replace(
    connection: &Connection,
    name: &str,
    fields: &Fields,
    expires_at_ms: u64,
    current: Option<Rows>,
) -> SqlResult<()> {
    set_deadline(connection, name, expires_at_ms)?;
    // Fields without an entry must not become part of this one.
    let mut surplus = match current {
        Some(rows) => rows.fields,
        None => {
            connection.prepare_cached("DELETE FROM field WHERE key = ?1")?.execute([name])?;
            BTreeMap::new()
        }
    };
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO field (key, name, value) VALUES (?1, ?2, ?3)")?;
    for (field, text) in fields {
        if surplus.remove(field.as_bytes()).flatten().as_deref() != Some(text.as_bytes()) {
            put.execute(params![name, field, text])?;
        }
    }
    let mut delete = connection.prepare_cached("DELETE FROM field WHERE key = ?1 AND name = CAST(?2 AS TEXT)")?;
    for field in surplus.keys() {
        delete.execute(params![name, field])?;
    }
    Ok(())
}

pub(super) fn set_deadline(connection: &Connection, name: &str, expires_at_ms: u64) -> SqlResult<()> {
    let mut put = connection.prepare_cached(
        "INSERT INTO entry (key, expires_at_ms) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET expires_at_ms = excluded.expires_at_ms",
    )?;
    put.execute(params![name, signed(expires_at_ms)])?;
    Ok(())
}

/// Deletes an entry. Its name is given as bytes, because that of another program need not be UTF-8.
pub(super) fn delete(connection: &Connection, name: &[u8]) -> SqlResult<()> {
    connection.prepare_cached("DELETE FROM field WHERE key = CAST(?1 AS TEXT)")?.execute([name])?;
    connection.prepare_cached("DELETE FROM entry WHERE key = CAST(?1 AS TEXT)")?.execute([name])?;
    Ok(())
}

/// Deletes up to `count_max` entries whose deadline was before `before_ms`, the earliest first; how many there were.
pub(super) fn delete_expired(transaction: &Transaction<'_>, before_ms: u64, count_max: u32) -> SqlResult<u32> {
    let mut select = transaction.prepare_cached(
        "SELECT key FROM entry WHERE expires_at_ms > 0 AND expires_at_ms < ?1 ORDER BY expires_at_ms LIMIT ?2",
    )?;
    let names =
        select.query_map(params![signed(before_ms), count_max], |row| Ok(row.get_ref(0)?.as_bytes()?.to_vec()))?;
    let names = names.collect::<SqlResult<Vec<_>>>()?;
    for name in &names {
        delete(transaction, name)?;
    }
    Ok(u32::try_from(names.len()).unwrap_or(u32::MAX))
}

/// How many entries there are, by their deadlines.
pub(super) struct Counts {
    pub(super) live: i64,
    pub(super) expired: i64,
    /// Those of the live ones that no time to live explains.
    pub(super) too_late: i64,
}

pub(super) fn count(connection: &Connection, now_ms: u64) -> SqlResult<Counts> {
    let latest_ms = now_ms.saturating_add(TTL_MS_MAX + deadline::slack_ms(TTL_MS_MAX));
    let counted = "SELECT count(*), count(*) FILTER (WHERE expires_at_ms > 0 AND expires_at_ms < ?1),
                   count(*) FILTER (WHERE expires_at_ms > ?2) FROM entry";
    connection.query_row(counted, params![signed(now_ms), signed(latest_ms)], |row| {
        let (all, expired): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Counts { live: all - expired, expired, too_late: row.get(2)? })
    })
}

/// Gives `keep` the names after `from` that begin with `prefix` and have not expired, until it returns false.
pub(super) fn names(
    connection: &Connection,
    from: &str,
    prefix: &str,
    now_ms: u64,
    mut keep: impl FnMut(&str) -> bool,
) -> SqlResult<()> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM entry WHERE key > ?1 AND (expires_at_ms <= 0 OR expires_at_ms >= ?2) ORDER BY key",
    )?;
    let mut rows = statement.query(params![from, signed(now_ms)])?;
    while let Some(row) = rows.next()? {
        if let ValueRef::Text(name) = row.get_ref(0)?
            && let Ok(name) = std::str::from_utf8(name)
            && !(name.starts_with(prefix) && keep(name))
        {
            break;
        }
    }
    Ok(())
}
