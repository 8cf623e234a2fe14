//! The beginnings of a workflow in a language: files that are part of this program.

use std::fs;
use std::path::Path;

use super::super::args::Language;
use super::super::exit::Failure;
use super::super::output::Output;

/// Stands for the name of the workflow.
const NAME: &str = "{{name}}";
/// The same as Rust and Python write names.
const SNAKE_NAME: &str = "{{snake_name}}";

/// A file of a template: its path, and its text.
type File = (&'static str, &'static str);

macro_rules! file {
    ($language:literal, $path:literal) => {
        ($path, include_str!(concat!("../../templates/", $language, "/", $path)))
    };
}

macro_rules! wit {
    ($name:literal) => {
        (concat!("wit/", $name), include_str!(concat!("../../wit/workflow/", $name)))
    };
}

/// The interfaces, all of them, and a world with those that the template needs.
const WIT: [File; 7] = [
    wit!("clock.wit"),
    wit!("handler.wit"),
    wit!("log.wit"),
    wit!("random.wit"),
    wit!("ticket.wit"),
    wit!("tools.wit"),
    ("wit/world.wit", include_str!("../../templates/world.wit")),
];

const RUST: [File; 4] = [
    file!("rust", "Cargo.toml.in"),
    file!("rust", "src/lib.rs"),
    file!("rust", "README.md"),
    file!("rust", "workflow.toml"),
];

const JAVASCRIPT: [File; 4] = [
    file!("javascript", "package.json"),
    file!("javascript", "workflow.js"),
    file!("javascript", "README.md"),
    file!("javascript", "workflow.toml"),
];

const PYTHON: [File; 4] = [
    file!("python", "app.py"),
    file!("python", "requirements.txt"),
    file!("python", "README.md"),
    file!("python", "workflow.toml"),
];

/// What each of them must do.
const CASES: [File; 1] = [("cases.jsonl", include_str!("../../templates/cases.jsonl"))];

/// Writes the folder.
pub(super) fn write(name: &str, language: Language, output: &Output) -> Result<(), Failure> {
    ticket_workflows::check_name(name).map_err(Failure::Input)?;
    let folder = Path::new(name);
    if folder.exists() {
        return Err(Failure::Input(format!("{name} is there already: choose another name, or remove it")));
    }
    let files = match language {
        Language::Rust => RUST,
        Language::Javascript => JAVASCRIPT,
        Language::Python => PYTHON,
    };
    for (path, text) in files.into_iter().chain(WIT).chain(CASES) {
        // A file named Cargo.toml would be taken for a package of this project.
        let path = folder.join(path.trim_end_matches(".in"));
        let text = text.replace(NAME, name).replace(SNAKE_NAME, &name.replace('-', "_"));
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        written.map_err(|error| Failure::Input(format!("cannot write {}: {error}", path.display())))?;
    }
    output.remark(&format!("the folder {name} is written: its README.md says how to build it"));
    Ok(())
}
