//! The component that is for users answers on the standard `wasi:keyvalue` as on our own stores; the matrix has the one
//! that lets scenarios come in between.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist");

fn scenarios() -> Vec<PathBuf> {
    let files = fs::read_dir(SCENARIOS).unwrap().map(|entry| entry.unwrap().path());
    let mut scenarios: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    scenarios.sort();
    assert!(scenarios.len() > 10, "{scenarios:?}");
    scenarios
}

/// Whether something happens between engine and store, or the engine has a clock of its own.
fn needs_interposition(scenario: &Path) -> bool {
    let text = fs::read_to_string(scenario).unwrap();
    ["\"before\":", "\"op\": \"fail\"", "\"op\": \"date\""].iter().any(|mark| text.contains(mark))
}

fn run_scenario(component: &str, scenarios: &[PathBuf]) -> Result<tempfile::TempDir, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-wasi-keyvalue"));
    let ended = command.arg(Path::new(DIST).join(component)).arg(folder.path()).args(scenarios).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if ended.status.success() { Ok(folder) } else { Err(said) }
}

fn compare(component: &str, scenarios: &[PathBuf]) {
    let folder = run_scenario(component, scenarios).unwrap();
    for scenario in scenarios {
        let name = scenario.file_name().unwrap();
        let expected = fs::read_to_string(Path::new(SCENARIOS).join("expected").join(name)).unwrap();
        let found = fs::read_to_string(folder.path().join(name)).unwrap();
        for (expected, found) in expected.lines().zip(found.lines()) {
            assert_eq!(found, expected, "{} on {component}", name.display());
        }
        assert!(found == expected, "{} on {component} has other lines", name.display());
    }
}

#[test]
fn the_component_that_is_for_users_answers_alike() {
    let (between, plain): (Vec<_>, Vec<_>) = scenarios().into_iter().partition(|path| needs_interposition(path));
    assert!(plain.len() > 5, "{plain:?}");
    compare("tickets-on-wasi-keyvalue.wasm", &plain);
    let refused = run_scenario("tickets-on-wasi-keyvalue.wasm", &between[..1]).unwrap_err();
    assert!(refused.contains("interposed.wasm"), "{refused}");
}
