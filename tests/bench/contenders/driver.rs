//! A contender in a process of its own, which reads loads and answers what they took, a line of JSON each.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Contender;
use crate::rounds::Load;

pub(crate) struct Driver {
    name: &'static str,
    process: Mutex<Process>,
    /// The packages that it uses, with their versions.
    pub(crate) versions: String,
}

/// What a load took in another process.
pub(crate) struct Apart {
    pub(crate) seconds: f64,
    /// Processor seconds of the server.
    pub(crate) server_cpu_s: f64,
    /// Messages that were kept of those said to one ticket, if callers shared it.
    kept: Option<usize>,
}

/// Why a contender is not measured.
#[derive(Debug)]
pub(crate) struct NotInstalled(pub(crate) String);

struct Process {
    child: Child,
    loads: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// The next answer; `None` if the process ended instead.
    fn answer(&mut self) -> Option<Value> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("a pipe");
        serde_json::from_str(&answer).ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Driver {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self, NotInstalled> {
        tokio::task::block_in_place(|| {
            let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
                Ok(child) => child,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(NotInstalled(format!("no program `{}`", command.get_program().display())));
                }
                Err(error) => panic!("{command:?}: {error}"),
            };
            let loads = child.stdin.take().expect("stdin");
            let answers = BufReader::new(child.stdout.take().expect("stdout"));
            let mut process = Process { child, loads, answers };
            let first = process.answer().unwrap_or_else(|| json!({ "missing": "it ended at once" }));
            let Some(versions) = first["versions"].as_str() else {
                return Err(NotInstalled(first["missing"].as_str().unwrap_or_default().to_owned()));
            };
            Ok(Self { name, versions: versions.to_owned(), process: Mutex::new(process) })
        })
    }

    fn run(&self, load: Load, is_shared: bool) -> Apart {
        let Load { callers, interactions, history } = load;
        let step = json!({ "callers": callers, "interactions": interactions, "history": history, "shared": is_shared });
        let answer = tokio::task::block_in_place(|| {
            let mut process = self.process.lock().expect("lock");
            writeln!(process.loads, "{step}").expect("the process reads");
            process.answer().unwrap_or_else(|| panic!("{} ended at {step}", self.name))
        });
        let number = |name: &str| answer[name].as_f64().expect("a number");
        let kept = answer["kept"].as_u64().map(|kept| kept as usize);
        Apart { seconds: number("seconds"), server_cpu_s: number("server_cpu_s"), kept }
    }
}

#[async_trait]
impl Contender for Driver {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn prepare(&self, _ids: &[String], _history: usize) {}

    async fn interact(&self, _id: &str, _number: usize) {
        unreachable!("it runs in a process of its own");
    }

    async fn run_apart(&self, load: Load) -> Option<Apart> {
        Some(self.run(load, false))
    }

    async fn kept_apart(&self, load: Load) -> Option<usize> {
        Some(self.run(load, true).kept.expect("a number of messages"))
    }
}
