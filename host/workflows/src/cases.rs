//! An author's tests: runs with a ticket before, an input, and what must come of it.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use ticket_host::workflow::{Cause, Grant, Grants, Run, RunError, ToolCall, Trace, Workflow};
use ticket_host::{Change, Tickets};

use super::error::Error;
use super::files;
use super::package::Package;
use super::schema::Schemas;

/// The name of the file of cases.
const FILE: &str = "cases.jsonl";
/// What a case's random bytes come from.
const SEED: [u8; 32] = [0; 32];

/// One case: a line of `cases.jsonl`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    name: String,
    /// The ticket before the run; empty where nothing is said.
    #[serde(default)]
    ticket: Before,
    /// What the workflow is told; null where nothing is said.
    #[serde(default)]
    input: Option<Box<RawValue>>,
    /// The time of the run; 0 where nothing is said.
    #[serde(default)]
    clock_ms: u64,
    /// What tools answer.
    #[serde(default)]
    tools: Vec<Answered>,
    /// What the workflow must answer; anything where nothing is said.
    output: Option<Value>,
    /// What the ticket must be after the run, as far as it is said.
    #[serde(default)]
    after: After,
    /// Whether the run must close the ticket.
    #[serde(default)]
    closes: bool,
    /// The code with which the run must fail. Without it the run must succeed.
    failure: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    facts: Option<Box<RawValue>>,
    #[serde(default)]
    history: Vec<Box<RawValue>>,
    last_decision: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    facts: Option<Value>,
    history: Option<Value>,
    last_decision: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    name: String,
    input: Box<RawValue>,
    answer: Option<Box<RawValue>>,
    error: Option<String>,
}

/// How a case ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct CaseResult {
    /// The case.
    pub name: String,
    /// What is not as it must be; nothing if it passed.
    pub wrong: Vec<String>,
}

impl Case {
    /// The cases of a package: the file `cases.jsonl` beside its manifest.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::File`] with the line.
    pub fn read(package: &Package) -> Result<Vec<Self>, Error> {
        let path = package.folder.join(FILE);
        Self::parse(&files::text(&path)?, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Vec<Self>, Error> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let cases = lines.map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| Error::file(path, format!("line {}, column {}: {error}", number + 1, error.column())))
        });
        let cases = cases.collect::<Result<Vec<Self>, _>>()?;
        if cases.is_empty() {
            return Err(Error::file(path, "it has no case"));
        }
        Ok(cases)
    }
}

/// Runs the cases of a package on tickets in memory, with all the grants that its manifest asks for.
///
/// # Errors
/// What is wrong with the package, or with the ticket of a case.
pub async fn run_cases(package: &Package, cases: &[Case]) -> Result<Vec<CaseResult>, Error> {
    let name = &package.manifest.name;
    let wanted = package.manifest.wanted().map_err(|reason| Error::file(&package.folder, reason))?;
    let limits = package.manifest.limits.over(&Default::default());
    let schemas = Schemas::of(&package.manifest).map_err(|reason| Error::file(&package.folder, reason))?;
    let workflow = Workflow::load(package.component.clone(), all(&wanted), limits)
        .map_err(|source| Error::Load { name: name.clone(), source })?
        .with_contract(schemas);
    let tickets = Tickets::open("memory:").await.map_err(RunError::from)?;
    let mut results = Vec::new();
    for case in cases {
        let wrong = case.run(&tickets, &workflow).await?;
        results.push(CaseResult { name: case.name.clone(), wrong });
    }
    Ok(results)
}

/// All that is wanted; tools answer what a case says.
fn all(wanted: &[Grant]) -> Grants {
    wanted.iter().fold(Grants::default(), |grants, grant| match grant {
        Grant::Log => grants.log(),
        Grant::Clock => grants.clock(),
        Grant::Random => grants.random(),
        Grant::WasiStubs => grants.wasi_stubs(),
        Grant::Tool(name) => grants.read_only_tool(name, |_| async { Err("no case calls it".to_owned()) }),
    })
}

impl Case {
    async fn run(&self, tickets: &Tickets, workflow: &Workflow) -> Result<Vec<String>, Error> {
        let before = &self.ticket;
        let mut changes: Vec<Change> = before.history.iter().map(|said| Change::Say(said.get().to_owned())).collect();
        changes.extend(before.facts.iter().map(|facts| Change::Learn(facts.get().to_owned())));
        changes.extend(before.last_decision.iter().map(|decision| Change::Decide(decision.get().to_owned())));
        let ticket = tickets.create(None, &changes).await.map_err(RunError::from)?;
        let calls = self.tools.iter().map(Answered::call).collect();
        let trace = Trace::new(ticket, self.clock_ms, SEED).tool_calls(calls);
        let input = self.input.as_ref().map_or("null", |input| input.get());
        match tickets.replay(&trace, workflow, input).await {
            Ok(run) => Ok(self.wrong(&run)),
            Err(RunError::Aborted(aborted)) => Ok(match (&aborted.cause, &self.failure) {
                (Cause::Failed { code, .. }, Some(expected)) if code == expected => Vec::new(),
                (cause, _) => vec![cause.to_string()],
            }),
            Err(RunError::Input(reason)) => Ok(match self.failure.as_deref() {
                Some("input") => Vec::new(),
                _ => vec![format!("the input {reason}")],
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// What is not as it must be after a run that succeeded.
    fn wrong(&self, run: &Run) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(code) = &self.failure {
            wrong.push(format!("it succeeded, and should have failed with `{code}`"));
        }
        if run.after.is_none() != self.closes {
            let became =
                if self.closes { "kept the ticket alive, and should have closed it" } else { "closed the ticket" };
            wrong.push(format!("it {became}"));
        }
        let after = run.after.as_ref();
        for (what, expected, found) in [
            ("output", &self.output, Some(&run.output)),
            ("facts", &self.after.facts, after.map(|after| &after.facts)),
            ("history", &self.after.history, after.map(|after| &after.history)),
            ("last_decision", &self.after.last_decision, after.map(|after| &after.last_decision)),
        ] {
            let Some(expected) = expected else { continue };
            let found = found.map_or("nothing", String::as_str);
            if serde_json::from_str::<Value>(found).ok().as_ref() != Some(expected) {
                wrong.push(format!("{what} is {found}, and should be {expected}"));
            }
        }
        wrong
    }
}

impl Answered {
    fn call(&self) -> ToolCall {
        let answer = match (&self.answer, &self.error) {
            (Some(answer), _) => Ok(answer.get().to_owned()),
            (None, error) => Err(error.clone().unwrap_or_default()),
        };
        ToolCall { name: self.name.clone(), input: self.input.get().to_owned(), answer }
    }
}
