//! Python with packages, in a virtual environment under the build folder.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// The packages of the tests.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts/python/requirements.txt");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python");

/// A Python program that reads steps and answers them, line by line.
#[derive(Debug)]
pub struct Agent {
    process: Child,
    steps: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Agent {
    /// Starts a script with its arguments.
    ///
    /// # Panics
    /// If Python or a package cannot be installed, with the command that installs it.
    #[must_use]
    pub fn start(script: &Path, arguments: &[&str]) -> Self {
        let mut command = python(script);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("python of the virtual environment");
        let steps = process.stdin.take().expect("stdin");
        let answers = BufReader::new(process.stdout.take().expect("stdout"));
        Self { process, steps, answers }
    }

    /// Sends the next step and waits for its answer.
    ///
    /// # Panics
    /// If the program ends instead.
    pub fn step(&mut self, step: &Value) -> Value {
        writeln!(self.steps, "{step}").expect("the agent reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the agent answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("the agent ended at {step}: {error}"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Python with the packages of the tests, ready to run a script.
#[must_use]
pub fn python(script: &Path) -> Command {
    let mut command = Command::new(interpreter());
    command.arg(script).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The interpreter of a virtual environment with the packages; the first call creates it.
fn interpreter() -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _locked = LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let interpreter = Path::new(FOLDER).join("bin/python");
    let wanted = fs::read_to_string(REQUIREMENTS).expect("requirements.txt");
    let ready = Path::new(FOLDER).join("requirements.txt");
    if fs::read_to_string(&ready).ok().as_ref() != Some(&wanted) {
        // An incomplete one, or one with other packages, is created again.
        let _ = fs::remove_dir_all(FOLDER);
        run(Command::new("python3").args(["-m", "venv", FOLDER]), "apt-get install python3 python3-venv");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS];
        run(Command::new(&interpreter).args(pip), &format!("pip install {}", wanted.replace('\n', " ")));
        fs::write(ready, wanted).expect("a file in the virtual environment");
    }
    interpreter
}

fn run(command: &mut Command, install: &str) {
    let done = command.status();
    assert!(
        done.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{command:?} returned {done:?}; needed: {install}"
    );
}
