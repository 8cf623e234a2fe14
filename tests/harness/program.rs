//! The program `ticket` as a user runs it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

/// The built program: a test run of the workspace compiles everything but does not link this program.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--quiet", "--workspace", "--bin", "ticket"]).current_dir(root);
    assert!(build.status().is_ok_and(|status| status.success()), "{build:?} failed");
    // The tests are in the folder `deps` next to it.
    let tests = std::env::current_exe().expect("path of the tests");
    tests.ancestors().nth(2).expect("target folder").join("ticket")
});

/// The folder of the built program.
#[must_use]
pub fn folder() -> &'static std::path::Path {
    PROGRAM.parent().expect("its folder")
}

/// A user of the program with its own home folder.
#[derive(Debug)]
pub struct User {
    home: TempDir,
    store: Option<String>,
}

/// The result of a run of the program.
#[derive(Debug)]
pub struct Run {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl User {
    /// A user of the default store.
    #[must_use]
    pub fn new() -> Self {
        Self { home: TempDir::new().expect("a home"), store: None }
    }

    /// A user of the store of a URL.
    #[must_use]
    pub fn of(store: &str) -> Self {
        Self { store: Some(store.to_owned()), ..Self::new() }
    }

    /// The home folder of this user.
    #[must_use]
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The program with these arguments, ready to run, without the environment of the tests.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&*PROGRAM);
        command.args(arguments).env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        if let Some(store) = &self.store {
            command.env("TICKET_STORE", store);
        }
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().expect("the program runs").into()
    }

    /// Runs the program with a text on stdin.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Run {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program runs");
        // It may end before it has read everything.
        let _ = process.stdin.take().expect("stdin").write_all(stdin.as_bytes());
        process.wait_with_output().expect("the program ends").into()
    }

    /// Runs the program and reads the JSON object it prints.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {run:?}"))
    }
}

impl Default for User {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
        }
    }
}
