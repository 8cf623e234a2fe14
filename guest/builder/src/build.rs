//! Makes the bytes of a product: compiles its parts, turns the modules into components, composes them, checks.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wit_component::ComponentEncoder;

use crate::compose;
use crate::product::{self, Product};
use crate::record::{self, Record};
use crate::sources::{Component, sha256};
use crate::toolchain::{Standard, TARGET, Toolchain};

/// The profile of the root manifest that components are built with.
const PROFILE: &str = "component";

/// Builds `product` of the workspace at `root`; gives its bytes and what is known of them. Keeps nothing.
///
/// The profile strips the large sections (function names, debug data). What the encoder adds, names of the
/// component's parts and its own version, is two KiB, the same everywhere, and of use to tools: it stays.
///
/// # Errors
/// Where a step fails or the bytes name a folder of this machine. The compiler's messages go to stderr.
pub fn build(root: &Path, product: &Product, toolchain: &Toolchain) -> Result<(Vec<u8>, Record)> {
    let sources = product::digest(root, product)?;
    let mut parts = Vec::new();
    for part in &product.parts {
        parts.push((part.name.as_str(), component(root, part, toolchain)?));
    }
    let bytes = match <[_; 1]>::try_from(parts) {
        Ok([(_, only)]) => only,
        Err(parts) => compose::compose(&parts, &product.also).with_context(|| format!("composing {}", product.name))?,
    };
    let paths = record::machine_paths(root, &bytes);
    if !paths.is_empty() {
        bail!("the bytes of {} name folders of this machine: {}", product.name, paths.join(", "));
    }
    let (compiler, host) = (toolchain.version.clone(), toolchain.host.clone());
    let record = Record { sources, component: sha256(&bytes), compiler, host };
    Ok((bytes, record))
}

/// Builds the crate of a folder that is a workspace of its own, by its profile `release`; gives the bytes of the component.
///
/// # Errors
/// Where a step fails. The compiler's messages go to stderr.
pub fn build_folder(folder: &Path, package: &str, toolchain: &Toolchain) -> Result<Vec<u8>> {
    let mut command = cargo(folder, toolchain);
    command.args(["build", "--release", "--lib", "--target", TARGET]);
    add_standard(&mut command, toolchain);
    run(&mut command)?;
    encode(&module(&folder.join("target"), "release", package), package)
}

/// The bytes of a component by itself.
fn component(root: &Path, component: &Component, toolchain: &Toolchain) -> Result<Vec<u8>> {
    encode(&compile(root, component, toolchain)?, &component.package)
}

/// Turns a module into a component.
fn encode(module: &Path, package: &str) -> Result<Vec<u8>> {
    let module = fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    let encoder = ComponentEncoder::default().module(&module).and_then(|encoder| encoder.validate(true).encode());
    encoder.with_context(|| format!("turning the module of {package} into a component"))
}

/// Compiles the crate and gives the path of its module.
fn compile(root: &Path, component: &Component, toolchain: &Toolchain) -> Result<PathBuf> {
    // All dependencies must be unpacked before the folders that they lie in can be listed.
    run(cargo(root, toolchain).args(["fetch", "--quiet", "--locked", "--target", TARGET]))?;

    // A folder of its own: another compiler and other flags would invalidate what the workspace has built.
    let folder = root.join("target/components");
    let mut command = cargo(root, toolchain);
    command.env("CARGO_ENCODED_RUSTFLAGS", remap(root, toolchain)?.join(&OsString::from("\x1f")));
    command.args(["rustc", "--locked", "--lib", "--crate-type", "cdylib", "--package", &component.package]);
    command.args(["--profile", PROFILE, "--target", TARGET, "--target-dir"]).arg(&folder);
    add_standard(&mut command, toolchain);
    run(&mut command)?;
    Ok(module(&folder, PROFILE, &component.package))
}

/// Where cargo leaves the module of a package.
fn module(folder: &Path, profile: &str, package: &str) -> PathBuf {
    folder.join(TARGET).join(profile).join(package.replace('-', "_")).with_extension("wasm")
}

/// Has cargo compile the standard library too, where the toolchain has none.
fn add_standard(command: &mut Command, toolchain: &Toolchain) {
    if let Standard::FromSource { linker } = &toolchain.standard {
        // `-Z` flags want a nightly compiler, or this variable for a stable one.
        command.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
}

/// A call of cargo without the profiles and flags of the environment.
fn cargo(root: &Path, toolchain: &Toolchain) -> Command {
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(root).env("RUSTC", &toolchain.rustc);
    for (name, _) in env::vars_os() {
        if ["CARGO_PROFILE_", "CARGO_BUILD_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", command.get_program().display()))?;
    if !status.success() {
        let arguments = command.get_args().map(|argument| argument.to_string_lossy());
        bail!("cargo {} failed: {status}", arguments.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

/// Flags that give every folder of this machine a name that is the same on all machines.
fn remap(root: &Path, toolchain: &Toolchain) -> Result<Vec<OsString>> {
    let home = env::home_dir().context("no home folder found; set HOME")?;
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let registries = cargo_home.join("registry/src");
    // The last match wins, so what may contain the others comes first.
    let mut folders = vec![(home, "/user"), (cargo_home, "/cargo"), (root.to_path_buf(), "/workspace")];
    // Their names differ where a mirror replaces the registry.
    for registry in fs::read_dir(registries).into_iter().flatten() {
        folders.push((registry?.path(), "/registry"));
    }
    folders.push((toolchain.library.clone(), "/rust"));
    let mut flags = Vec::new();
    for (folder, name) in folders {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        for path in [folder, real] {
            // A folder without a parent, as some containers give for a home, is in every path.
            if path.parent().is_some() {
                let mut flag = OsString::from("--remap-path-prefix=");
                flag.extend([path.as_os_str(), "=".as_ref(), name.as_ref()]);
                flags.push(flag);
            }
        }
    }
    Ok(flags)
}
