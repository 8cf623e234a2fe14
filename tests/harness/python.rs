//! A real Python with a real redis-py, in a virtual environment under the build folder.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// The release of redis-py that the tests were written with.
const REDIS_PY: &str = "redis[hiredis]==8.1.0";
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
    /// Where Python or redis-py cannot be had, with the command that installs it.
    #[must_use]
    pub fn start(script: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(interpreter());
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
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

/// The interpreter of a virtual environment that has redis-py; made at the first call.
fn interpreter() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let interpreter = Path::new(FOLDER).join("bin/python");
    let ready = Path::new(FOLDER).join(REDIS_PY.replace('=', "-"));
    if !ready.exists() {
        // One that was left half-made is made anew.
        let _ = fs::remove_dir_all(FOLDER);
        run(Command::new("python3").args(["-m", "venv", FOLDER]), "apt-get install python3 python3-venv");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", REDIS_PY];
        run(Command::new(&interpreter).args(pip), &format!("pip install {REDIS_PY}"));
        fs::write(ready, "").expect("a mark in the virtual environment");
    }
    interpreter
}

fn run(command: &mut Command, install: &str) {
    let done = command.status();
    assert!(done.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?} gave {done:?}; needed: {install}");
}
