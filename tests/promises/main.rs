//! The promises of stores (P1, P2, …) and of the engine (E1, E2, …), each kept by every store.
//!
//! After the run stands a table of promises and stores.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use ticket_tests::{Fixture, StoreKind};

mod conditions;
mod content;
mod deadlines;
mod engine;
mod leaving;
mod listing;
mod promise;
mod refusals;
mod refusals_of_redis;
mod steps;
mod table;

use promise::Promise;
use table::{Mark, Results};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let promises = [
        content::promises(),
        conditions::promises(),
        deadlines::promises(),
        listing::promises(),
        refusals::promises(),
        leaving::promises(),
        engine::promises(),
    ]
    .concat();
    let results: Results = Arc::new(Mutex::new(BTreeMap::new()));
    let mut trials = vec![Trial::test("every_promise_has_one_test_and_every_test_a_promise", {
        let promises = promises.clone();
        move || table::compare(&promises).map_err(Into::into)
    })];
    for promise in &promises {
        for kind in StoreKind::ALL {
            if promise.exemption(kind).is_none() {
                trials.push(trial(*promise, kind, Arc::clone(&results)));
            }
        }
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
        runtime.block_on(async { (promise.check)(Fixture::new(kind).await).await });
        mark(Mark::Kept);
        Ok(())
    })
}
