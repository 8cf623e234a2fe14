//! Checks that a store keeps its promises, for the authors and the operators of stores.
//!
//! The checks are those that this project's own stores pass: each promise of [`ticket_store`] and of the ticket engine
//! over it, and a random comparison with the memory store. The author of a store calls them from one test:
//!
//! ```
//! use std::sync::Arc;
//! use ticket_store::clock::ManualClock;
//! use ticket_conformance::{self as conformance, InProcess, Options};
//! use ticket_store::{MemoryStore, Namespace, SharedStore};
//!
//! # async fn check() -> Result<(), ticket_store::Error> {
//! let clock = ManualClock::at(1_750_000_000_000);
//! let mine = MemoryStore::new(Arc::new(clock.clone())); // a store of one's own
//! let open = move |namespace: Option<&Namespace>| {
//!     Ok(namespace.map_or_else(|| mine.clone(), |name| mine.in_namespace(name))).map(|store| Arc::new(store) as SharedStore)
//! };
//! let ground = Arc::new(InProcess::new(clock, Box::new(open)));
//! let report = conformance::run(ground, &Options { scenarios: 3, only: vec!["P1".into()], ..Options::default() }).await?;
//! assert!(report.is_kept(), "{report:#?}");
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(check()).unwrap();
//! ```
//!
//! A check that fails panics, as a test does; [`run`] catches that and makes a verdict of it.
#![expect(clippy::panic, reason = "a check that fails panics")]

mod backend;
mod backends;
mod engine_promises;
mod error_kind;
mod fixture;
mod interposed;
mod interruption;
mod native;
mod promise;
mod promises;
mod random;
mod raw_redis;
mod raw_sqlite;
mod run;
mod scenario;
mod scenario_host;
mod transcript;

pub use backend::{BoxError, Damage, RawClient, TestBackend};
pub use backends::{InFile, InProcess, OnServer, Open, OpenLater, backend, memory};
pub use engine_promises::ENGINE_PROMISES;
pub use error_kind::ErrorKind;
pub use fixture::{FOREIGN_TTL_MS, Fixture};
pub use interposed::{ExternalWrites, Interposed, Refusing};
pub use interruption::{Fault, Interruption, Interruptions};
pub use native::Native;
pub use promise::{Check, Promise, sentences};
pub use promises::{promises, steps};
pub use run::{Checked, Comparison, Difference, Options, Report, Verdict, run};
pub use scenario::{At, Header, Limits, START_MS, Scenario, Snapshot, Step, StoreCall, StoreError};
pub use scenario_host::{Call, ExternalWrite, ScenarioHost, run_scenario};
pub use transcript::{Answer, Transcript};
