//! The promises of stores (P1, P2, …) and of the engine (E1, E2, …), each checked on every store.
//!
//! Prints a table of promises and stores at the end.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use ticket_conformance::{self as conformance, Promise};
use ticket_tests::{StoreKind, TestStore};

mod another_process;
mod refusals_of_file;
mod refusals_of_redis;
mod table;

use table::{Mark, Results};

/// A check of some stores alone, which starts what it needs.
type Check = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// Further checks for stores of one kind.
const MORE: [(&str, &str, Check); 4] = [
    ("p03_another_process_sees_it", "sqlite", || Box::pin(another_process::check(StoreKind::Sqlite))),
    ("p03_another_process_sees_it", "redis", || Box::pin(another_process::check(StoreKind::Redis))),
    ("p19_locked_and_full_files", "sqlite", || Box::pin(refusals_of_file::check())),
    ("p19_servers_that_refuse_or_hang", "redis", || Box::pin(refusals_of_redis::check())),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let promises = conformance::promises();
    let results: Results = Arc::new(Mutex::new(BTreeMap::new()));
    let mut trials = Vec::new();
    for promise in &promises {
        for kind in StoreKind::ALL {
            if table::exemption(promise, kind).is_none() {
                trials.push(trial(*promise, kind, Arc::clone(&results)));
            }
        }
    }
    for (name, kind, check) in MORE {
        trials.push(Trial::test(format!("{name}/{kind}"), move || {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(check());
            Ok(())
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let results = results.lock().unwrap_or_else(PoisonError::into_inner);
        print!("\n{}", table::render(&promises, &results));
    }
    conclusion.exit_code()
}

/// The test of one promise on one store.
fn trial(promise: Promise, kind: StoreKind, results: Results) -> Trial {
    let mark = move |mark| {
        results.lock().unwrap_or_else(PoisonError::into_inner).insert((promise.name, kind), mark);
    };
    Trial::test(format!("{}/{kind}", promise.name), move || {
        mark(Mark::Failed);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let test = TestStore::new(kind).await;
            (promise.check)(test.fixture).await;
        });
        mark(Mark::Kept);
        Ok(())
    })
}
