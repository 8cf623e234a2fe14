//! The table of promises and stores.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use ticket_conformance::Promise;
use ticket_tests::StoreKind;

/// The result of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Kept,
    Failed,
}

/// Results by test and store, without tests that did not run.
pub(crate) type Results = Arc<Mutex<BTreeMap<(&'static str, StoreKind), Mark>>>;

/// Why a promise cannot be checked on a store of this kind.
pub(crate) fn exemption(promise: &Promise, kind: StoreKind) -> Option<&'static str> {
    if kind.has_raw_client() { None } else { promise.needs_raw_client() }
}

/// The width of the column of a store.
fn width(kind: StoreKind) -> usize {
    kind.name().len().max("not run".len()) + 1
}

/// The table as text.
pub(crate) fn render(promises: &[Promise], results: &BTreeMap<(&'static str, StoreKind), Mark>) -> String {
    let mut out = format!("{:<9}", "promise");
    for kind in StoreKind::ALL {
        let _ = write!(out, "{kind:<width$}", width = width(kind));
    }
    out.push('\n');
    let mut remarks = Vec::new();
    for promise in promises {
        let number = promise.number();
        let _ = write!(out, "{number:<9}");
        for kind in StoreKind::ALL {
            let mark = match (exemption(promise, kind), results.get(&(promise.name, kind))) {
                (Some(reason), _) => {
                    remarks.push(format!("{number} is not checked on {kind}: {reason}"));
                    "—"
                }
                (None, Some(Mark::Kept)) => "ok",
                (None, Some(Mark::Failed)) => "FAILED",
                (None, None) => "not run",
            };
            let _ = write!(out, "{mark:<width$}", width = width(kind));
        }
        let _ = writeln!(out, "{}", promise.sentence());
    }
    for remark in remarks {
        let _ = writeln!(out, "{remark}");
    }
    out
}
