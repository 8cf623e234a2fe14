//! A port in memory that loses races and answers with old copies.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::{SETTINGS, owned};
use ticket_model::port::{Condition, Entry, Fields, Freshness, KeyValueError, Outcome, Page, Port, Settings};

/// A port in memory whose revisions count up.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) entries: RefCell<BTreeMap<String, Entry>>,
    /// What `recent` answers instead of the entry.
    pub(super) stale: RefCell<Option<Entry>>,
    /// What another client writes just before the next writes, last first; `None` removes the entry.
    pub(super) rivals: RefCell<Vec<Option<Fields>>>,
    /// What every read answers.
    pub(super) broken: RefCell<Option<KeyValueError>>,
    pub(super) next_revision: Cell<u64>,
    pub(super) reads: RefCell<Vec<Freshness>>,
    pub(super) conditions: RefCell<Vec<Condition>>,
    pub(super) attempts_max: Cell<u32>,
    pub(super) ttls_ms: RefCell<Vec<u64>>,
}

impl Fake {
    pub(super) fn put(&self, key: &str, fields: Fields) -> Entry {
        self.next_revision.set(self.next_revision.get() + 1);
        let entry = Entry { fields, revision: self.next_revision.get().to_string(), expires_at_ms: 7 };
        self.entries.borrow_mut().insert(key.into(), entry.clone());
        entry
    }

    fn change(&self, key: &str, when: &Condition, fields: Option<&Fields>) -> Outcome {
        self.conditions.borrow_mut().push(when.clone());
        match self.rivals.borrow_mut().pop() {
            Some(Some(fields)) => drop(self.put(key, fields)),
            Some(None) => drop(self.entries.borrow_mut().remove(key)),
            None => {}
        }
        let current = self.entries.borrow().get(key).cloned();
        let holds = match (when, &current) {
            (Condition::Absent, current) => current.is_none(),
            (Condition::Present, current) => current.is_some(),
            (Condition::At(revision), current) => current.as_ref().is_some_and(|entry| entry.revision == *revision),
        };
        if !holds {
            return Outcome { applied: false, revision: None, expires_at_ms: 0, current };
        }
        self.entries.borrow_mut().remove(key);
        let revision = fields.map(|fields| self.put(key, fields.clone()).revision);
        Outcome { applied: true, expires_at_ms: 9, revision, current: None }
    }
}

impl Port for &Fake {
    fn read(&self, key: &str, freshness: Freshness) -> Result<Option<Entry>, KeyValueError> {
        self.reads.borrow_mut().push(freshness);
        if let Some(error) = self.broken.borrow().clone() {
            return Err(error);
        }
        if let (Freshness::Recent, Some(stale)) = (freshness, self.stale.borrow().clone()) {
            return Ok(Some(stale));
        }
        Ok(self.entries.borrow().get(key).cloned())
    }

    fn write(
        &self,
        key: &str,
        fields: &[(&str, &str)],
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, KeyValueError> {
        self.ttls_ms.borrow_mut().push(ttl_ms);
        Ok(self.change(key, when, Some(&owned(fields))))
    }

    fn touch(&self, key: &str, ttl_ms: u64) -> Result<Outcome, KeyValueError> {
        self.ttls_ms.borrow_mut().push(ttl_ms);
        let fields = self.entries.borrow().get(key).map(|entry| entry.fields.clone());
        Ok(self.change(key, &Condition::Present, fields.as_ref()))
    }

    fn remove(&self, key: &str, when: &Condition) -> Result<Outcome, KeyValueError> {
        Ok(self.change(key, when, None))
    }

    fn scan(&self, _cursor: Option<&str>, _limit: u32) -> Result<Page, KeyValueError> {
        Ok(Page { keys: self.entries.borrow().keys().cloned().collect(), cursor: Some("next".into()) })
    }

    fn now_ms(&self) -> u64 {
        100_999
    }

    fn fresh_id(&self) -> String {
        "fresh".into()
    }

    fn settings(&self) -> Settings {
        SETTINGS
    }

    fn try_again(&self, attempt: u32) -> bool {
        attempt <= self.attempts_max.get()
    }
}
