//! The adapter as a component: generated bindings, converted once each way, and the one bucket; nothing else.

use std::cell::OnceCell;

mod bindings {
    wit_bindgen::generate!({
        path: ["wit", "wit/adapters"],
        world: "agent:adapters/store-adapter",
        generate_all,
    });
}

use bindings::exports::agent::tickets0_1_0::{environment, key_value};
use bindings::wasi::clocks::wall_clock;
use bindings::wasi::keyvalue::store;
use bindings::wasi::random::random;
use ticket_model::port::{Condition, Entry, Freshness, KeyValueError, Outcome, Port};

use crate::adapter::Adapter;
use crate::imports::{Imports, StoreError};

struct Component;

bindings::export!(Component with_types_in bindings);

thread_local! {
    static ADAPTER: Adapter<Wasi> = const { Adapter::new(Wasi { bucket: OnceCell::new() }) };
}

/// What a host with WASI has. The bucket is opened once: hosts give each opening a copy of its own.
struct Wasi {
    bucket: OnceCell<store::Bucket>,
}

impl Wasi {
    fn bucket(&self) -> Result<&store::Bucket, StoreError> {
        if let Some(bucket) = self.bucket.get() {
            return Ok(bucket);
        }
        let opened = store::open("")?;
        Ok(self.bucket.get_or_init(|| opened))
    }
}

impl Imports for Wasi {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.bucket()?.get(key)?)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        Ok(self.bucket()?.set(key, value)?)
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        Ok(self.bucket()?.delete(key)?)
    }

    fn list_keys(&self, cursor: Option<u64>) -> Result<(Vec<String>, Option<u64>), StoreError> {
        let page = self.bucket()?.list_keys(cursor)?;
        Ok((page.keys, page.cursor))
    }

    fn now_ms(&self) -> u64 {
        const MILLISECOND: u32 = 1_000_000;
        let now = wall_clock::now();
        now.seconds.saturating_mul(1_000).saturating_add((now.nanoseconds / MILLISECOND).into())
    }

    fn random(&self) -> u64 {
        random::get_random_u64()
    }
}

impl key_value::Guest for Component {
    fn read(key: String, freshness: key_value::Freshness) -> Result<key_value::Lookup, key_value::Error> {
        let freshness = match freshness {
            key_value::Freshness::Latest => Freshness::Latest,
            key_value::Freshness::Recent => Freshness::Recent,
        };
        let entry = ADAPTER.with(|adapter| adapter.read(&key, freshness))?;
        Ok(key_value::Lookup { entry: entry.map(Into::into) })
    }

    fn write(
        key: String,
        fields: key_value::Fields,
        ttl_ms: u64,
        when: key_value::Condition,
    ) -> Result<key_value::Outcome, key_value::Error> {
        let fields: Vec<_> = fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        Ok(ADAPTER.with(|adapter| adapter.write(&key, &fields, ttl_ms, &when.into()))?.into())
    }

    fn touch(key: String, ttl_ms: u64) -> Result<key_value::Outcome, key_value::Error> {
        Ok(ADAPTER.with(|adapter| adapter.touch(&key, ttl_ms))?.into())
    }

    fn remove(key: String, when: key_value::Condition) -> Result<key_value::Outcome, key_value::Error> {
        Ok(ADAPTER.with(|adapter| adapter.remove(&key, &when.into()))?.into())
    }

    fn scan(cursor: Option<String>, limit: u32) -> Result<key_value::Page, key_value::Error> {
        let page = ADAPTER.with(|adapter| adapter.scan(cursor.as_deref(), limit))?;
        Ok(key_value::Page { keys: page.keys, cursor: page.cursor })
    }
}

impl environment::Guest for Component {
    fn now_ms() -> u64 {
        ADAPTER.with(Port::now_ms)
    }

    fn fresh_id() -> String {
        ADAPTER.with(Port::fresh_id)
    }

    fn current_settings() -> environment::Settings {
        let settings = ADAPTER.with(Port::settings);
        environment::Settings {
            ttl_ms: settings.ttl_ms,
            message_bytes_max: settings.message_bytes_max,
            ticket_bytes_max: settings.ticket_bytes_max,
            history_entries_max: settings.history_entries_max,
        }
    }

    fn try_again(attempt: u32) -> bool {
        ADAPTER.with(|adapter| adapter.try_again(attempt))
    }
}

impl From<store::Error> for StoreError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(text) => Self::Other(text),
        }
    }
}

impl From<key_value::Condition> for Condition {
    fn from(when: key_value::Condition) -> Self {
        match when {
            key_value::Condition::Absent => Self::Absent,
            key_value::Condition::Present => Self::Present,
            key_value::Condition::At(revision) => Self::At(revision),
        }
    }
}

impl From<Entry> for key_value::Entry {
    fn from(entry: Entry) -> Self {
        Self { fields: entry.fields, revision: entry.revision, expires_at_ms: entry.expires_at_ms }
    }
}

impl From<Outcome> for key_value::Outcome {
    fn from(outcome: Outcome) -> Self {
        Self {
            applied: outcome.applied,
            revision: outcome.revision,
            expires_at_ms: outcome.expires_at_ms,
            current: outcome.current.map(Into::into),
        }
    }
}

impl From<KeyValueError> for key_value::Error {
    fn from(error: KeyValueError) -> Self {
        match error {
            KeyValueError::Invalid(text) => Self::Invalid(text),
            KeyValueError::TooLarge(bytes_max) => Self::TooLarge(bytes_max),
            KeyValueError::Denied(text) => Self::Denied(text),
            KeyValueError::Unavailable(text) => Self::Unavailable(text),
            KeyValueError::Uncertain(text) => Self::Uncertain(text),
            KeyValueError::Corrupt(text) => Self::Corrupt(text),
        }
    }
}
