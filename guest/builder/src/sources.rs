//! Which components there are, and one digest over all that each of them is built from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, NodeDep, Package};
use toml::{Table, Value};

use crate::toolchain::TARGET;

/// The root of the workspace of this crate.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder of `guest/` whose crate is made into a component, and what cargo needs to build it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Name of its folder, and of its files in `guest/dist`.
    pub name: String,
    /// Name of its package.
    pub package: String,
    /// The folders of `guest/` with its crate and those that it depends on.
    pub folders: BTreeSet<String>,
    /// `name version` of every package that it depends on, itself included, without those that tests alone need.
    pub packages: BTreeSet<String>,
    /// Names of the dependencies of these folders.
    pub dependencies: BTreeSet<String>,
}

/// All components of the workspace at `root`, by name: the folders of `guest/` with a `cdylib` crate.
///
/// # Errors
/// Where cargo cannot resolve the workspace by its lock file.
pub fn components(root: &Path) -> Result<Vec<Component>> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml"));
    command.other_options(["--locked", "--filter-platform", TARGET].map(str::to_owned));
    let metadata = command.exec().context("reading the dependencies of the workspace")?;
    let is_component = |package: &&Package| package.targets.iter().any(|target| target.is_cdylib());
    let packages = metadata.workspace_packages();
    let mut found: Vec<_> = packages
        .into_iter()
        .filter(is_component)
        .filter_map(|package| Some((folder(root, package)?, package)))
        .map(|(name, package)| component(root, &metadata, name, package))
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// The name of the folder of `guest/` with a package; none if it is elsewhere.
fn folder(root: &Path, package: &Package) -> Option<String> {
    let folder = package.manifest_path.parent()?.as_std_path();
    let below = folder.strip_prefix(root.join("guest")).ok()?;
    Some(below.to_string_lossy().into_owned())
}

fn component(root: &Path, metadata: &Metadata, name: String, package: &Package) -> Component {
    let mut component = Component {
        name,
        package: package.name.to_string(),
        folders: BTreeSet::new(),
        packages: BTreeSet::new(),
        dependencies: BTreeSet::new(),
    };
    let mut wanted = vec![&package.id];
    while let Some(id) = wanted.pop() {
        let package = &metadata[id];
        if !component.packages.insert(format!("{} {}", package.name, package.version)) {
            continue;
        }
        if let Some(folder) = folder(root, package) {
            component.folders.insert(folder);
            let used = package.dependencies.iter().filter(|used| used.kind != DependencyKind::Development);
            component.dependencies.extend(used.map(|used| used.name.clone()));
        }
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let used = nodes.filter(|node| node.id == *id).flat_map(|node| &node.deps);
        let is_built = |used: &&NodeDep| used.dep_kinds.iter().any(|info| info.kind != DependencyKind::Development);
        wanted.extend(used.filter(is_built).map(|used| &used.pkg));
    }
    component
}

/// SHA-256 over all that `component` is built from, in hexadecimal.
///
/// That is: the interfaces in `wit/`, manifest and `src/` of its crate and of those crates of `guest/` that it depends
/// on, those parts of the root manifest that reach them (profiles, package defaults, the shared dependencies they
/// name), and name and version of every package that it depends on by `Cargo.lock`. What only other crates
/// use, or only tests, is not part of it.
pub fn digest(root: &Path, component: &Component) -> Result<String> {
    let mut files = Vec::new();
    below(&root.join("wit"), &mut files)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wit"));
    for folder in &component.folders {
        let folder = root.join("guest").join(folder);
        files.push(folder.join("Cargo.toml"));
        below(&folder.join("src"), &mut files)?;
    }
    let mut parts = BTreeMap::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        parts.insert(relative(root, &file), content);
    }
    let shared = shared(&table(&root.join("Cargo.toml"))?, &component.dependencies);
    parts.insert("Cargo.toml".to_owned(), shared.into_bytes());
    let packages: Vec<&str> = component.packages.iter().map(String::as_str).collect();
    parts.insert("Cargo.lock".to_owned(), packages.join("\n").into_bytes());

    // Lengths keep the parts apart: no content can pass for the begin of the next part.
    let mut all = Vec::new();
    for (name, content) in parts {
        for bytes in [name.as_bytes(), &content] {
            all.extend((bytes.len() as u64).to_le_bytes());
            all.extend(bytes);
        }
    }
    Ok(sha256(&all))
}

/// The parts of the root manifest that reach a component, as text that has no other use than to be compared.
fn shared(root: &Table, dependencies: &BTreeSet<String>) -> String {
    let mut parts = Table::new();
    for keys in [&["profile", "component"][..], &["profile", "release"], &["workspace", "package"]] {
        if let Some(value) = at(root, keys) {
            parts.insert(keys.join("."), value.clone());
        }
    }
    for name in dependencies {
        if let Some(value) = at(root, &["workspace", "dependencies", name]) {
            parts.insert(name.clone(), value.clone());
        }
    }
    let mut text = String::new();
    write_value(&Value::Table(parts), &mut text);
    text
}

/// Writes a value so that equal values give equal text, because layout and comments do not count.
fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Table(table) => {
            let sorted: BTreeMap<_, _> = table.iter().collect();
            text.push('{');
            for (key, value) in sorted {
                text.push_str(&format!("{key:?}:"));
                write_value(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_value(value, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::String(string) => text.push_str(&format!("{string:?}")),
        Value::Integer(number) => text.push_str(&number.to_string()),
        Value::Float(number) => text.push_str(&number.to_string()),
        Value::Boolean(truth) => text.push_str(&truth.to_string()),
        Value::Datetime(time) => text.push_str(&time.to_string()),
    }
}

fn at<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn table(path: &Path) -> Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not valid TOML", path.display()))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(folder).with_context(|| format!("reading the folder {}", folder.display()))?;
    let mut paths = list.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            below(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The path below `root` with `/` between its parts, as on every machine.
fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_what_it_is_built_from_and_nothing_else() {
        let found = components(&workspace()).unwrap();
        let engine = found.iter().find(|component| component.name == "engine").unwrap();
        assert_eq!(engine.package, "ticket-engine");
        assert_eq!(engine.folders, ["engine", "model"].map(str::to_owned).into());
        let has = |name: &str| engine.packages.iter().any(|package| package.split(' ').next() == Some(name));
        assert!(has("ticket-engine") && has("ticket-model") && has("wit-bindgen"), "{:?}", engine.packages);
        assert!(!has("proptest") && !has("wasmtime") && !has("ticket-store"), "{:?}", engine.packages);
        assert!(engine.dependencies.contains("serde_json"), "{:?}", engine.dependencies);
    }

    fn manifest(profile: &str, json: &str, server: &str) -> Table {
        let text = format!(
            "[profile.component]\n{profile}\n[profile.test]\nopt-level = 1\n\
             [workspace.dependencies]\njson = {json}\nserver = {server}"
        );
        text.parse().unwrap()
    }

    #[test]
    fn only_what_reaches_a_component_counts_in_the_root_manifest() {
        let engine = BTreeSet::from(["json".to_owned()]);
        let before = shared(&manifest("lto = true", "\"1\"", "\"3\""), &engine);
        assert_eq!(
            before,
            shared(&manifest("lto   = true # small", "\"1\"", "\"4\""), &engine),
            "only the host uses it"
        );
        assert_ne!(before, shared(&manifest("lto = false", "\"1\"", "\"3\""), &engine), "another profile");
        assert_ne!(before, shared(&manifest("lto = true", "{ version = \"1\" }", "\"3\""), &engine), "another feature");
    }

    #[test]
    fn every_source_file_is_in_the_digest() {
        let root = std::env::temp_dir().join(format!("component-sources-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[profile.component]");
        write("wit/world.wit", "package a:b;");
        write("wit/adapters/deps/clocks/clocks.wit", "package w:c;");
        write("guest/builder/Cargo.toml", "[package]\nname = \"builder\"");
        write("guest/json/Cargo.toml", "[package]\nname = \"json\"");
        write("guest/json/src/lib.rs", "");
        write("guest/engine/Cargo.toml", "[package]\nname = \"engine\"");
        write("guest/engine/src/lib.rs", "mod deep;");
        let engine = Component {
            name: "engine".to_owned(),
            package: "engine".to_owned(),
            folders: ["engine", "json"].map(str::to_owned).into(),
            packages: BTreeSet::new(),
            dependencies: BTreeSet::new(),
        };

        let mut seen = BTreeSet::from([digest(&root, &engine).unwrap()]);
        for path in [
            "wit/world.wit",
            "wit/adapters/deps/clocks/clocks.wit",
            "guest/engine/src/lib.rs",
            "guest/engine/src/deep/deeper.rs",
            "guest/json/src/lib.rs",
        ] {
            write(path, "// changed");
            assert!(seen.insert(digest(&root, &engine).unwrap()), "{path} changed, the digest did not");
        }
        write("wit/README.md", "not an interface");
        write("guest/builder/src/main.rs", "fn main() {}");
        assert!(!seen.insert(digest(&root, &engine).unwrap()), "no source changed, the digest did");
        let newer = Component { packages: ["json 1.0.1".to_owned()].into(), ..engine };
        assert!(seen.insert(digest(&root, &newer).unwrap()), "a dependency changed, the digest did not");
        fs::remove_dir_all(&root).unwrap();
    }
}
