//! The scenario host: one instance of a composed component on one bucket.

use std::path::Path;

use async_trait::async_trait;
use ticket_conformance::{Answer, BoxError, Call, ExternalWrite, Interruptions, Limits, START_MS, ScenarioHost};
use ticket_host::Error;
use ticket_tests::broken::Rule;
use wasmtime::component::Linker;
use wasmtime::{Engine, Store};

use crate::bindings::exports::agent::tickets0_1_0::key_value::Condition;
use crate::bindings::{Composed, ComposedPre, answer};
use crate::host_ctx::HostCtx;

/// A composed component, compiled and linked.
pub(crate) struct Component {
    component: ComposedPre<HostCtx>,
    interposed: bool,
}

impl Component {
    /// Loads a file.
    pub(crate) fn new(path: &Path) -> Result<Self, BoxError> {
        let engine = Engine::default();
        let component = wasmtime::component::Component::from_file(&engine, path)?;
        let interposed =
            component.component_type().imports(&engine).any(|(name, _)| name.starts_with("agent:adapters/"));
        let mut linker = Linker::new(&engine);
        HostCtx::link(&mut linker)?;
        Ok(Self { component: ComposedPre::new(linker.instantiate_pre(&component)?)?, interposed })
    }

    /// A new instance with an empty store.
    pub(crate) async fn host(&self, limits: &Limits, rule: Option<Rule>) -> Result<WasiHost, BoxError> {
        let mut store = Store::new(self.component.engine(), HostCtx::new(limits, rule));
        let instance = self.component.instantiate_async(&mut store).await?;
        Ok(WasiHost { store, instance, interposed: self.interposed })
    }
}

/// One instance with its bucket.
pub(crate) struct WasiHost {
    store: Store<HostCtx>,
    instance: Composed,
    interposed: bool,
}

impl WasiHost {
    /// The host context, for interruptions: they need a component with the interface `interposition`.
    fn interposition(&mut self) -> Result<&mut HostCtx, BoxError> {
        if !self.interposed {
            return Err(
                "the scenario interrupts the store or moves the engine's clock: run it on interposed.wasm".into()
            );
        }
        Ok(self.store.data_mut())
    }
}

#[async_trait]
impl ScenarioHost for WasiHost {
    async fn call(&mut self, call: Call, interruptions: Interruptions) -> Result<Result<Answer, Error>, BoxError> {
        if !interruptions.is_empty() {
            self.interposition()?.interruptions = interruptions;
        }
        let answer = answer(&mut self.store, self.instance.agent_tickets0_2_0_tickets(), call).await;
        self.store.data_mut().interruptions = Interruptions::default();
        Ok(answer?)
    }

    async fn pass(&mut self, ms: u64) -> Result<(), BoxError> {
        self.store.data().clock.advance(ms);
        Ok(())
    }

    async fn shift_clock(&mut self, ms: i64) -> Result<(), BoxError> {
        self.interposition()?.ahead_ms += ms;
        Ok(())
    }

    /// Through the interface `key-value`: removes any entry, then writes the new one.
    async fn external_write(&mut self, write: ExternalWrite) -> Result<(), BoxError> {
        let key_value = self.instance.agent_tickets0_1_0_key_value();
        let (ExternalWrite::Put { id, .. } | ExternalWrite::Drop { id }) = &write;
        let key = format!("ticket:{id}");
        key_value.call_remove(&mut self.store, &key, &Condition::Present).await?.map_err(wasmtime::Error::from)?;
        if let ExternalWrite::Put { fields, ttl_ms, .. } = write {
            let fields: Vec<_> = fields.into_iter().collect();
            let written = key_value.call_write(&mut self.store, &key, &fields, ttl_ms, &Condition::Absent).await?;
            written.map_err(wasmtime::Error::from)?;
        }
        Ok(())
    }

    fn start_ms(&self) -> u64 {
        START_MS
    }

    fn revision_after(&self, revision: &str, _ms: u64) -> String {
        revision.to_owned()
    }
}
