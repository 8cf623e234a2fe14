//! The table of scenarios and hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::hosts::{COLUMNS, Column};

const NAME_WIDTH: usize = 24;

/// The table as text.
pub(crate) fn render(scenarios: &[String], cells: &BTreeMap<(&'static str, String), Option<usize>>) -> String {
    let mut out = format!("{:<NAME_WIDTH$}", "scenario");
    for column in COLUMNS {
        let _ = write!(out, "{:<width$}", column.name, width = width(column));
    }
    out.push('\n');
    let mut answers = 0;
    for name in scenarios {
        let _ = write!(out, "{name:<NAME_WIDTH$}");
        for column in COLUMNS {
            let cell = match cells.get(&(column.name, name.clone())) {
                Some(Some(equal)) => {
                    answers += equal;
                    "equal"
                }
                Some(None) => "DIFFERENT",
                None => "not run",
            };
            let _ = write!(out, "{cell:<width$}", width = width(column));
        }
        out.push('\n');
    }
    let ran = |column: &&Column| cells.keys().any(|(name, _)| *name == column.name);
    let engines: BTreeSet<String> = COLUMNS.iter().filter(ran).map(|column| (column.engine)()).collect();
    let engines: Vec<String> = engines.into_iter().collect();
    let _ = writeln!(out, "{answers} answers compared; engines: {}", engines.join(", "));
    if COLUMNS.iter().any(|column| column.needs_packages && !ran(&column)) {
        let _ = writeln!(out, "tests/matrix.sh runs the hosts on Node.js too");
    }
    out
}

/// The width of the column of a host.
fn width(column: &Column) -> usize {
    column.name.len().max("DIFFERENT".len()) + 2
}
