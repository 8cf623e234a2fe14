//! Runs scenarios on a small host in Rust and writes their transcripts.
//!
//! `host-rust [--break RULE] [--former] ENGINE.wasm OUT_FOLDER SCENARIO.jsonl...`; `engine.rs` and `map_store.rs` are the
//! host, the rest runs scenarios on it. With `--break` the store breaks a rule, to test that transcripts show it. With
//! `--former` operations go through `tickets` of 0.1.0, where it has them.

mod engine;
#[path = "../exported.rs"]
mod exported;
mod former;
mod host_ctx;
mod map_store;

use std::path::Path;

use anyhow::{Context, Error, bail};
use async_trait::async_trait;
use host_ctx::HostCtx;
use ticket_conformance::{
    self as conformance, Answer, BoxError, Call, ExternalWrite, Interruptions, START_MS, Scenario, ScenarioHost,
};
use ticket_tests::broken::Rule;
use wasmtime::Store;

/// The exports of the engine, as scenarios use them.
mod tickets {
    crate::exported::exported!(crate::engine::exports::agent::tickets0_2_0::tickets);
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (rule, arguments) = Rule::parse_option(&arguments).map_err(Error::msg)?;
    let (is_former, arguments) = match arguments {
        [option, arguments @ ..] if option == "--former" => (true, arguments),
        arguments => (false, arguments),
    };
    let [component, folder, scenarios @ ..] = arguments else {
        bail!("usage: host-rust [--break RULE] [--former] ENGINE.wasm OUT_FOLDER SCENARIO.jsonl...");
    };
    let engine = engine::load(Path::new(component)).map_err(BoxError::from).map_err(Error::from_boxed)?;
    for path in scenarios.iter().map(Path::new) {
        let scenario = Scenario::parse(&std::fs::read_to_string(path)?)?;
        let mut store = Store::new(engine.engine(), HostCtx::new(&scenario.header.settings, rule));
        let instance = engine.instantiate_async(&mut store).await.map_err(BoxError::from).map_err(Error::from_boxed)?;
        let run = conformance::run_scenario(&scenario, &mut RustHost { store, instance, is_former }).await;
        let transcript = run.map_err(Error::from_boxed).with_context(|| format!("running {}", path.display()))?;
        let name = path.file_name().context("the scenario path has no file name")?;
        std::fs::write(Path::new(folder).join(name), transcript.text())?;
    }
    Ok(())
}

/// One instance with its store.
struct RustHost {
    store: Store<HostCtx>,
    instance: engine::Engine,
    is_former: bool,
}

#[async_trait]
impl ScenarioHost for RustHost {
    async fn call(
        &mut self,
        call: Call,
        interruptions: Interruptions,
    ) -> Result<Result<Answer, ticket_host::Error>, BoxError> {
        self.store.data_mut().interruptions = interruptions;
        let answer = if self.is_former {
            former::answer(&mut self.store, &self.instance, call).await
        } else {
            tickets::answer(&mut self.store, self.instance.agent_tickets0_2_0_tickets(), call).await
        };
        self.store.data_mut().interruptions = Interruptions::default();
        Ok(answer?)
    }

    async fn pass(&mut self, ms: u64) -> Result<(), BoxError> {
        self.store.data_mut().pass(ms);
        Ok(())
    }

    async fn shift_clock(&mut self, ms: i64) -> Result<(), BoxError> {
        let host_ctx = self.store.data_mut();
        host_ctx.date_ms = host_ctx.date_ms.saturating_add_signed(ms);
        Ok(())
    }

    async fn external_write(&mut self, write: ExternalWrite) -> Result<(), BoxError> {
        self.store.data_mut().external_write(write);
        Ok(())
    }

    fn start_ms(&self) -> u64 {
        START_MS
    }

    fn revision_after(&self, revision: &str, _ms: u64) -> String {
        revision.to_owned()
    }
}
