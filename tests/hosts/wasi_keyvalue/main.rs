//! Runs scenarios on a host with the standard `wasi:keyvalue` and nothing of this project, and writes their
//! transcripts.
//!
//! `host-wasi-keyvalue [--break RULE] COMPONENT.wasm OUT_FOLDER SCENARIO.jsonl...` runs each scenario in a new instance
//! with an empty store and writes `OUT_FOLDER/NAME.jsonl`. The component is the engine on its adapter, from
//! `guest/dist`: `tickets-on-wasi-keyvalue.wasm`, or `interposed.wasm` for scenarios with faults, with external writes
//! between engine and store, or with a clock of the engine. WASI is that of the crates wasmtime-wasi and
//! wasmtime-wasi-keyvalue.

mod bindings;
#[path = "../exported.rs"]
mod exported;
mod host_ctx;
mod wasi_host;

use std::path::Path;

use anyhow::{Context, Error, bail};
use ticket_conformance::{Scenario, run_scenario};
use ticket_tests::broken::Rule;
use wasi_host::Component;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (rule, arguments) = Rule::parse_option(&arguments).map_err(anyhow::Error::msg)?;
    let [path, folder, scenarios @ ..] = arguments else {
        bail!("usage: host-wasi-keyvalue [--break RULE] COMPONENT.wasm OUT_FOLDER SCENARIO.jsonl...");
    };
    let component = Component::new(Path::new(path)).map_err(Error::from_boxed)?;
    for path in scenarios.iter().map(Path::new) {
        run_one(&component, rule, path, Path::new(folder))
            .await
            .with_context(|| format!("running {}", path.display()))?;
    }
    Ok(())
}

async fn run_one(component: &Component, rule: Option<Rule>, path: &Path, folder: &Path) -> anyhow::Result<()> {
    let scenario = Scenario::parse(&std::fs::read_to_string(path)?)?;
    let mut host = component.host(&scenario.header.settings, rule).await.map_err(Error::from_boxed)?;
    let transcript = run_scenario(&scenario, &mut host).await.map_err(Error::from_boxed)?;
    let name = path.file_name().context("the scenario path has no file name")?;
    Ok(std::fs::write(folder.join(name), transcript.text())?)
}
