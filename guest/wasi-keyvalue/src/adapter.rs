//! The port over a bucket: every promise of `key-value.wit`, within one instance.

use std::cell::RefCell;
use std::collections::BTreeSet;

use ticket_model::id::{excerpt, id_of_key};
use ticket_model::limits::{ENTRY_BYTES_MAX, TTL_MS_MAX, TTL_MS_MIN};
use ticket_model::port::{Condition, Entry, Freshness, KeyValueError, Outcome, Page, Port, Settings};

use crate::imports::{Imports, StoreError};
use crate::settings;
use crate::value;

/// Most keys of one page.
const LIMIT_MAX: u32 = 10_000;
/// Attempts after lost races. Within one instance only a component between engine and adapter can win one.
const ATTEMPTS_MAX: u32 = 64;

/// The port over one bucket, a clock and randomness.
#[derive(Debug)]
pub struct Adapter<I> {
    imports: I,
    // `None` until they are read. An error stays until the next operation reads the settings, because a change must
    // not follow other settings than its operation was given.
    settings: RefCell<Option<Result<Settings, KeyValueError>>>,
}

/// What the bucket has under a key.
enum Found {
    Nothing,
    Entry(Entry),
    /// A value that is not an entry.
    Damage(KeyValueError),
}

impl Found {
    /// Whether the condition holds; `Corrupt` if damage leaves that unknown.
    fn meets(&self, when: &Condition) -> Result<bool, KeyValueError> {
        match (when, self) {
            (Condition::Present, Self::Damage(_)) => Ok(true),
            (_, Self::Damage(error)) => Err(error.clone()),
            (Condition::Absent, found) => Ok(matches!(found, Self::Nothing)),
            (Condition::Present, found) => Ok(matches!(found, Self::Entry(_))),
            (Condition::At(revision), found) => Ok(matches!(found, Self::Entry(entry) if entry.revision == *revision)),
        }
    }

    fn into_entry(self) -> Result<Option<Entry>, KeyValueError> {
        match self {
            Self::Nothing => Ok(None),
            Self::Entry(entry) => Ok(Some(entry)),
            Self::Damage(error) => Err(error),
        }
    }
}

impl<I: Imports> Adapter<I> {
    /// A port over this bucket, which it expects to be the only one to write.
    pub const fn new(imports: I) -> Self {
        Self { imports, settings: RefCell::new(None) }
    }

    /// What a key has now; a value past its deadline is deleted and counts as nothing.
    fn find(&self, key: &str) -> Result<Found, KeyValueError> {
        let Some(value) = self.imports.get(key).map_err(|error| refused(key, error, KeyValueError::Unavailable))?
        else {
            return Ok(Found::Nothing);
        };
        match value::decode(&value) {
            Ok(entry) if entry.expires_at_ms != 0 && self.imports.now_ms() > entry.expires_at_ms => {
                // If this fails, the next call tries again.
                drop(self.imports.delete(key));
                Ok(Found::Nothing)
            }
            Ok(entry) => Ok(Found::Entry(entry)),
            Err(error) => Ok(Found::Damage(KeyValueError::Corrupt(format!("value of {key} is not an entry: {error}")))),
        }
    }

    fn put(&self, key: &str, fields: &[(&str, &str)], ttl_ms: u64) -> Result<Outcome, KeyValueError> {
        let expires_at_ms = self.imports.now_ms().saturating_add(ttl_ms);
        let revision = format!("{:016x}", self.imports.random());
        let value = value::encode(fields, &revision, expires_at_ms)
            .map_err(|error| KeyValueError::Invalid(format!("entry of {key} cannot be written as JSON: {error}")))?;
        self.imports.set(key, &value).map_err(|error| refused(key, error, KeyValueError::Uncertain))?;
        Ok(Outcome { applied: true, revision: Some(revision), expires_at_ms, current: None })
    }

    /// Reads the settings.
    fn load(&self) -> Result<Settings, KeyValueError> {
        let value = self.imports.get(settings::KEY);
        let value = value.map_err(|error| refused("`settings`", error, KeyValueError::Unavailable))?;
        let settings = value.map_or(Ok(settings::DEFAULT), |value| settings::parse(&value));
        settings.map_err(|error| KeyValueError::Denied(format!("{error}; correct the value of the key `settings`")))
    }

    /// Fails if the settings of this operation could not be read.
    fn check_settings(&self) -> Result<(), KeyValueError> {
        let known = self.settings.borrow().clone();
        if let Some(known) = known {
            return known.map(drop);
        }
        let settings = self.load()?;
        self.settings.replace(Some(Ok(settings)));
        Ok(())
    }

    /// The smallest `limit` names of tickets after one, and whether there are more.
    fn names_after(&self, after: Option<&str>, limit: usize) -> Result<(Vec<String>, bool), KeyValueError> {
        let mut names = BTreeSet::new();
        let mut cursor = None;
        loop {
            let listed = self.imports.list_keys(cursor);
            let (keys, next) = listed.map_err(|error| refused("keys", error, KeyValueError::Unavailable))?;
            for key in keys {
                if id_of_key(&key).is_some() && after.is_none_or(|after| *key > *after) {
                    names.insert(key);
                    if names.len() > limit + 1 {
                        names.pop_last();
                    }
                }
            }
            if next.is_none() {
                break;
            }
            if next == cursor {
                return Err(KeyValueError::Unavailable("keys of the bucket do not end: a cursor repeats".into()));
            }
            cursor = next;
        }
        let more = names.len() > limit;
        Ok((names.into_iter().take(limit).collect(), more))
    }
}

impl<I: Imports> Port for Adapter<I> {
    fn read(&self, key: &str, _freshness: Freshness) -> Result<Option<Entry>, KeyValueError> {
        check_key(key)?;
        self.check_settings()?;
        self.find(key)?.into_entry()
    }

    fn write(
        &self,
        key: &str,
        fields: &[(&str, &str)],
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, KeyValueError> {
        check_key(key)?;
        check_ttl(ttl_ms)?;
        check_fields(key, fields)?;
        self.check_settings()?;
        let found = self.find(key)?;
        if found.meets(when)? { self.put(key, fields, ttl_ms) } else { Ok(not_applied(found.into_entry()?)) }
    }

    fn touch(&self, key: &str, ttl_ms: u64) -> Result<Outcome, KeyValueError> {
        check_key(key)?;
        check_ttl(ttl_ms)?;
        self.check_settings()?;
        let Some(entry) = self.find(key)?.into_entry()? else {
            return Ok(not_applied(None));
        };
        let fields: Vec<_> = entry.fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        self.put(key, &fields, ttl_ms)
    }

    fn remove(&self, key: &str, when: &Condition) -> Result<Outcome, KeyValueError> {
        check_key(key)?;
        self.check_settings()?;
        let found = self.find(key)?;
        if !found.meets(when)? {
            return Ok(not_applied(found.into_entry()?));
        }
        if !matches!(found, Found::Nothing) {
            self.imports.delete(key).map_err(|error| refused(key, error, KeyValueError::Uncertain))?;
        }
        Ok(Outcome { applied: true, revision: None, expires_at_ms: 0, current: None })
    }

    fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, KeyValueError> {
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(KeyValueError::Invalid(format!("limit of {limit} keys is not between 1 and {LIMIT_MAX}")));
        }
        cursor.map_or(Ok(()), check_key)?;
        self.check_settings()?;
        // By name and not by the bucket's cursors, which need not survive a change of the bucket.
        let (names, more) = self.names_after(cursor, limit as usize)?;
        let cursor = names.last().filter(|_| more).cloned();
        let mut keys = Vec::with_capacity(names.len());
        for name in names {
            if !matches!(self.find(&name)?, Found::Nothing) {
                keys.push(name);
            }
        }
        Ok(Page { keys, cursor })
    }

    fn now_ms(&self) -> u64 {
        self.imports.now_ms()
    }

    fn fresh_id(&self) -> String {
        uuid::Builder::from_random_bytes(uuid_bytes(self.imports.random(), self.imports.random()))
            .into_uuid()
            .to_string()
    }

    /// The settings in force. If they cannot be read, these are the defaults, and every call of the operation fails
    /// with the reason.
    fn settings(&self) -> Settings {
        let mut known = self.settings.borrow_mut();
        if !matches!(*known, Some(Ok(_))) {
            *known = Some(self.load());
        }
        known.as_ref().and_then(|known| known.as_ref().ok()).copied().unwrap_or(settings::DEFAULT)
    }

    fn try_again(&self, attempt: u32) -> bool {
        attempt <= ATTEMPTS_MAX
    }
}

fn uuid_bytes(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

fn not_applied(current: Option<Entry>) -> Outcome {
    Outcome { applied: false, revision: None, expires_at_ms: 0, current }
}

/// The error of a bucket; `otherwise` is the case for one without a known reason.
fn refused(what: &str, error: StoreError, otherwise: fn(String) -> KeyValueError) -> KeyValueError {
    match error {
        StoreError::NoSuchStore => {
            KeyValueError::Denied(format!("{what}: the host has no bucket with an empty name, its default one"))
        }
        StoreError::AccessDenied => KeyValueError::Denied(format!("{what}: the host forbids the use of the bucket")),
        StoreError::Other(text) => otherwise(format!("{what}: the bucket failed: {}", excerpt(&text))),
    }
}

fn check_key(key: &str) -> Result<(), KeyValueError> {
    if id_of_key(key).is_some() {
        return Ok(());
    }
    Err(KeyValueError::Invalid(format!("key {} is not `ticket:` and the id of a ticket", excerpt(key))))
}

fn check_ttl(ttl_ms: u64) -> Result<(), KeyValueError> {
    if (TTL_MS_MIN..=TTL_MS_MAX).contains(&ttl_ms) {
        return Ok(());
    }
    Err(KeyValueError::Invalid(format!("ttl of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms")))
}

fn check_fields(key: &str, fields: &[(&str, &str)]) -> Result<(), KeyValueError> {
    let bytes: usize = fields.iter().map(|(name, text)| name.len() + text.len()).sum();
    if bytes > ENTRY_BYTES_MAX as usize {
        return Err(KeyValueError::TooLarge(ENTRY_BYTES_MAX.into()));
    }
    if fields.is_empty() {
        return Err(KeyValueError::Invalid(format!("entry of {key} has no field")));
    }
    match value::twice(fields.iter().map(|(name, _)| *name)) {
        Some(name) => Err(KeyValueError::Invalid(format!("field {} of {key} is given twice", excerpt(name)))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
