//! Which components there are, and one digest over all that each of them is built from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::{Table, Value};

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

/// A folder of `guest/` whose crate is made into a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Name of its folder, and of its files in `guest/dist`.
    pub name: String,
    /// Name of its package.
    pub package: String,
}

/// All components of the workspace at `root`, by name: the folders of `guest/` with a `cdylib` crate.
pub fn components(root: &Path) -> Result<Vec<Component>> {
    let mut found = Vec::new();
    for Crate { name, package, manifest } in crates(root)? {
        let crate_types = at(&manifest, &["lib", "crate-type"]).and_then(Value::as_array);
        if crate_types.is_some_and(|types| types.iter().any(|kind| kind.as_str() == Some("cdylib"))) {
            found.push(Component { name, package });
        }
    }
    Ok(found)
}

/// A folder of `guest/` with a crate.
struct Crate {
    name: String,
    package: String,
    manifest: Table,
}

fn crates(root: &Path) -> Result<Vec<Crate>> {
    let mut found = Vec::new();
    for folder in entries(&root.join("guest"))? {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            continue;
        }
        let manifest = table(&manifest)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let package = at(&manifest, &["package", "name"]).and_then(Value::as_str);
        let package = package.with_context(|| format!("guest/{name}/Cargo.toml names no package"))?.to_owned();
        found.push(Crate { name, package, manifest });
    }
    Ok(found)
}

/// SHA-256 over all that `component` is built from, in hexadecimal.
///
/// That is: the interfaces in `wit/`, manifest and `src/` of its crate and of those crates of `guest/` that it depends
/// on, those parts of the root manifest that reach them (profiles, package defaults, the shared dependencies they
/// name), and name and version of every package that it depends on by `Cargo.lock`. What only other crates
/// use, or only tests, is not part of it.
pub fn digest(root: &Path, component: &Component) -> Result<String> {
    let mut crates = crates(root)?;
    let packages = closure(&table(&root.join("Cargo.lock"))?, &component.package, &for_tests(&crates))?;
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package.split(' ').next()).collect();
    crates.retain(|used| names.contains(used.package.as_str()));

    let mut files = Vec::new();
    below(&root.join("wit"), &mut files)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wit"));
    for used in &crates {
        let folder = root.join("guest").join(&used.name);
        files.push(folder.join("Cargo.toml"));
        below(&folder.join("src"), &mut files)?;
    }
    let mut parts = BTreeMap::new();
    for file in files {
        let content = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        parts.insert(relative(root, &file), content);
    }
    let manifests: Vec<_> = crates.iter().map(|used| &used.manifest).collect();
    let shared = shared(&table(&root.join("Cargo.toml"))?, &manifests);
    parts.insert("Cargo.toml".to_owned(), shared.into_bytes());
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

/// For each crate the dependencies that its tests alone have, which the lock file does not tell from the others.
fn for_tests(crates: &[Crate]) -> BTreeMap<String, BTreeSet<String>> {
    let only = |manifest: &Table| {
        let names = |kinds| names_of(manifest, kinds, |_| true);
        let used = names(&["dependencies", "build-dependencies"]);
        names(&["dev-dependencies"]).into_iter().filter(|name| !used.contains(name)).collect()
    };
    crates.iter().map(|one| (one.package.clone(), only(&one.manifest))).collect()
}

/// The parts of the root manifest that reach a component, as text that has no other use than to be compared.
fn shared(root: &Table, manifests: &[&Table]) -> String {
    let mut parts = Table::new();
    for keys in [&["profile", "component"][..], &["profile", "release"], &["workspace", "package"]] {
        if let Some(value) = at(root, keys) {
            parts.insert(keys.join("."), value.clone());
        }
    }
    for name in manifests.iter().flat_map(|manifest| shared_dependencies(manifest)) {
        if let Some(value) = at(root, &["workspace", "dependencies", &name]) {
            parts.insert(name, value.clone());
        }
    }
    let mut text = String::new();
    write_value(&Value::Table(parts), &mut text);
    text
}

/// Names of the dependencies that a manifest takes from the workspace, on any platform.
fn shared_dependencies(manifest: &Table) -> BTreeSet<String> {
    let from_workspace = |dependency: &Value| dependency.get("workspace").and_then(Value::as_bool) == Some(true);
    names_of(manifest, &["dependencies", "build-dependencies"], from_workspace)
}

/// Names of the dependencies of some kinds in a manifest, on any platform.
fn names_of(manifest: &Table, kinds: &[&str], wanted: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let platforms = at(manifest, &["target"]).and_then(Value::as_table);
    let tables = platforms.into_iter().flat_map(|all| all.values().filter_map(Value::as_table)).chain([manifest]);
    let lists = tables.flat_map(|table| kinds.iter().map(|kind| at(table, &[kind])));
    let dependencies = lists.flatten().filter_map(Value::as_table).flatten();
    dependencies.filter(|(_, value)| wanted(value)).map(|(name, _)| name.clone()).collect()
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

/// `name version` of `package` and of all that it depends on by the lock file, sorted; without what `leave` names
/// for the package that depends on it.
fn closure(lock: &Table, package: &str, leave: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<String>> {
    let packages = lock.get("package").and_then(Value::as_array).context("Cargo.lock has no packages")?;
    let text = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut found = BTreeSet::new();
    let mut wanted = vec![package.to_owned()];
    while let Some(reference) = wanted.pop() {
        // A reference is "name", or "name version" (and perhaps a source) where the name alone is ambiguous.
        let mut words = reference.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        let matches = |package: &&Value| {
            text(package, "name") == name && version.is_none_or(|version| text(package, "version") == version)
        };
        let package = packages.iter().find(matches);
        let package = package.with_context(|| format!("Cargo.lock has no package {reference}"))?;
        if found.insert(format!("{name} {}", text(package, "version"))) {
            let left = |reference: &str| {
                let dependency = reference.split(' ').next().unwrap_or_default();
                leave.get(name).is_some_and(|names| names.contains(dependency))
            };
            let dependencies = package.get("dependencies").and_then(Value::as_array);
            let dependencies = dependencies.into_iter().flatten().filter_map(Value::as_str);
            wanted.extend(dependencies.filter(|reference| !left(reference)).map(str::to_owned));
        }
    }
    Ok(found.into_iter().collect())
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

    const LOCK: &str = r#"
        [[package]]
        name = "engine"
        version = "0.1.0"
        dependencies = ["json", "hash 2.0.0"]
        [[package]]
        name = "json"
        version = "1.0.5"
        dependencies = ["hash 1.0.0"]
        [[package]]
        name = "hash"
        version = "1.0.0"
        [[package]]
        name = "hash"
        version = "2.0.0"
        dependencies = ["json"]
        [[package]]
        name = "host"
        version = "0.1.0"
        dependencies = ["engine", "server"]
        [[package]]
        name = "server"
        version = "3.0.0"
    "#;

    #[test]
    fn the_closure_has_what_is_reached_and_nothing_else() {
        let lock = LOCK.parse().unwrap();
        let reached = closure(&lock, "engine", &BTreeMap::new()).unwrap();
        assert_eq!(reached, ["engine 0.1.0", "hash 1.0.0", "hash 2.0.0", "json 1.0.5"]);
        let leave = BTreeMap::from([("host".to_owned(), BTreeSet::from(["engine".to_owned()]))]);
        assert_eq!(closure(&lock, "host", &leave).unwrap(), ["host 0.1.0", "server 3.0.0"]);
    }

    #[test]
    fn a_package_that_the_lock_file_lacks_is_named() {
        let error = closure(&LOCK.parse().unwrap(), "plugin", &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "Cargo.lock has no package plugin");
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
        let engine: Table = "[target.'cfg(wasm)'.dependencies]\njson = { workspace = true }".parse().unwrap();
        let before = shared(&manifest("lto = true", "\"1\"", "\"3\""), &[&engine]);
        assert_eq!(
            before,
            shared(&manifest("lto   = true # small", "\"1\"", "\"4\""), &[&engine]),
            "only the host uses it"
        );
        assert_ne!(before, shared(&manifest("lto = false", "\"1\"", "\"3\""), &[&engine]), "another profile");
        assert_ne!(
            before,
            shared(&manifest("lto = true", "{ version = \"1\" }", "\"3\""), &[&engine]),
            "another feature"
        );
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
        write("Cargo.lock", LOCK);
        write("wit/world.wit", "package a:b;");
        write("wit/adapters/deps/clocks/clocks.wit", "package w:c;");
        write("guest/builder/Cargo.toml", "[package]\nname = \"builder\"");
        write("guest/json/Cargo.toml", "[package]\nname = \"json\"");
        write("guest/json/src/lib.rs", "");
        write("guest/engine/Cargo.toml", "[package]\nname = \"engine\"\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]");
        write("guest/engine/src/lib.rs", "mod deep;");
        let found = components(&root).unwrap();
        assert_eq!(found, [Component { name: "engine".to_owned(), package: "engine".to_owned() }]);

        let mut seen = BTreeSet::from([digest(&root, &found[0]).unwrap()]);
        for path in [
            "wit/world.wit",
            "wit/adapters/deps/clocks/clocks.wit",
            "guest/engine/src/lib.rs",
            "guest/engine/src/deep/deeper.rs",
            "guest/json/src/lib.rs",
        ] {
            write(path, "// changed");
            assert!(seen.insert(digest(&root, &found[0]).unwrap()), "{path} changed, the digest did not");
        }
        write("wit/README.md", "not an interface");
        write("guest/builder/src/main.rs", "fn main() {}");
        assert!(!seen.insert(digest(&root, &found[0]).unwrap()), "no source changed, the digest did");
        fs::remove_dir_all(&root).unwrap();
    }
}
