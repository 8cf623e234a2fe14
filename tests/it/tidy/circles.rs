//! No circle between the files of a crate: what a file uses does not use that file, directly or through others.
//!
//! A declaration (`mod x;`) and a parent's `pub use x::…` do not count; every other path to an item of another file is.

use std::collections::{BTreeMap, BTreeSet};

use super::files;
use super::source::Source;

type Path = Vec<String>;

struct Token {
    text: String,
    line: usize,
}

/// One name that a `use` declaration brings into a module.
struct Import {
    name: String,
    path: Path,
    line: usize,
    exported: bool,
}

struct Module {
    file: String,
    imports: Vec<Import>,
    /// The paths in the code outside `use` declarations, with their lines.
    paths: Vec<(Path, usize)>,
}

/// The modules of one crate that have files of their own, by their paths.
type Crate = BTreeMap<Path, Module>;

/// One file uses another: both, and where.
type Edge = (String, String, String);

#[test]
fn files_do_not_use_each_other_in_circles() {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    for (file, text) in files(&[".rs"]) {
        let Some((root, inside)) = file.split_once("/src/") else { continue };
        if !(root.starts_with("host/") || root.starts_with("guest/"))
            || file.ends_with("tests.rs")
            || file.contains("/tests/")
        {
            continue;
        }
        crates.entry(root.to_owned()).or_default().insert(module_path(inside), module(&file, &text));
    }
    let circles: Vec<String> = crates.values().flat_map(|modules| circles(&edges(modules))).collect();
    assert!(circles.is_empty(), "{} circles between files\n\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_named() {
    let texts = [
        ("src/lib.rs", "mod a;\nmod b;\npub use b::B;\n"),
        ("src/a.rs", "mod c;\npub(crate) use c::C;\n#[cfg(test)]\nmod tests { use crate::b::X; }\nstruct A;\n"),
        ("src/a/c.rs", "use crate::{\n    B, // not \"crate::a::A\"\n};\npub(crate) struct C;\n"),
        ("src/b.rs", "pub struct B;\nfn b(_: &'static str) { super::a::C; \"\n\"; }\n"),
    ];
    let modules = texts.map(|(file, text)| (module_path(&file[4..]), module(file, text)));
    let found = circles(&edges(&modules.into_iter().collect()));
    assert_eq!(
        found,
        ["src/a/c.rs <-> src/b.rs\n  src/a/c.rs -> src/b.rs: 2 crate::B\n  src/b.rs -> src/a/c.rs: 2 super::a::C\n"]
    );
}

fn module_path(inside: &str) -> Path {
    match inside {
        "lib.rs" | "main.rs" => Path::new(),
        inside => inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect(),
    }
}

fn module(file: &str, text: &str) -> Module {
    let tokens = without_tests(tokens(&Source::of(text).code));
    let mut module = Module { file: file.to_owned(), imports: Vec::new(), paths: Vec::new() };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].text.as_str());
        if token.text == "use" && tokens.get(at + 1).is_some_and(|next| next.text != "<") {
            at = use_tree(&tokens, at + 1, &[], before == "pub" || before == ")", &mut module.imports);
        } else if is_name(&token.text) {
            let mut path = vec![token.text.clone()];
            let line = token.line;
            while tokens.get(at + 1).is_some_and(|next| next.text == "::") && is_name(&tokens[at + 2].text) {
                path.push(tokens[at + 2].text.clone());
                at += 2;
            }
            if before != "." && before != "mod" && before != "fn" {
                module.paths.push((path, line));
            }
        }
        at += 1;
    }
    module
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let in_name = |letter: char| letter.is_alphanumeric() || letter == '_';
            let length = match first {
                first if in_name(first) => rest.find(|letter| !in_name(letter)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                first => first.len_utf8(),
            };
            tokens.push(Token { text: rest[..length].to_owned(), line: line + 1 });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Leaves out the items under `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        kept.push(token);
        let marked = kept.len() >= MARK.len() && kept[kept.len() - MARK.len()..].iter().map(|one| &one.text).eq(MARK);
        if marked {
            let mut depth = 0;
            for token in rest.by_ref() {
                match token.text.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                if depth == 0 && (token.text == "}" || token.text == ";") {
                    break;
                }
            }
        }
    }
    kept
}

/// Reads one tree of a `use` declaration and returns where it ends.
fn use_tree(tokens: &[Token], mut at: usize, prefix: &[String], exported: bool, imports: &mut Vec<Import>) -> usize {
    let line = tokens[at].line;
    let mut path = prefix.to_vec();
    let mut name = None;
    loop {
        match tokens[at].text.as_str() {
            "::" => {}
            "{" => {
                while tokens[at].text != "}" {
                    at = use_tree(tokens, at + 1, &path, exported, imports);
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => {
                at += 1;
                name = Some(tokens[at].text.clone());
            }
            "self" if !path.is_empty() => {}
            text => path.push(text.to_owned()),
        }
        at += 1;
    }
    if path.len() > prefix.len() || tokens[at - 1].text == "self" {
        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
        imports.push(Import { name, path, line, exported });
    }
    at
}

/// The module that defines what a path means in a module: the one with the longest path, past re-exports.
fn resolve(modules: &Crate, from: &[String], path: &[String], depth: usize) -> Option<Path> {
    let (first, mut rest) = path.split_first()?;
    let mut current = from.to_vec();
    match first.as_str() {
        "crate" => current.clear(),
        "self" => {}
        "super" => drop(current.pop()),
        name => {
            let child = [from, &[name.to_owned()]].concat();
            if !modules.contains_key(&child) {
                let import = modules[from].imports.iter().find(|import| import.name == *name && depth > 0)?;
                return resolve(modules, from, &[&import.path, rest].concat(), depth - 1);
            }
            current = child;
        }
    }
    while let Some((next, after)) = rest.split_first() {
        let child = [&current[..], std::slice::from_ref(next)].concat();
        if next == "super" {
            current.pop();
        } else if modules.contains_key(&child) {
            current = child;
        } else {
            let import = modules[&current].imports.iter().find(|import| import.name == *next && depth > 0);
            let target = import.map(|import| [&import.path, after].concat());
            return target.and_then(|path| resolve(modules, &current, &path, depth - 1)).or(Some(current));
        }
        rest = after;
    }
    Some(current)
}

fn edges(modules: &Crate) -> Vec<Edge> {
    const REEXPORTS_MAX: usize = 8;
    let mut edges = Vec::new();
    for (from, module) in modules {
        let mut add = |path: &[String], line: usize, reexport: bool| {
            let Some(target) = resolve(modules, from, path, REEXPORTS_MAX) else { return };
            if target != *from && !(reexport && target.starts_with(from)) {
                let (file, used) = (&module.file, &modules[&target].file);
                edges.push((file.clone(), used.clone(), format!("{line} {}", path.join("::"))));
            }
        };
        for import in &module.imports {
            add(&import.path, import.line, import.exported);
        }
        for (path, line) in &module.paths {
            // A name alone is a use where only a re-export brings it in; other imports are uses themselves.
            let reexported = |import: &Import| import.exported && import.name == path[0];
            if path.len() > 1 || module.imports.iter().any(reexported) {
                add(path, *line, false);
            }
        }
    }
    edges
}

/// The circles among the edges, each with its files and the lines that make it.
fn circles(edges: &[Edge]) -> Vec<String> {
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, _, _) in edges {
        let mut open = vec![from.as_str()];
        let reached = reach.entry(from).or_default();
        while let Some(file) = open.pop() {
            let next = edges.iter().filter(|(user, _, _)| user == file).map(|(_, used, _)| used.as_str());
            open.extend(next.filter(|used| reached.insert(used)));
        }
    }
    let mutual =
        |one: &str, other: &str| reach[one].contains(other) && reach.get(other).is_some_and(|all| all.contains(one));
    let mut circles: BTreeMap<String, BTreeMap<(&str, &str), Vec<&str>>> = BTreeMap::new();
    for (from, used, place) in edges.iter().filter(|(from, used, _)| mutual(from, used)) {
        let members: Vec<&str> = reach[from.as_str()].iter().copied().filter(|file| mutual(from, file)).collect();
        circles.entry(members.join(" <-> ")).or_default().entry((from, used)).or_default().push(place);
    }
    let uses =
        |((from, used), places): (&(&str, &str), &Vec<&str>)| format!("  {from} -> {used}: {}\n", places.join(", "));
    circles
        .iter()
        .map(|(members, pairs)| format!("{members}\n{}", pairs.iter().map(uses).collect::<String>()))
        .collect()
}
