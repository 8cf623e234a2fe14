//! What stands between engine and store while a scenario is played: foreign deeds, faults, and rules broken on purpose.

use std::collections::HashMap;

use ticket_conformance::{ExternalWrite, Fault, Interruption, Interruptions, Limits, START_MS, StoreCall, StoreError};
use ticket_tests::broken::Rule;

use crate::engine::agent::tickets::environment::{self, Settings};
use crate::engine::agent::tickets::key_value::{
    Condition, Entry, Error, Fields, Freshness, Host, Lookup, Outcome, Page, Revision,
};
use crate::map_store::MapStore;

/// A store, and what a scenario does to it.
pub(crate) struct Border {
    store: MapStore,
    settings: Settings,
    /// What the engine's clock shows, in milliseconds since the Unix epoch.
    pub(crate) date_ms: u64,
    /// What happens in the course of the operation that runs.
    pub(crate) interruptions: Interruptions,
    rule: Option<Rule>,
    /// By key: the revision that is shown, and the one that is there.
    names: HashMap<String, (Revision, Revision)>,
}

impl Border {
    /// An empty store at the time when scenarios begin.
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
            names: HashMap::new(),
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.store.now_ms += ms;
        self.date_ms += ms;
    }

    /// Does what a foreign program does.
    pub(crate) fn act(&mut self, external_write: ExternalWrite) {
        let (ExternalWrite::Put { id, .. } | ExternalWrite::Drop { id }) = &external_write;
        let key = format!("ticket:{id}");
        drop(self.store.remove(key.clone(), Condition::Present));
        if let ExternalWrite::Put { fields, ttl_ms, .. } = external_write {
            drop(self.store.write(key, fields.into_iter().collect(), ttl_ms, Condition::Absent));
        }
    }

    /// Makes a call, with what interrupts it.
    fn during<T>(&mut self, call: StoreCall, make: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let Interruption { deeds, fault } = self.interruptions.take(call);
        for external_write in deeds {
            self.act(external_write);
        }
        let Some(Fault { error, made }) = fault else { return make(self) };
        if made {
            make(self)?;
        }
        let why = "the scenario has the store fail".to_owned();
        Err(match error {
            StoreError::Invalid => Error::Invalid(why),
            StoreError::TooLarge => Error::TooLarge(1),
            StoreError::Denied => Error::Denied(why),
            StoreError::Unavailable => Error::Unavailable(why),
            StoreError::Uncertain => Error::Uncertain(why),
            StoreError::Corrupt => Error::Corrupt(why),
        })
    }

    /// What is there before a change.
    fn before(&mut self, key: &str) -> Option<Entry> {
        self.store.read(key.to_owned(), Freshness::Latest).ok()?.entry
    }

    /// The time to live that a change gives.
    fn ttl_ms(&self, ttl_ms: u64, before: Option<&Entry>) -> u64 {
        match before {
            Some(entry) if self.rule == Some(Rule::TtlNotRefreshed) => {
                entry.expires_at_ms.saturating_sub(self.store.now_ms).max(1_000)
            }
            _ => ttl_ms,
        }
    }

    /// An entry under the revision that is shown of it.
    fn shown(&self, key: &str, entry: Entry) -> Entry {
        match self.names.get(key) {
            Some((shown, there)) if *there == entry.revision => Entry { revision: shown.clone(), ..entry },
            _ => entry,
        }
    }

    /// A condition on what is there.
    fn meant(&self, key: &str, when: Condition) -> Condition {
        match (&when, self.names.get(key)) {
            (Condition::At(at), Some((shown, there))) if at == shown => Condition::At(there.clone()),
            _ => when,
        }
    }

    /// What a change shows that was made after `before`.
    fn outcome(&mut self, key: &str, before: Option<Entry>, outcome: Outcome) -> Outcome {
        let current = outcome.current.map(|entry| self.shown(key, entry));
        match (outcome.revision, before) {
            (Some(revision), Some(before)) if self.rule == Some(Rule::RevisionNotRaised) => {
                let shown = self.shown(key, before).revision;
                self.names.insert(key.to_owned(), (shown.clone(), revision));
                Outcome { revision: Some(shown), current, ..outcome }
            }
            (revision, _) => Outcome { revision, current, ..outcome },
        }
    }
}

impl Host for Border {
    fn read(&mut self, key: String, freshness: Freshness) -> Result<Lookup, Error> {
        let lookup = self.during(StoreCall::Read, |border| border.store.read(key.clone(), freshness))?;
        Ok(Lookup { entry: lookup.entry.map(|entry| self.shown(&key, entry)) })
    }

    fn write(&mut self, key: String, mut fields: Fields, ttl_ms: u64, when: Condition) -> Result<Outcome, Error> {
        self.during(StoreCall::Write, |border| {
            let before = border.before(&key);
            if let (Some(Rule::MergeInsteadOfReplace), Some(before)) = (border.rule, &before) {
                let kept = before.fields.iter().filter(|(name, _)| !fields.iter().any(|(given, _)| given == name));
                fields.extend(kept.cloned().collect::<Vec<_>>());
            }
            let (ttl_ms, when) = (border.ttl_ms(ttl_ms, before.as_ref()), border.meant(&key, when));
            let outcome = border.store.write(key.clone(), fields, ttl_ms, when)?;
            Ok(border.outcome(&key, before, outcome))
        })
    }

    fn touch(&mut self, key: String, ttl_ms: u64) -> Result<Outcome, Error> {
        self.during(StoreCall::Touch, |border| {
            let before = border.before(&key);
            let outcome = border.store.touch(key.clone(), border.ttl_ms(ttl_ms, before.as_ref()))?;
            Ok(border.outcome(&key, before, outcome))
        })
    }

    fn remove(&mut self, key: String, when: Condition) -> Result<Outcome, Error> {
        self.during(StoreCall::Remove, |border| {
            let when = border.meant(&key, when);
            let outcome = border.store.remove(key.clone(), when)?;
            Ok(border.outcome(&key, None, outcome))
        })
    }

    fn scan(&mut self, cursor: Option<String>, limit: u32) -> Result<Page, Error> {
        self.during(StoreCall::Scan, |border| border.store.scan(cursor, limit))
    }
}

impl environment::Host for Border {
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
        // Nobody else writes but a scenario, which ends.
        attempt < 100
    }
}
