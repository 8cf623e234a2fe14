//! Node.js, and the engine transpiled by jco, under the build folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts/javascript");
const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/engine.wasm");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/javascript");
/// The files that list the packages.
const PACKAGES: [&str; 2] = ["package.json", "package-lock.json"];

/// The folder with the current engine as JavaScript.
///
/// # Panics
/// If Node.js or jco cannot be installed, with the command that installs it.
#[must_use]
pub fn engine() -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _locked = LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder).expect("a folder for packages");
    let source = |name: &str| fs::read(Path::new(SOURCES).join(name)).expect(name);
    let is_current = |name: &&str| fs::read(folder.join(name)).is_ok_and(|on_disk| on_disk == source(name));
    let installed = folder.join("node_modules/.package-lock.json");
    if !PACKAGES.iter().all(is_current) || !installed.exists() {
        for name in PACKAGES {
            fs::write(folder.join(name), source(name)).expect(name);
        }
        let npm = ["ci", "--no-audit", "--no-fund", "--loglevel", "error"];
        run(
            Command::new("npm").args(npm).current_dir(folder),
            "Node.js 20 or newer with npm: apt-get install nodejs npm",
        );
    }
    let jco = ["jco", "transpile", COMPONENT, "-o", "engine", "-I", "--name", "engine", "--quiet"];
    run(Command::new("npx").args(jco).current_dir(folder), "npm ci in target/javascript");
    folder.join("engine")
}

fn run(command: &mut Command, install: &str) {
    let output = command.output();
    let succeeded = output.as_ref().is_ok_and(|output| output.status.success());
    assert!(succeeded, "{command:?} returned {output:?}; needed: {install}");
}
