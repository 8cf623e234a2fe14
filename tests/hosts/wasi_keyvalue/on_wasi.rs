//! The stage of scenarios: one instance of a composed component on one bucket.

use std::path::Path;

use async_trait::async_trait;
use ticket_conformance::{Answer, BoxError, Call, ExternalWrite, Interruptions, Limits, START_MS, ScenarioHost};
use ticket_host::Error;
use ticket_tests::broken::Rule;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::bindings::exports::agent::tickets::key_value::Condition;
use crate::bindings::{Composed, ComposedPre, answer};
use crate::lent::Lent;

/// A component, compiled and linked.
pub(crate) struct Host {
    component: ComposedPre<Lent>,
    interposed: bool,
}

impl Host {
    /// Loads the component of a file.
    pub(crate) fn new(path: &Path) -> Result<Self, BoxError> {
        let engine = Engine::default();
        let component = Component::from_file(&engine, path)?;
        let interposed =
            component.component_type().imports(&engine).any(|(name, _)| name.starts_with("agent:adapters/"));
        let mut linker = Linker::new(&engine);
        Lent::link(&mut linker)?;
        Ok(Self { component: ComposedPre::new(linker.instantiate_pre(&component)?)?, interposed })
    }

    /// A fresh instance with an empty store.
    pub(crate) async fn host(&self, limits: &Limits, rule: Option<Rule>) -> Result<OnWasi, BoxError> {
        let mut store = Store::new(self.component.engine(), Lent::new(limits, rule));
        let instance = self.component.instantiate_async(&mut store).await?;
        Ok(OnWasi { store, instance, interposed: self.interposed })
    }
}

/// One instance on its bucket.
pub(crate) struct OnWasi {
    store: Store<Lent>,
    instance: Composed,
    interposed: bool,
}

impl OnWasi {
    /// What happens between engine and store needs a component that lets it happen.
    fn between(&mut self) -> Result<&mut Lent, BoxError> {
        if !self.interposed {
            return Err("the scenario comes between engine and store: play it on interposed.wasm".into());
        }
        Ok(self.store.data_mut())
    }
}

#[async_trait]
impl ScenarioHost for OnWasi {
    async fn call(&mut self, call: Call, interruptions: Interruptions) -> Result<Result<Answer, Error>, BoxError> {
        if !interruptions.is_empty() {
            self.between()?.interruptions = interruptions;
        }
        let answer = answer(&mut self.store, self.instance.agent_tickets_tickets(), call).await;
        self.store.data_mut().interruptions = Interruptions::default();
        Ok(answer?)
    }

    async fn pass(&mut self, ms: u64) -> Result<(), BoxError> {
        self.store.data().clock.advance(ms);
        Ok(())
    }

    async fn date(&mut self, ms: i64) -> Result<(), BoxError> {
        self.between()?.ahead_ms += ms;
        Ok(())
    }

    /// By the store's own interface: what is there goes, whatever it is, and the new comes.
    async fn act(&mut self, external_write: ExternalWrite) -> Result<(), BoxError> {
        let key_value = self.instance.agent_tickets_key_value();
        let (ExternalWrite::Put { id, .. } | ExternalWrite::Drop { id }) = &external_write;
        let key = format!("ticket:{id}");
        key_value.call_remove(&mut self.store, &key, &Condition::Present).await?.map_err(wasmtime::Error::from)?;
        if let ExternalWrite::Put { fields, ttl_ms, .. } = external_write {
            let fields: Vec<_> = fields.into_iter().collect();
            let written = key_value.call_write(&mut self.store, &key, &fields, ttl_ms, &Condition::Absent).await?;
            written.map_err(wasmtime::Error::from)?;
        }
        Ok(())
    }

    fn began_ms(&self) -> u64 {
        START_MS
    }

    fn moved(&self, revision: &str, _ms: u64) -> String {
        revision.to_owned()
    }
}
