//! What those who depend on a crate must compile.

use std::collections::BTreeSet;
use std::process::Command;

use super::ROOT;

/// Crates, and what none of their dependencies may be.
const WITHOUT: &[(&str, &[&str])] = &[
    ("ticket-host", &["clap", "indicatif", "comfy-table", "tracing-subscriber"]),
    ("ticket-fallback", &["wasmtime", "clap", "indicatif", "comfy-table", "tracing-subscriber"]),
    ("ticket-transcripts", &["ticket-store", "tokio", "wasmtime", "clap"]),
    ("ticket-store", &["wasmtime", "clap", "indicatif", "comfy-table", "tracing-subscriber"]),
];

/// The names of all crates that a crate needs in use.
fn dependencies(of: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--package", of]);
    let ended = cargo.current_dir(ROOT).output().expect("cargo");
    assert!(ended.status.success(), "cargo tree of {of}: {}", String::from_utf8_lossy(&ended.stderr));
    let listed = String::from_utf8(ended.stdout).unwrap();
    listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn libraries_do_without_what_others_need() {
    for (of, without) in WITHOUT {
        let dependencies = dependencies(of);
        assert!(dependencies.contains(*of) && dependencies.len() > 10, "{of}: {dependencies:?}");
        let found: Vec<_> = without.iter().filter(|name| dependencies.contains(**name)).collect();
        assert!(found.is_empty(), "{of} depends on {found:?}: `cargo tree -e normal -p {of} -i NAME` says why");
    }
}
