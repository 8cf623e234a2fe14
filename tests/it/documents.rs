//! The documents: links resolve, pages are short and name their readers, and the words are those of the glossary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const README_BYTES_MAX: usize = 10 * 1024;
const PAGE_BYTES_MAX: usize = 15 * 1024;

/// The parts of a decision record, in their order.
const RECORD_PARTS: [&str; 4] = ["## Status", "## Context", "## Decision", "## Consequences"];

/// Words of a former vocabulary, as they stand in running text; `docs/concepts.md` has the ones in use.
const OLD_WORDS: &[&str] = &[
    "ground",
    "grounds",
    "lent",
    "lend",
    "lends",
    "stand-in",
    "stand-ins",
    "stands in for",
    "shadow",
    "unsaved",
    "brought home",
    "bring home",
    "brings home",
    "goes home",
    "go home",
    "homeward",
    "is away",
    "are away",
    "put aside",
    "puts aside",
    "kept aside",
    "settle",
    "settles",
    "settled",
    "lineage",
    "another life",
    "former life",
    "earlier life",
    "foreign program",
    "foreign programs",
    "foreign hand",
    "deed",
    "deeds",
    "unfit",
    "qualify",
    "qualifies",
    "qualified",
    "reconciliation",
    "reconciled",
    "take turns",
    "none of ours",
    "a defect of ours",
    "the house",
    "shall",
    "somebody",
    "moment",
    "moments",
];

/// The project's documents, by path from its top.
fn documents() -> BTreeMap<String, String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.md"]).current_dir(ROOT);
    let listed = git.output().expect("git is missing: apt-get install git");
    assert!(listed.status.success(), "git ls-files failed: the tests run in a checkout");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let paths = listed.lines().filter(|path| Path::new(ROOT).join(path).exists());
    paths.map(|path| (path.to_owned(), fs::read_to_string(Path::new(ROOT).join(path)).unwrap())).collect()
}

/// The lines outside of fenced code, numbered from 1, with the contents of code spans blanked.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let parts = line.split('`').enumerate();
            let kept: Vec<&str> = parts.map(|(index, part)| if index % 2 == 0 { part } else { "" }).collect();
            lines.push((number, kept.join("`")));
        }
    }
    lines
}

/// The targets of inline links, images and link definitions in a line of prose.
fn targets(line: &str) -> Vec<String> {
    let mut targets = Vec::new();
    if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
        targets.push(target.trim().to_owned());
    }
    let mut rest = line;
    while let Some((_, after)) = rest.split_once("](") {
        let Some((target, after)) = after.split_once(')') else { break };
        targets.push(target.to_owned());
        rest = after;
    }
    targets
}

/// A line of prose without the targets of its links.
fn words(line: &str) -> String {
    let mut parts = line.split("](");
    let mut words = parts.next().unwrap_or_default().to_lowercase();
    for part in parts {
        words.push_str(&part.split_once(')').map_or(part, |(_, after)| after).to_lowercase());
    }
    words
}

/// The anchors that the headings of a document get: lower case, without punctuation, hyphens for spaces.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if in_code || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let anchor: String = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let repeated = (1..).map(|count| format!("{anchor}-{count}"));
        let free = std::iter::once(anchor.clone()).chain(repeated).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// The path of a link from the project's top; none where it leads out of the project.
fn resolved(from: &str, target: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(from).parent()?.join(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir if path.pop() => {}
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// What is wrong with a relative link; none where it resolves.
fn fault(documents: &BTreeMap<String, String>, from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { PathBuf::from(from) } else { resolved(from, path)? };
    let named = path.to_str()?;
    if !documents.contains_key(named) && !Path::new(ROOT).join(&path).exists() {
        return Some(format!("there is no {named}"));
    }
    let anchor = anchor?;
    match documents.get(named) {
        Some(text) if anchors(text).contains(anchor) => None,
        Some(_) => Some(format!("{named} has no heading #{anchor}")),
        None => Some(format!("{named} is not a document, so that #{anchor} means nothing")),
    }
}

/// Links of these documents that do not resolve.
fn broken_links(documents: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (from, text) in documents {
        for (number, line) in prose(text) {
            for target in targets(&line) {
                if !target.contains("://") && resolved(from, &target).is_none() {
                    faults.push(format!("{from}:{number}: {target} leads out of the project"));
                }
                if let Some(fault) = fault(documents, from, &target) {
                    faults.push(format!("{from}:{number}: {target}: {fault}"));
                }
            }
        }
    }
    faults
}

/// Whether a text has a word or phrase that no letter, digit, hyphen or underscore continues.
fn has(text: &str, word: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(continues) && !text[at + word.len()..].starts_with(continues))
}

/// Old words in these documents.
fn old_words(documents: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in documents {
        let lines = prose(text);
        for (index, (number, line)) in lines.iter().enumerate() {
            // A phrase may go on in the next line; what is in that line alone is found there.
            let next = lines.get(index + 1).map(|(_, next)| words(next.trim_start())).unwrap_or_default();
            let both = format!("{} {next}", words(line));
            let found = OLD_WORDS.iter().filter(|word| has(&both, word) && !has(&next, word));
            faults.extend(found.map(|word| format!("{path}:{number}: `{word}`")));
        }
    }
    faults
}

#[test]
fn links_between_documents_and_files_resolve() {
    let faults = broken_links(&documents());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn documents_use_the_words_of_the_glossary() {
    let faults = old_words(&documents());
    assert!(faults.is_empty(), "docs/concepts.md has the words to use: {faults:#?}");
}

#[test]
fn pages_are_short() {
    let mut faults = Vec::new();
    for (path, text) in documents() {
        let bytes_max = if path == "README.md" { README_BYTES_MAX } else { PAGE_BYTES_MAX };
        if text.len() > bytes_max {
            faults.push(format!("{path} has {} bytes, more than {bytes_max}", text.len()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn pages_say_first_for_whom_they_are() {
    let is_record = |path: &str| path.starts_with("docs/decisions/") && !path.ends_with("README.md");
    let mut faults = Vec::new();
    for (path, text) in documents() {
        if !path.starts_with("docs/") || is_record(&path) {
            continue;
        }
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let has_title = lines.next().is_some_and(|line| line.starts_with("# "));
        if !has_title || !lines.next().is_some_and(|line| line.starts_with("For ")) {
            faults.push(format!("{path} does not begin with a title and `For …`"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn decision_records_have_their_parts() {
    let mut faults = Vec::new();
    for (path, text) in documents() {
        let Some(name) = path.strip_prefix("docs/decisions/").filter(|name| *name != "README.md") else { continue };
        let number = name.split('-').next().and_then(|digits| digits.parse::<u32>().ok()).unwrap_or_default();
        if number == 0 || !text.starts_with(&format!("# {number}. ")) {
            faults.push(format!("{path} is not NNNN-title.md with the title `# N. …`"));
        }
        let parts: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        if parts != RECORD_PARTS {
            faults.push(format!("{path} has the parts {parts:?}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_page_is_in_its_index() {
    let documents = documents();
    let mut faults = Vec::new();
    for path in documents.keys().filter(|path| path.starts_with("docs/") && *path != "docs/README.md") {
        let (folder, name) = path.rsplit_once('/').unwrap();
        let index = match (folder, name) {
            (_, "README.md") => "docs/README.md".to_owned(),
            (folder, _) => format!("{folder}/README.md"),
        };
        let text = documents.get(&index).map(String::as_str).unwrap_or_default();
        let linked = prose(text)
            .iter()
            .flat_map(|(_, line)| targets(line))
            .any(|target| resolved(&index, target.split('#').next().unwrap_or_default()) == Some(PathBuf::from(path)));
        if !linked {
            faults.push(format!("{index} does not link to {path}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn broken_links_and_old_words_are_found() {
    let page = "# A page\n\n[good](b.md#two-words) [lost](c.md) [wrong](b.md#three) [out](../../x)\n\n\
                ```\n[code](lost.md) somebody\n```\n\n`[span](lost.md)` Somebody is here.\n\n[def]: d.md\n";
    let other = "# B\n\n## `Two` words!\n";
    let documents = [("docs/a.md", page), ("docs/b.md", other)];
    let documents = documents.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    let faults = broken_links(&documents);
    let lines: Vec<&str> = faults.iter().filter_map(|fault| fault.split(": ").next()).collect();
    assert_eq!(lines, ["docs/a.md:3", "docs/a.md:3", "docs/a.md:3", "docs/a.md:11"], "{faults:#?}");
    assert_eq!(old_words(&documents), ["docs/a.md:9: `somebody`"]);
}
