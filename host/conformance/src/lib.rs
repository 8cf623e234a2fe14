//! Checks that a store of tickets keeps its promises, for authors and operators of stores.
//!
//! The kit checks every promise of a store ([`ticket_store::PROMISES`]) and of the ticket engine over it
//! ([`ENGINE_PROMISES`]) and of the host of workflows ([`WORKFLOW_PROMISES`]), and compares random scenarios with the memory store. The stores of this project pass the same
//! checks. Call it from one test:
//!
//! ```
//! use std::sync::Arc;
//! use ticket_conformance::{InProcessBackend, Options};
//! use ticket_store::clock::ManualClock;
//! use ticket_store::{MemoryStore, Namespace, SharedStore};
//!
//! # async fn check() -> Result<(), ticket_store::Error> {
//! let clock = ManualClock::at(1_750_000_000_000);
//! let store = MemoryStore::new(Arc::new(clock.clone())); // your own store
//! let open = move |namespace: Option<&Namespace>| {
//!     let store = namespace.map_or_else(|| store.clone(), |name| store.in_namespace(name));
//!     Ok(Arc::new(store) as SharedStore)
//! };
//! let backend = Arc::new(InProcessBackend::new(clock, Box::new(open)));
//! // Leave `only` out to check all promises.
//! let options = Options { scenarios: 3, only: vec!["P1".into()], ..Options::default() };
//! let report = ticket_conformance::run(backend, &options).await?;
//! assert!(report.is_kept(), "{report:#?}");
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(check()).unwrap();
//! ```
//!
//! A store outside this process implements [`TestBackend`] itself, with a [`RawClient`]: a client that reads and writes
//! the entries without the store. Without one, the promises about damaged entries are not checked. A store whose clock
//! cannot be moved needs one.
//!
//! # For authors of stores
//!
//! | items | purpose |
//! |---|---|
//! | [`run`], [`Options`], [`Report`], [`Checked`], [`Verdict`], [`Comparison`], [`Difference`] | run all checks |
//! | [`TestBackend`], [`RawClient`], [`Damage`], [`BoxError`], [`EXTERNAL_TTL_MS`] | describe a store to the kit |
//! | [`backend`], [`memory`], [`InProcessBackend`], [`SqliteBackend`], [`RedisBackend`] | backends that exist |
//! | [`promises`], [`Promise`], [`Check`], [`sentences`], [`Fixture`] | run one check as a test of its own |
//! | [`steps`], [`Interposed`], [`ErrorKind`] | write further checks |
//!
//! # For authors of hosts
//!
//! | items | purpose |
//! |---|---|
//! | [`ScenarioHost`], [`Call`], [`Answer`], [`ExternalWrite`], [`Interruptions`], [`Fault`] | run scenarios on a host |
//! | [`Scenario`], [`Step`], [`run_scenario`], [`Transcript`] | read a scenario, write its transcript |
//! | [`NativeHost`] | the host of this project |
//! | [`WorkflowHost`], [`check_workflow_host`], [`RunEnd`], [`components`] | check a host of workflows |
//! | [`NativeWorkflows`] | that of this project |
//!
//! # Modules
//!
//! | modules | content |
//! |---|---|
//! | `backend`, `backends`, `raw_redis`, `raw_sqlite` | the contract with a store under test, and its implementations |
//! | `fixture`, `promise`, `promises`, `engine_promises` | one empty store, and one check for each promise |
//! | `scenario`, `transcript`, `scenario_host`, `external_write`, `interruption` | scenarios, independent of any host |
//! | `interposed`, `native_host` | the fault injector, and the scenario host of this project |
//! | `workflow_host`, `workflow_promises` | the contract with a host of workflows, and its promises |
//! | `random`, `run` | random scenarios, and the run of all checks |
#![expect(clippy::panic, reason = "a check that fails panics; `run` turns that into a verdict")]

mod backend;
mod backends;
mod engine_promises;
mod error_kind;
mod external_write;
mod fixture;
mod interposed;
mod interruption;
mod native_host;
mod promise;
mod promises;
mod random;
mod raw_redis;
mod raw_sqlite;
mod run;
mod scenario;
mod scenario_host;
mod transcript;
mod workflow_host;
mod workflow_promises;

pub use backend::{BoxError, Damage, EXTERNAL_TTL_MS, RawClient, TestBackend};
pub use backends::{InProcessBackend, OpenStore, OpenStoreAsync, RedisBackend, SqliteBackend, backend, memory};
pub use engine_promises::ENGINE_PROMISES;
pub use error_kind::ErrorKind;
pub use external_write::ExternalWrite;
pub use fixture::Fixture;
pub use interposed::{Action, Before, Failure, Interposed};
pub use interruption::{Fault, Interruption, Interruptions};
pub use native_host::NativeHost;
pub use promise::{Check, Promise, sentences};
pub use promises::{promises, steps};
pub use run::{Checked, Comparison, Difference, Options, Report, Verdict, check_workflow_host, run};
pub use scenario::{At, Header, Limits, START_MS, Scenario, Snapshot, Step, StoreCall, StoreError};
pub use scenario_host::{Call, ScenarioHost, run_scenario};
pub use transcript::{Answer, Transcript};
pub use workflow_host::{NativeWorkflows, RunEnd, WorkflowHost};
pub use workflow_promises::{WORKFLOW_PROMISES, components};
