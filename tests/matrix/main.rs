//! Every scenario on every host and store must give the same transcript, byte for byte.
//!
//! Prints a table of scenarios and hosts at the end. Hosts on Node.js need large packages: they run only with
//! `--include-ignored`, as in `tests/matrix.sh`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use ticket_tests::broken::Rule;

mod hosts;
mod table;
mod together;

use hosts::{Column, Transcripts};

/// Folder of the scenarios.
const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

/// The number of equal answers of each cell; `None` for a difference.
type Cells = Arc<Mutex<BTreeMap<(&'static str, String), Option<usize>>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let scenarios = scenarios();
    let cells: Cells = Arc::default();
    let mut trials = together::trials();
    for column in hosts::COLUMNS {
        let transcripts = Arc::new(Transcripts::new(column, None));
        for name in &scenarios {
            trials.push(cell(column, name, &transcripts, &cells));
        }
        for rule in Rule::ALL {
            trials.push(broken(column, rule, &scenarios));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
        print!("\n{}", table::render(&scenarios, &cells));
    }
    conclusion.exit_code()
}

/// The names of all scenarios.
fn scenarios() -> Vec<String> {
    let files = fs::read_dir(SCENARIOS).expect("the scenarios").map(|file| file.expect("a scenario").path());
    let scenarios = files.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let mut names: Vec<String> = scenarios.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort_unstable();
    assert!(names.len() > 10, "scenarios: {names:?}");
    names
}

/// The transcript that every host must give.
fn expected(name: &str) -> String {
    let path = Path::new(SCENARIOS).join("expected").join(format!("{name}.jsonl"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The test of one scenario on one host and store.
fn cell(column: &'static Column, name: &str, transcripts: &Arc<Transcripts>, cells: &Cells) -> Trial {
    let (name, transcripts, cells) = (name.to_owned(), Arc::clone(transcripts), Arc::clone(cells));
    let trial = Trial::test(format!("{}/{name}", column.name), move || {
        let mark =
            |cell| cells.lock().unwrap_or_else(PoisonError::into_inner).insert((column.name, name.clone()), cell);
        mark(None);
        let (expected, found) = (expected(&name), transcripts.of(&name)?);
        if let Some(difference) = difference(&expected, &found) {
            return Err(difference.into());
        }
        mark(Some(expected.lines().count()));
        Ok(())
    });
    trial.with_ignored_flag(column.needs_packages)
}

/// The first line in which two transcripts differ.
fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let line = expected.lines().zip(found.lines()).position(|(one, other)| one != other);
    let number = line.unwrap_or(expected.lines().count().min(found.lines().count()));
    let of = |text: &str| text.lines().nth(number).unwrap_or("nothing more").to_owned();
    Some(format!("line {}\nexpected: {}\nfound:    {}", number + 1, of(expected), of(found)))
}

/// The test that a broken rule of a host's store shows in some transcript.
fn broken(column: &'static Column, rule: Rule, scenarios: &[String]) -> Trial {
    let scenarios = scenarios.to_vec();
    let trial = Trial::test(format!("a_broken_rule_shows/{}/{}", column.name, rule.name()), move || {
        let transcripts = Transcripts::new(column, Some(rule));
        for name in &scenarios {
            if transcripts.of(name)? != expected(name) {
                return Ok(());
            }
        }
        Err(format!("no transcript of {} differs with {}", column.name, rule.name()).into())
    });
    trial.with_ignored_flag(column.needs_packages)
}
