//! The content of `guest/dist`: the bytes of each product, and beside them what they were built from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::product::{self, Product};
use crate::sources::sha256;

/// The command that brings `guest/dist` up to date.
pub const COMMAND: &str = "cargo run --release -p component-builder";

/// What is known of a product; the content of `guest/dist/NAME.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Digest of the sources it was built from, see [`product::digest`].
    pub sources: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub component: String,
    /// First line of `rustc -V` of its compiler.
    pub compiler: String,
    /// The platform that the compiler ran on.
    pub host: String,
}

/// Where the bytes of a product are kept.
pub fn bytes_path(root: &Path, product: &Product) -> PathBuf {
    root.join("guest/dist").join(format!("{}.wasm", product.name))
}

/// Where the record of a product is kept.
pub fn record_path(root: &Path, product: &Product) -> PathBuf {
    root.join("guest/dist").join(format!("{}.toml", product.name))
}

impl Record {
    /// The kept record of `product`, if there is one. Fails if it has another form.
    fn load(root: &Path, product: &Product) -> Result<Option<Self>> {
        let path = record_path(root, product);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).map(Some).with_context(|| format!("{} is not a record of a build", path.display()))
    }

    /// Keeps `bytes` and this record of them.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn save(&self, root: &Path, product: &Product, bytes: &[u8]) -> Result<()> {
        let path = bytes_path(root, product);
        fs::create_dir_all(root.join("guest/dist")).context("making the folder guest/dist")?;
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        let Self { sources, component: digest, compiler, host } = self;
        let text = format!(
            "# What {}.wasm was built from; written by `{COMMAND}`.\n\
             sources = {sources:?}\ncomponent = {digest:?}\ncompiler = {compiler:?}\nhost = {host:?}\n",
            product.name
        );
        let path = record_path(root, product);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }
}

/// Compares what is kept of `product` with its sources and with the bytes beside the record, which it gives.
///
/// # Errors
/// Where they disagree or something is missing; the text says which and how to repair it.
pub fn verified(root: &Path, product: &Product) -> Result<Record> {
    let name = &product.name;
    let Some(record) = Record::load(root, product)? else {
        bail!("guest/dist/{name}.toml is missing; build it: {COMMAND}");
    };
    let sources = product::digest(root, product)?;
    if record.sources != sources {
        bail!(
            "guest/dist/{name}.wasm was built from other sources: {} is recorded, {sources} is here; \
             build it again: {COMMAND}",
            record.sources
        );
    }
    let path = bytes_path(root, product);
    let bytes = fs::read(&path).with_context(|| format!("reading {}; build it: {COMMAND}", path.display()))?;
    let digest = sha256(&bytes);
    if record.component != digest {
        bail!(
            "guest/dist/{name}.wasm is not what its record says: {} is recorded, {digest} is here; \
             build it again: {COMMAND}",
            record.component
        );
    }
    Ok(record)
}

/// Folders of a machine that are named in `bytes`, which would differ from machine to machine.
pub fn machine_paths(root: &Path, bytes: &[u8]) -> Vec<String> {
    let usual = ["/home/", "/root/", "/Users/", ":\\Users\\", "/usr/", "/tmp/", "/var/", ".cargo", ".rustup"];
    let root = root.to_string_lossy().into_owned();
    let names = usual.into_iter().map(str::to_owned).chain([root]);
    names.filter(|name| bytes.windows(name.len()).any(|part| part == name.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sources::Component;

    #[test]
    fn kept_components_are_built_from_these_sources() {
        let root = crate::sources::workspace();
        let products = product::products(&root).unwrap();
        assert!(products.iter().any(|product| product.name == "engine"), "{products:?}");
        for product in products {
            if let Err(error) = verified(&root, &product) {
                panic!("{error:#}");
            }
        }
    }

    #[test]
    fn kept_components_name_no_folder_of_a_machine() {
        let root = crate::sources::workspace();
        for product in product::products(&root).unwrap() {
            let bytes = fs::read(bytes_path(&root, &product))
                .unwrap_or_else(|error| panic!("guest/dist/{}.wasm: {error}; build it: {COMMAND}", product.name));
            assert_eq!(machine_paths(&root, &bytes), [""; 0], "guest/dist/{}.wasm", product.name);
        }
    }

    #[test]
    fn a_folder_of_a_machine_is_seen_in_bytes() {
        let found = machine_paths(Path::new("/workspaces/tickets"), b"\0at /workspaces/tickets/a.rs and /home/me\xff");
        assert_eq!(found, ["/home/", "/workspaces/tickets"]);
    }

    #[test]
    fn a_record_reads_back_as_written_and_disagreement_is_seen() {
        let root = std::env::temp_dir().join(format!("component-record-{}", std::process::id()));
        let product = Product::alone(Component {
            name: "engine".to_owned(),
            package: "engine".to_owned(),
            folders: BTreeSet::from(["engine".to_owned()]),
            packages: BTreeSet::new(),
            dependencies: BTreeSet::new(),
        });
        assert_eq!(Record::load(&root, &product).unwrap(), None);
        for (path, text) in [
            ("Cargo.toml", ""),
            ("wit/world.wit", ""),
            ("guest/engine/Cargo.toml", "[package]\nname = \"engine\""),
            ("guest/engine/src/lib.rs", ""),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let record = Record {
            sources: product::digest(&root, &product).unwrap(),
            component: sha256(b"bytes"),
            compiler: "rustc 1.0 \"quoted\"".to_owned(),
            host: "here".to_owned(),
        };
        record.save(&root, &product, b"bytes").unwrap();
        assert_eq!(Record::load(&root, &product).unwrap(), Some(record));
        verified(&root, &product).unwrap();

        fs::write(bytes_path(&root, &product), "other").unwrap();
        let error = verified(&root, &product).unwrap_err().to_string();
        assert!(error.contains("not what its record says") && error.contains(COMMAND), "{error}");
        fs::write(root.join("guest/engine/src/lib.rs"), "fn changed() {}").unwrap();
        let error = verified(&root, &product).unwrap_err().to_string();
        assert!(error.contains("built from other sources") && error.contains(COMMAND), "{error}");
        fs::remove_dir_all(&root).unwrap();
    }
}
