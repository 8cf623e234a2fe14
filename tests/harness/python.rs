//! A real Python with real packages, in a virtual environment under the build folder.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// The packages that the tests were written with.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts/python/requirements.txt");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python");

/// A Python program that is told steps and answers them, line by line.
#[derive(Debug)]
pub struct Agent {
    process: Child,
    steps: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Agent {
    /// Starts a script of the tests with its arguments.
    ///
    /// # Panics
    /// Where Python or a package cannot be had, with the command that installs it.
    #[must_use]
    pub fn start(script: &Path, arguments: &[&str]) -> Self {
        let mut command = python(script);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("python of the virtual environment");
        let steps = process.stdin.take().expect("stdin");
        let answers = BufReader::new(process.stdout.take().expect("stdout"));
        Self { process, steps, answers }
    }

    /// Tells the next step and waits for its answer.
    ///
    /// # Panics
    /// Where the program ends instead.
    pub fn step(&mut self, step: &Value) -> Value {
        writeln!(self.steps, "{step}").expect("the agent reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the agent answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("the agent ended at {step}: {error}"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
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

/// The interpreter of a virtual environment that has the packages; made at the first call.
fn interpreter() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let interpreter = Path::new(FOLDER).join("bin/python");
    let wanted = fs::read_to_string(REQUIREMENTS).expect("requirements.txt");
    let ready = Path::new(FOLDER).join("requirements.txt");
    if fs::read_to_string(&ready).ok().as_ref() != Some(&wanted) {
        // One that was left half-made, or for other packages, is made anew.
        let _ = fs::remove_dir_all(FOLDER);
        run(Command::new("python3").args(["-m", "venv", FOLDER]), "apt-get install python3 python3-venv");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS];
        run(Command::new(&interpreter).args(pip), &format!("pip install {}", wanted.replace('\n', " ")));
        fs::write(ready, wanted).expect("a mark in the virtual environment");
    }
    interpreter
}

fn run(command: &mut Command, install: &str) {
    let done = command.status();
    assert!(done.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?} gave {done:?}; needed: {install}");
}
