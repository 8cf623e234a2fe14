//! Checks the adapter to `wasi:keyvalue` as a store with the conformance kit.
//!
//! An example of such a test: a store behind the trait, a backend that opens it, one call.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ticket_conformance::{self as conformance, InProcessBackend, START_MS};
use ticket_host::clock::{Clock, ManualClock};
use ticket_host::store::{
    self, Entry, Error, Fields, Freshness, Health, Key, Kind, Namespace, Outcome, Page, Revision, SharedStore, Store,
};
use ticket_tests::seed;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_keyvalue::{WasiKeyValue, WasiKeyValueCtx, WasiKeyValueCtxBuilder};

mod generated {
    wasmtime::component::bindgen!({
        path: ["../wit", "../wit/adapters"],
        inline: "
            package agent:hosts;
            world adapter {
                export agent:tickets/key-value@0.1.0;
            }
        ",
        world: "agent:hosts/adapter",
    });
}

use generated::exports::agent::tickets0_1_0::key_value as wit;

const ADAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/wasi-keyvalue.wasm");

#[test]
fn the_adapter_keeps_every_promise_of_a_store() {
    let clock = ManualClock::at(START_MS);
    let adapters = Adapters::new(clock.clone());
    let backend = Arc::new(InProcessBackend::new(clock, Box::new(move |namespace| adapters.open(namespace))));
    let options = conformance::Options { seed: seed::seed(), scenarios: 200, ..conformance::Options::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let report = runtime.block_on(conformance::run(backend, &options)).unwrap();
    assert!(report.is_kept(), "{report:#?}");
    assert!(report.comparison.answers > 4_000, "{report:#?}");
}

/// The stores of all namespaces, each a bucket with an instance of the adapter.
struct Adapters {
    component: generated::AdapterPre<HostCtx>,
    clock: ManualClock,
    open: Mutex<BTreeMap<Option<String>, Arc<Adapter>>>,
}

impl Adapters {
    fn new(clock: ManualClock) -> Self {
        let engine = Engine::default();
        let component = Component::from_file(&engine, Path::new(ADAPTER)).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        wasmtime_wasi_keyvalue::add_to_linker(&mut linker, |host_ctx: &mut HostCtx| {
            WasiKeyValue::new(&host_ctx.key_value, &mut host_ctx.table)
        })
        .unwrap();
        let component = generated::AdapterPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        Self { component, clock, open: Mutex::default() }
    }

    fn open(&self, namespace: Option<&Namespace>) -> Result<SharedStore, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let name = namespace.map(|namespace| namespace.as_str().to_owned());
        let store = open.entry(name).or_insert_with(|| Arc::new(Adapter::new(&self.component, self.clock.clone())));
        Ok(Arc::clone(store) as SharedStore)
    }
}

/// The host context of an instance.
struct HostCtx {
    table: ResourceTable,
    wasi: WasiCtx,
    key_value: WasiKeyValueCtx,
}

impl WasiView for HostCtx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The clock of the test as a clock of WASI.
struct WallClock(ManualClock);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

/// An instance of the adapter with its bucket, as a store.
struct Adapter(Mutex<(wasmtime::Store<HostCtx>, generated::Adapter)>);

/// The result of a call: the outer error is a trap, the inner one an error of the adapter.
type Called<T> = wasmtime::Result<Result<T, wit::Error>>;

impl Adapter {
    fn new(component: &generated::AdapterPre<HostCtx>, clock: ManualClock) -> Self {
        let host_ctx = HostCtx {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().wall_clock(WallClock(clock)).build(),
            key_value: WasiKeyValueCtxBuilder::new().build(),
        };
        let mut store = wasmtime::Store::new(component.engine(), host_ctx);
        let instance = component.instantiate(&mut store).unwrap();
        Self(Mutex::new((store, instance)))
    }

    fn call<T>(&self, call: impl FnOnce(&mut wasmtime::Store<HostCtx>, &wit::Guest) -> Called<T>) -> Result<T, Error> {
        let mut locked: MutexGuard<'_, _> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (store, instance) = &mut *locked;
        call(store, instance.agent_tickets0_1_0_key_value()).unwrap().map_err(error)
    }
}

fn error(error: wit::Error) -> Error {
    let (kind, text) = match error {
        wit::Error::Invalid(text) => (Kind::Invalid, text),
        wit::Error::TooLarge(limit) => (Kind::TooLarge(limit), format!("more than {limit} bytes")),
        wit::Error::Denied(text) => (Kind::Denied, text),
        wit::Error::Unavailable(text) => (Kind::Unavailable, text),
        wit::Error::Uncertain(text) => (Kind::Uncertain, text),
        wit::Error::Corrupt(text) => (Kind::Corrupt, text),
    };
    Error::new(kind, text)
}

fn entry(entry: wit::Entry) -> Entry {
    Entry {
        revision: Revision::from(entry.revision),
        ..Entry::from((entry.fields.into_iter().collect::<Fields>(), entry.expires_at_ms))
    }
}

fn condition(when: &store::Condition) -> wit::Condition {
    match when {
        store::Condition::Absent => wit::Condition::Absent,
        store::Condition::Present => wit::Condition::Present,
        store::Condition::At(revision) => wit::Condition::At(revision.as_str().to_owned()),
    }
}

fn outcome(outcome: wit::Outcome) -> Outcome {
    match (outcome.applied, outcome.revision) {
        (true, Some(revision)) => {
            Outcome::Written { revision: Revision::from(revision), expires_at_ms: outcome.expires_at_ms }
        }
        (true, None) => Outcome::Removed,
        (false, _) => Outcome::Refused(outcome.current.map(entry)),
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adapter")
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wasi:keyvalue")
    }
}

#[async_trait]
impl Store for Adapter {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        let freshness = match freshness {
            Freshness::Latest => wit::Freshness::Latest,
            Freshness::Recent => wit::Freshness::Recent,
        };
        let lookup = self.call(|store, adapter| adapter.call_read(store, key.as_str(), freshness))?;
        Ok(lookup.entry.map(entry))
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &store::Condition) -> Result<Outcome, Error> {
        let (fields, when) = (fields.into_iter().collect::<Vec<_>>(), condition(when));
        self.call(|store, adapter| adapter.call_write(store, key.as_str(), &fields, ttl_ms, &when)).map(outcome)
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        self.call(|store, adapter| adapter.call_touch(store, key.as_str(), ttl_ms)).map(outcome)
    }

    async fn remove(&self, key: &Key, when: &store::Condition) -> Result<Outcome, Error> {
        self.call(|store, adapter| adapter.call_remove(store, key.as_str(), &condition(when))).map(outcome)
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let page = self.call(|store, adapter| adapter.call_scan(store, cursor, limit))?;
        let keys = page.keys.iter().map(|key| Key::parse(key)).collect::<Result<_, _>>()?;
        Ok(Page { keys, cursor: page.cursor })
    }

    async fn health(&self) -> Result<Health, Error> {
        Ok(Health { facts: Vec::new(), findings: Vec::new() })
    }
}
