//! A real Node.js, and the engine turned into JavaScript by a real jco, under the build folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts/javascript");
const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/engine.wasm");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/javascript");
/// What says which packages there are to be.
const PACKAGES: [&str; 2] = ["package.json", "package-lock.json"];

/// The folder with the engine as JavaScript, of the component as it is now.
///
/// # Panics
/// Where Node.js or jco cannot be had, with the command that installs it.
#[must_use]
pub fn engine() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder).expect("a folder for packages");
    let wanted = |name: &str| fs::read(Path::new(SOURCES).join(name)).expect(name);
    let is_there = |name: &&str| fs::read(folder.join(name)).is_ok_and(|there| there == wanted(name));
    let installed = folder.join("node_modules/.package-lock.json");
    if !PACKAGES.iter().all(is_there) || !installed.exists() {
        for name in PACKAGES {
            fs::write(folder.join(name), wanted(name)).expect(name);
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
    let done = command.output();
    let ended = done.as_ref().is_ok_and(|output| output.status.success());
    assert!(ended, "{command:?} gave {done:?}; needed: {install}");
}
