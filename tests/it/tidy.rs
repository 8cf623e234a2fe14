//! Rules of style and structure that a program can check.

mod circles;
mod dependencies;
mod source;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Names and the only places, by the beginnings of paths, where code may use them.
const PLACES: &[(&str, &[&str])] = &[
    ("redis::", &["host/store/src/lib.rs", "host/store/src/redis", "host/conformance/src", "tests/"]),
    (
        "rusqlite::",
        &[
            "host/store/src/sqlite",
            "host/fallback/src/replica/file.rs",
            "host/fallback/src/branches/file.rs",
            "host/conformance/src/raw_sqlite.rs",
            "tests/",
        ],
    ),
    (
        "wasmtime::",
        &["host/tickets/src/engine", "host/tickets/src/image_folder.rs", "host/tickets/src/workflow", "tests/hosts/"],
    ),
    (
        "wit_bindgen::",
        &[
            "guest/engine/src/component.rs",
            "guest/wasi-keyvalue/src/component.rs",
            "guest/interposed/src/component.rs",
            "guest/edge/src/component.rs",
            "host/cli/templates/",
            "guest/refund/src/component.rs",
        ],
    ),
    ("bindgen!(", &["host/tickets/src/engine/bindings.rs", "host/tickets/src/workflow/bindings.rs", "tests/hosts/"]),
    ("SystemTime::now", &["host/store/src/clock.rs", "tests/"]),
    ("process::exit", &["guest/builder/", "tests/"]),
    ("ticket_engine", &["tests/", "guest/"]),
];

/// The project's files that are not ignored, by path from its top.
fn paths() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(ROOT);
    let listed = git.output().expect("git is missing: apt-get install git");
    assert!(listed.status.success(), "git ls-files failed: the tests run in a checkout");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut paths: Vec<String> = listed.lines().map(str::to_owned).collect();
    paths.retain(|path| Path::new(ROOT).join(path).exists());
    paths.sort();
    paths
}

/// The texts of files whose paths end so.
fn files(endings: &[&str]) -> BTreeMap<String, String> {
    let mut paths = paths();
    paths.retain(|path| endings.iter().any(|ending| path.ends_with(ending)));
    let read = |path: String| {
        let text = fs::read_to_string(Path::new(ROOT).join(&path)).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_file_begins_with_its_purpose_and_is_short() {
    let mut faults = Vec::new();
    for (path, text) in files(&[".rs", ".lua", ".py", ".mjs", ".sh"]) {
        let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        if !["//", "--", "#", "\"\"\""].iter().any(|mark| first.starts_with(mark)) {
            faults.push(format!("{path} does not begin with what it is for"));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{path} has {lines} lines"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let mut open: Option<(usize, usize, &str)> = None;
        for (number, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let begins = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "async fn ", "pub async fn "];
            let begins = begins.iter().any(|word| line.trim_start().starts_with(word))
                || line.trim_start().starts_with("pub(crate) async fn ")
                || line.trim_start().starts_with("pub(super) async fn ");
            match open {
                None if begins && !line.trim_end().ends_with([';', '}']) => open = Some((number, indent, line.trim())),
                Some((from, at, name)) if indent == at && line.trim_end() == format!("{}}}", " ".repeat(at)) => {
                    if number - from + 1 > FUNCTION_LINES_MAX {
                        faults.push(format!("{path}:{}: {name} has {} lines", from + 1, number - from + 1));
                    }
                    open = None;
                }
                _ => {}
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn restricted_names_stay_in_their_places() {
    let mut faults = Vec::new();
    for (path, text) in files(&[".rs"]) {
        if path == "tests/it/tidy.rs" {
            continue;
        }
        for (word, places) in PLACES {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found = code.filter(|line| {
                line.match_indices(word).any(|(at, _)| {
                    !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
                })
            });
            if found.count() > 0 && !places.iter().any(|place| path.starts_with(place)) {
                faults.push(format!("`{word}` stands in {path}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn no_file_is_unfinished_or_names_paths_of_one_machine() {
    let marks = [
        "TO".to_owned() + "DO",
        "FIX".to_owned() + "ME",
        "#[ig".to_owned() + "nore",
        "unimple".to_owned() + "mented!(",
    ];
    let folders = ["/ro".to_owned() + "ot/", "/ho".to_owned() + "me/", "/wo".to_owned() + "rk/"];
    let mut faults = Vec::new();
    for (path, text) in files(&[".rs", ".lua", ".py", ".mjs", ".json", ".sh", ".md", ".wit", ".toml", "run"]) {
        // The builder looks for such folders in what it built.
        let folders = if path == "guest/builder/src/record.rs" { &[] } else { &folders[..] };
        for word in marks.iter().chain(folders).filter(|word| text.contains(word.as_str())) {
            faults.push(format!("{path} has `{word}`"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_top_level_has_only_the_expected_entries() {
    let wanted = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "SECURITY.md",
        "deny.toml",
        "docs",
        "guest",
        "host",
        "rust-toolchain.toml",
        "tests",
        "wit",
    ];
    let first = |path: String| path.split('/').next().unwrap_or_default().to_owned();
    let mut found: Vec<String> = paths().into_iter().map(first).filter(|name| !name.starts_with('.')).collect();
    found.dedup();
    assert_eq!(found, wanted);
}
