//! Plays scenarios on a host that knows the standard `wasi:keyvalue` and nothing of ours, and writes their transcripts.
//!
//! `host-wasi-keyvalue [--break RULE] COMPONENT.wasm OUT_FOLDER SCENARIO.jsonl...` plays each scenario in a fresh instance with an empty
//! store and writes `OUT_FOLDER/NAME.jsonl`. The component is the engine on its adapter, as `guest/dist` has it:
//! `tickets-on-wasi-keyvalue.wasm`, or `interposed.wasm` for scenarios with faults, with foreign programs that come in
//! between, or with an engine's clock of its own. WASI is that of the crates wasmtime-wasi and wasmtime-wasi-keyvalue
//! as they are.

mod bindings;
#[path = "../exported.rs"]
mod exported;
mod lent;
mod on_wasi;

use std::path::Path;

use anyhow::{Context, Error, bail};
use on_wasi::Host;
use ticket_conformance::{Scenario, run_scenario};
use ticket_tests::broken::Rule;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (rule, arguments) = Rule::typed(&arguments).map_err(anyhow::Error::msg)?;
    let [component, folder, scenarios @ ..] = arguments else {
        bail!("usage: host-wasi-keyvalue [--break RULE] COMPONENT.wasm OUT_FOLDER SCENARIO.jsonl...");
    };
    let host = Host::new(Path::new(component)).map_err(Error::from_boxed)?;
    for path in scenarios.iter().map(Path::new) {
        play_one(&host, rule, path, Path::new(folder)).await.with_context(|| format!("playing {}", path.display()))?;
    }
    Ok(())
}

async fn play_one(host: &Host, rule: Option<Rule>, path: &Path, folder: &Path) -> anyhow::Result<()> {
    let scenario = Scenario::parse(&std::fs::read_to_string(path)?)?;
    let mut host = host.host(&scenario.header.settings, rule).await.map_err(Error::from_boxed)?;
    let transcript = run_scenario(&scenario, &mut host).await.map_err(Error::from_boxed)?;
    let name = path.file_name().context("a scenario without a name")?;
    Ok(std::fs::write(folder.join(name), transcript.text())?)
}
