//! The hosts and their stores, and how each runs all scenarios.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tempfile::TempDir;
use ticket_conformance::{self as conformance, Fixture, NativeHost, Scenario, TestBackend, run_scenario};
use ticket_tests::broken::{BrokenBackend, Rule};
use ticket_tests::{RedisServer, javascript, python};

use crate::SCENARIOS;

/// The folder of the hosts in other languages.
const HOSTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts");
/// The engine on its adapter to `wasi:keyvalue`, with the interface `interposition` for interruptions.
const INTERPOSED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/interposed.wasm");
const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/engine.wasm");

/// A host with a store.
pub(crate) struct Column {
    /// Host and store.
    pub(crate) name: &'static str,
    /// The name and version of the engine that executes the component.
    pub(crate) engine: fn() -> String,
    /// Whether it needs packages that only tests/matrix.sh installs.
    pub(crate) needs_packages: bool,
    run: fn(&Path, Option<Rule>) -> Result<(), String>,
}

/// All columns.
pub(crate) const COLUMNS: &[Column] = &[
    Column { name: "native/memory", engine: wasmtime, needs_packages: false, run: on_memory },
    Column { name: "native/sqlite", engine: wasmtime, needs_packages: false, run: on_sqlite },
    Column { name: "native/redis", engine: wasmtime, needs_packages: false, run: on_redis },
    Column { name: "rust/map", engine: wasmtime, needs_packages: false, run: rust_map },
    Column { name: "rust/0.1.0", engine: wasmtime, needs_packages: false, run: rust_former },
    Column { name: "python/dict", engine: of_python, needs_packages: false, run: python_dict },
    Column { name: "python/redis", engine: of_python, needs_packages: false, run: python_redis },
    Column { name: "wasi/keyvalue", engine: wasmtime, needs_packages: false, run: wasi_keyvalue },
    Column { name: "javascript/map", engine: of_node, needs_packages: true, run: javascript_map },
];

/// The transcripts of a host, which runs once for all scenarios.
pub(crate) struct Transcripts {
    column: &'static Column,
    rule: Option<Rule>,
    folder: OnceLock<Result<TempDir, String>>,
    /// Locked while the host runs, so that other threads do not start it again.
    running: Mutex<()>,
}

impl Transcripts {
    pub(crate) fn new(column: &'static Column, rule: Option<Rule>) -> Self {
        Self { column, rule, folder: OnceLock::new(), running: Mutex::default() }
    }

    /// The transcript of a scenario.
    pub(crate) fn of(&self, name: &str) -> Result<String, String> {
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.folder.get_or_init(|| {
            let folder = TempDir::new().map_err(|error| error.to_string())?;
            (self.column.run)(folder.path(), self.rule)?;
            Ok(folder)
        });
        let path = folder.as_ref().map_err(Clone::clone)?.path().join(format!("{name}.jsonl"));
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// The version of Wasmtime that this workspace is built with.
fn wasmtime() -> String {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split("name = \"wasmtime\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    format!("Wasmtime {}", entry.unwrap_or("of unknown version"))
}

fn of_python() -> String {
    let script = Path::new(HOSTS).join("python/version.py");
    stdout_of(&mut python::python(&script))
        .map_or_else(|error| error, |version| format!("Wasmtime {version} in Python"))
}

fn of_node() -> String {
    let mut node = Command::new("node");
    node.args(["-p", "`V8 ${process.versions.v8} in Node.js ${process.versions.node}`"]);
    stdout_of(&mut node).unwrap_or_else(|error| error)
}

/// The stdout of a program.
fn stdout_of(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn on_memory(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    natively(out, rule, "memory:")
}

fn on_sqlite(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    natively(out, rule, &format!("sqlite:{}", out.join("tickets.db").display()))
}

fn on_redis(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    natively(out, rule, &RedisServer::shared().url())
}

/// Runs all scenarios on this project's host.
fn natively(out: &Path, rule: Option<Rule>, url: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let backend = conformance::backend(url).await.map_err(|error| error.chain())?;
        let backend: Arc<dyn TestBackend> = match rule {
            Some(rule) => Arc::new(BrokenBackend::new(backend, rule)),
            None => backend,
        };
        for name in crate::scenarios() {
            let text = fs::read_to_string(Path::new(SCENARIOS).join(format!("{name}.jsonl")));
            let scenario =
                Scenario::parse(&text.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
            let base = format!("matrix-{name}-{:08x}-", fastrand::u32(..));
            let fixture = Fixture::new(Arc::clone(&backend), &base, 0).await.map_err(|error| error.chain())?;
            let mut host =
                NativeHost::new(fixture, &scenario.header.settings).await.map_err(|error| error.to_string())?;
            let transcript = run_scenario(&scenario, &mut host).await.map_err(|error| format!("{name}: {error}"))?;
            fs::write(out.join(format!("{name}.jsonl")), transcript.text()).map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

/// A host with Wasmtime and the WIT alone.
fn rust_map(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    host_rust(out, rule, &[])
}

/// The same, by the former interface `tickets` of 0.1.0 where it has the operation.
fn rust_former(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    host_rust(out, rule, &["--former"])
}

fn host_rust(out: &Path, rule: Option<Rule>, options: &[&str]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-rust"));
    command.args(breaking(rule)).args(options).arg(ENGINE).arg(out).args(files());
    stdout_of(&mut command).map(drop)
}

fn python_dict(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    in_python(out, rule, "dict")
}

fn python_redis(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    in_python(out, rule, &RedisServer::shared().url())
}

fn in_python(out: &Path, rule: Option<Rule>, store: &str) -> Result<(), String> {
    let mut command = python::python(&Path::new(HOSTS).join("python/scenario.py"));
    command.args(breaking(rule)).args([ENGINE, store]).arg(out).args(files());
    stdout_of(&mut command).map(drop)
}

/// The engine composed with the adapter, on the `wasi:keyvalue` of Wasmtime.
fn wasi_keyvalue(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-wasi-keyvalue"));
    command.args(breaking(rule)).arg(INTERPOSED).arg(out).args(files());
    stdout_of(&mut command).map(drop)
}

fn javascript_map(out: &Path, rule: Option<Rule>) -> Result<(), String> {
    let mut command = Command::new("node");
    command.arg(Path::new(HOSTS).join("javascript/scenario.mjs"));
    command.args(breaking(rule)).arg(javascript::engine()).arg(out).args(files());
    stdout_of(&mut command).map(drop)
}

/// The arguments that let a host break a rule.
fn breaking(rule: Option<Rule>) -> Vec<&'static str> {
    rule.map_or_else(Vec::new, |rule| vec!["--break", rule.name()])
}

/// The files of all scenarios.
fn files() -> Vec<String> {
    crate::scenarios().iter().map(|name| format!("{SCENARIOS}/{name}.jsonl")).collect()
}
