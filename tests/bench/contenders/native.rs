//! The engine's code compiled natively, over the host's memory store: what the sandbox costs shows beside it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use ticket_engine::{Change, Condition, Engine, Entry, Freshness, KeyValueError, Outcome, Page, Port, Settings};
use ticket_host::clock::{Clock, SystemClock};
use ticket_host::store::{self, Key, MemoryStore, Revision, Store};

use super::{Contender, TTL_S, decision, message};

pub(crate) struct Native {
    engine: Engine<HostCtx>,
}

impl Native {
    pub(crate) fn in_memory() -> Self {
        Self { engine: Engine::new(HostCtx { store: MemoryStore::new(Arc::new(SystemClock)), clock: SystemClock }) }
    }
}

#[async_trait]
impl Contender for Native {
    fn name(&self) -> &'static str {
        "the engine native"
    }

    async fn prepare(&self, ids: &[String], history: usize) {
        for id in ids {
            let mut changes: Vec<Change> = (0..history).map(|number| Change::Say(message(number))).collect();
            changes.push(Change::Decide(decision(0)));
            self.engine.create(Some(id.clone()), changes, None).expect("a new ticket");
        }
    }

    async fn interact(&self, id: &str, number: usize) {
        let changes = vec![Change::Say(message(number)), Change::Decide(decision(number))];
        self.engine.apply(id.to_owned(), changes, None, None).expect("applied");
    }
}

/// The memory store as the engine's port. It never waits.
struct HostCtx {
    store: MemoryStore,
    clock: SystemClock,
}

/// The value of a future that is ready.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory does not wait"),
    }
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

fn error(error: &store::Error) -> KeyValueError {
    KeyValueError::Unavailable(error.to_string())
}

fn entry(entry: store::Entry) -> Entry {
    let revision = entry.revision.as_str().to_owned();
    let expires_at_ms = entry.expires_at_ms;
    Entry { fields: entry.into_fields(), revision, expires_at_ms }
}

impl Port for HostCtx {
    fn read(&self, name: &str, freshness: Freshness) -> Result<Option<Entry>, KeyValueError> {
        let freshness = match freshness {
            Freshness::Latest => store::Freshness::Latest,
            Freshness::Recent => store::Freshness::Recent,
        };
        let found = at_once(self.store.read(&key(name), freshness));
        found.map(|found| found.map(entry)).map_err(|e| error(&e))
    }

    fn write(
        &self,
        name: &str,
        fields: &[(&str, &str)],
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, KeyValueError> {
        let key = key(name);
        let fields = fields.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect();
        let when = match when {
            Condition::Absent => store::Condition::Absent,
            Condition::Present => store::Condition::Present,
            Condition::At(text) => store::Condition::At(Revision::from(text.clone())),
        };
        match at_once(self.store.write(&key, fields, ttl_ms, &when)).map_err(|e| error(&e))? {
            store::Outcome::Written { revision, expires_at_ms } => {
                let revision = Some(revision.as_str().to_owned());
                Ok(Outcome { applied: true, revision, expires_at_ms, current: None })
            }
            store::Outcome::Removed => unreachable!("a write removes nothing"),
            store::Outcome::Refused(current) => {
                Ok(Outcome { applied: false, revision: None, expires_at_ms: 0, current: current.map(entry) })
            }
        }
    }

    fn touch(&self, _name: &str, _ttl_ms: u64) -> Result<Outcome, KeyValueError> {
        unreachable!("an interaction touches nothing")
    }

    fn remove(&self, _name: &str, _when: &Condition) -> Result<Outcome, KeyValueError> {
        unreachable!("an interaction removes nothing")
    }

    fn scan(&self, _cursor: Option<&str>, _limit: u32) -> Result<Page, KeyValueError> {
        unreachable!("an interaction lists nothing")
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn fresh_id(&self) -> String {
        unreachable!("every ticket has a name here")
    }

    fn settings(&self) -> Settings {
        Settings {
            ttl_ms: u64::from(TTL_S) * 1_000,
            message_bytes_max: 64 * 1024,
            ticket_bytes_max: 1024 * 1024,
            history_entries_max: 10_000,
        }
    }

    fn try_again(&self, _attempt: u32) -> bool {
        true
    }
}
