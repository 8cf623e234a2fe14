//! The table of promises and stores: what was promised where, and whether it was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use ticket_tests::StoreKind;

use crate::promise::Promise;

/// Where the promises stand.
const CONTRACTS: [(&str, &str); 2] = [
    ("host/src/store.rs", include_str!("../../host/src/store.rs")),
    ("tests/promises/engine.rs", include_str!("engine.rs")),
];

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Kept,
    Failed,
}

/// By test and store; what did not run is missing.
pub(crate) type Results = Arc<Mutex<BTreeMap<(&'static str, StoreKind), Mark>>>;

/// The promises as the contracts have them: number and sentence, in their order.
fn promised() -> Vec<(String, &'static str)> {
    let rows = CONTRACTS.iter().flat_map(|(_, text)| text.lines());
    rows.filter_map(|line| {
        let mut cells = line.strip_prefix("//! | ")?.split(" | ");
        let number = cells.next()?;
        let (letter, digits) = number.split_at_checked(1)?;
        let numbered = (letter == "P" || letter == "E") && digits.parse::<u32>().is_ok();
        numbered.then(|| Some((number.to_owned(), cells.next()?.trim_end_matches(" |"))))?
    })
    .collect()
}

/// Checks that promises and tests belong together one to one.
pub(crate) fn compare(promises: &[Promise]) -> Result<(), String> {
    let sentences = promised();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for (number, _) in &sentences {
        if !wanted.insert(number.clone()) {
            return Err(format!("promise {number} stands twice in {CONTRACTS:?}"));
        }
    }
    if wanted.len() < 2 {
        return Err("no promises are found in the contracts".into());
    }
    let mut tested = BTreeSet::new();
    for promise in promises {
        if !tested.insert(promise.number()) {
            return Err(format!("promise {} has two tests", promise.number()));
        }
    }
    let (untested, unknown): (Vec<_>, Vec<_>) =
        (wanted.difference(&tested).collect(), tested.difference(&wanted).collect());
    if untested.is_empty() && unknown.is_empty() {
        return Ok(());
    }
    Err(format!("promises without a test: {untested:?}; tests without a promise: {unknown:?}"))
}

/// Of the column of a store.
fn width(kind: StoreKind) -> usize {
    kind.name().len().max("not run".len()) + 1
}

/// The table for people.
pub(crate) fn render(promises: &[Promise], results: &BTreeMap<(&'static str, StoreKind), Mark>) -> String {
    let mut out = format!("{:<9}", "promise");
    for kind in StoreKind::ALL {
        let _ = write!(out, "{kind:<width$}", width = width(kind));
    }
    out.push('\n');
    let mut remarks = Vec::new();
    for (number, sentence) in promised() {
        let Some(promise) = promises.iter().find(|promise| promise.number() == number) else { continue };
        let _ = write!(out, "{number:<9}");
        for kind in StoreKind::ALL {
            let mark = match (promise.exemption(kind), results.get(&(promise.name, kind))) {
                (Some(reason), _) => {
                    remarks.push(format!("{number} does not apply to {kind}: {reason}"));
                    "—"
                }
                (None, Some(Mark::Kept)) => "ok",
                (None, Some(Mark::Failed)) => "FAILED",
                (None, None) => "not run",
            };
            let _ = write!(out, "{mark:<width$}", width = width(kind));
        }
        let _ = writeln!(out, "{sentence}");
    }
    for remark in remarks {
        let _ = writeln!(out, "{remark}");
    }
    out
}
