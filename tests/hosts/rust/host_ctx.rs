//! The host context of scenarios: a store, with external writes, faults, and rules broken on purpose.

use std::collections::HashMap;

use ticket_conformance::{ExternalWrite, Fault, Interruption, Interruptions, Limits, START_MS, StoreCall, StoreError};
use ticket_tests::broken::Rule;

use crate::engine::agent::tickets0_1_0::environment::{self, Settings};
use crate::engine::agent::tickets0_1_0::key_value::{
    Condition, Entry, Error, Fields, Freshness, Host, Lookup, Outcome, Page, Revision,
};
use crate::map_store::MapStore;

/// A store, and the interruptions of a scenario.
pub(crate) struct HostCtx {
    store: MapStore,
    settings: Settings,
    /// The clock of the engine, in milliseconds since the Unix epoch.
    pub(crate) date_ms: u64,
    /// What happens during the running operation.
    pub(crate) interruptions: Interruptions,
    rule: Option<Rule>,
    /// By key: the revision shown to the engine, and the real one.
    revisions: HashMap<String, (Revision, Revision)>,
}

impl HostCtx {
    /// An empty store at the start of a scenario.
    pub(crate) fn new(limits: &Limits, rule: Option<Rule>) -> Self {
        let Limits { ttl_ms, message_bytes_max, ticket_bytes_max, history_entries_max } = *limits;
        let mut store = MapStore::default();
        store.now_ms = START_MS;
        Self {
            store,
            settings: Settings { ttl_ms, message_bytes_max, ticket_bytes_max, history_entries_max },
            date_ms: START_MS,
            interruptions: Interruptions::default(),
            rule,
            revisions: HashMap::new(),
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.store.now_ms += ms;
        self.date_ms += ms;
    }

    /// Writes as another client does.
    pub(crate) fn external_write(&mut self, write: ExternalWrite) {
        let (ExternalWrite::Put { id, .. } | ExternalWrite::Drop { id }) = &write;
        let key = format!("ticket:{id}");
        drop(self.store.remove(key.clone(), Condition::Present));
        if let ExternalWrite::Put { fields, ttl_ms, .. } = write {
            drop(self.store.write(key, fields.into_iter().collect(), ttl_ms, Condition::Absent));
        }
    }

    /// Makes a call with its interruptions.
    fn call<T>(&mut self, call: StoreCall, make: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let Interruption { external_writes, fault } = self.interruptions.take(call);
        for write in external_writes {
            self.external_write(write);
        }
        let Some(Fault { error, made }) = fault else { return make(self) };
        if made {
            make(self)?;
        }
        let why = "the scenario lets this call fail".to_owned();
        Err(match error {
            StoreError::Invalid => Error::Invalid(why),
            StoreError::TooLarge => Error::TooLarge(1),
            StoreError::Denied => Error::Denied(why),
            StoreError::Unavailable => Error::Unavailable(why),
            StoreError::Uncertain => Error::Uncertain(why),
            StoreError::Corrupt => Error::Corrupt(why),
        })
    }

    /// The entry before a change.
    fn before(&mut self, key: &str) -> Option<Entry> {
        self.store.read(key.to_owned(), Freshness::Latest).ok()?.entry
    }

    /// The time to live of a change.
    fn ttl_ms(&self, ttl_ms: u64, before: Option<&Entry>) -> u64 {
        match before {
            Some(entry) if self.rule == Some(Rule::TtlNotRefreshed) => {
                entry.expires_at_ms.saturating_sub(self.store.now_ms).max(1_000)
            }
            _ => ttl_ms,
        }
    }

    /// An entry with the revision shown to the engine.
    fn shown(&self, key: &str, entry: Entry) -> Entry {
        match self.revisions.get(key) {
            Some((shown, real)) if *real == entry.revision => Entry { revision: shown.clone(), ..entry },
            _ => entry,
        }
    }

    /// A condition with the real revision.
    fn real_condition(&self, key: &str, when: Condition) -> Condition {
        match (&when, self.revisions.get(key)) {
            (Condition::At(at), Some((shown, real))) if at == shown => Condition::At(real.clone()),
            _ => when,
        }
    }

    /// The outcome shown to the engine.
    fn outcome(&mut self, key: &str, before: Option<Entry>, outcome: Outcome) -> Outcome {
        let current = outcome.current.map(|entry| self.shown(key, entry));
        match (outcome.revision, before) {
            (Some(revision), Some(before)) if self.rule == Some(Rule::RevisionNotRaised) => {
                let shown = self.shown(key, before).revision;
                self.revisions.insert(key.to_owned(), (shown.clone(), revision));
                Outcome { revision: Some(shown), current, ..outcome }
            }
            (revision, _) => Outcome { revision, current, ..outcome },
        }
    }
}

impl Host for HostCtx {
    fn read(&mut self, key: String, freshness: Freshness) -> Result<Lookup, Error> {
        let lookup = self.call(StoreCall::Read, |host_ctx| host_ctx.store.read(key.clone(), freshness))?;
        Ok(Lookup { entry: lookup.entry.map(|entry| self.shown(&key, entry)) })
    }

    fn write(&mut self, key: String, mut fields: Fields, ttl_ms: u64, when: Condition) -> Result<Outcome, Error> {
        self.call(StoreCall::Write, |host_ctx| {
            let before = host_ctx.before(&key);
            if let (Some(Rule::MergeInsteadOfReplace), Some(before)) = (host_ctx.rule, &before) {
                let kept = before.fields.iter().filter(|(name, _)| !fields.iter().any(|(given, _)| given == name));
                fields.extend(kept.cloned().collect::<Vec<_>>());
            }
            let (ttl_ms, when) = (host_ctx.ttl_ms(ttl_ms, before.as_ref()), host_ctx.real_condition(&key, when));
            let outcome = host_ctx.store.write(key.clone(), fields, ttl_ms, when)?;
            Ok(host_ctx.outcome(&key, before, outcome))
        })
    }

    fn touch(&mut self, key: String, ttl_ms: u64) -> Result<Outcome, Error> {
        self.call(StoreCall::Touch, |host_ctx| {
            let before = host_ctx.before(&key);
            let outcome = host_ctx.store.touch(key.clone(), host_ctx.ttl_ms(ttl_ms, before.as_ref()))?;
            Ok(host_ctx.outcome(&key, before, outcome))
        })
    }

    fn remove(&mut self, key: String, when: Condition) -> Result<Outcome, Error> {
        self.call(StoreCall::Remove, |host_ctx| {
            let when = host_ctx.real_condition(&key, when);
            let outcome = host_ctx.store.remove(key.clone(), when)?;
            Ok(host_ctx.outcome(&key, None, outcome))
        })
    }

    fn scan(&mut self, cursor: Option<String>, limit: u32) -> Result<Page, Error> {
        self.call(StoreCall::Scan, |host_ctx| host_ctx.store.scan(cursor, limit))
    }
}

impl environment::Host for HostCtx {
    fn now_ms(&mut self) -> u64 {
        self.date_ms
    }

    fn fresh_id(&mut self) -> String {
        format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
    }

    fn current_settings(&mut self) -> Settings {
        self.settings
    }

    fn try_again(&mut self, attempt: u32) -> bool {
        // Only the scenario writes too, and it ends.
        attempt < 100
    }
}
