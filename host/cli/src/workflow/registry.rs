//! Lists, adds, checks, inspects, removes and tests workflows.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ticket_host::workflow::Grant;
use ticket_workflows::{Case, Effective, Limits, Listed, Manifest, Package, Workflows, run_cases, with_sources};

use super::super::args::{Format, WorkflowAdd};
use super::super::escape::printable;
use super::super::exit::Failure;
use super::super::output::Output;
use super::super::render;
use super::folder;

/// Digits of a digest that people are shown.
const DIGEST_DIGITS: usize = 12;

/// A workflow, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<&'a Manifest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// A case, for programs.
#[derive(Serialize)]
struct ShownCase<'a> {
    case: &'a str,
    passed: bool,
    wrong: &'a [String],
}

fn shown(listed: &Listed) -> Shown<'_> {
    let effective = listed.effective.as_ref();
    Shown {
        name: &listed.name,
        manifest: listed.manifest.as_ref(),
        granted: effective.map(granted),
        limits: effective.map(|effective| Limits::from(&effective.limits)),
        problem: listed.problem.as_ref().map(|error| with_sources(&**error)),
    }
}

fn granted(effective: &Effective) -> Vec<String> {
    effective.grants.iter().map(Grant::to_string).collect()
}

/// All workflows.
pub(super) fn list(workflows: &Workflows, output: &Output) -> Result<(), Failure> {
    let listed = workflows.list();
    if output.format() == Format::Json {
        return listed.iter().try_for_each(|listed| output.json(&shown(listed)));
    }
    let mut table = render::headed(&["name", "version", "sha256", "granted", "what it does"]);
    for listed in &listed {
        let shown = shown(listed);
        let manifest = shown.manifest;
        let digest = manifest.and_then(|manifest| manifest.sha256.as_deref()).unwrap_or_default();
        let about = match (&shown.problem, manifest) {
            (Some(problem), _) => format!("problem: {problem}"),
            (None, manifest) => manifest.map(|manifest| manifest.description.clone()).unwrap_or_default(),
        };
        let cells = [
            shown.name.to_owned(),
            manifest.map(|manifest| manifest.version.clone()).unwrap_or_default(),
            digest.chars().take(DIGEST_DIGITS).collect(),
            shown.granted.unwrap_or_default().join(", "),
            about,
        ];
        table.add_row(cells.map(|cell| printable(&cell)));
    }
    if listed.is_empty() {
        output.remark("there are no workflows: `ticket workflow add FOLDER` adds one");
        return Ok(());
    }
    output.table(&table)
}

/// What a workflow is and may do: one of the registry, or one that could be added.
pub(super) async fn inspect(which: &str, folder: Option<PathBuf>, output: &Output) -> Result<(), Failure> {
    let listed = if folder::is_file(which) {
        Listed::of(&Package::read(Path::new(which))?)
    } else {
        let workflows = folder::open(folder).await?;
        let found = workflows.list().into_iter().find(|listed| listed.name == which);
        found.ok_or_else(|| workflows.not_found(which))?
    };
    let shown = shown(&listed);
    if output.format() == Format::Json {
        return output.json(&shown);
    }
    let mut table = render::plain();
    let mut row = |label: &str, text: String| {
        table.add_row([label.to_owned(), printable(&text)]);
    };
    row("name", shown.name.to_owned());
    if let Some(manifest) = shown.manifest {
        row("version", manifest.version.clone());
        row("what it does", manifest.description.clone());
        row("sha256", manifest.sha256.clone().unwrap_or_default());
        row("asks for", manifest.grants.join(", "));
        for (label, schema) in [("input", &manifest.input), ("output", &manifest.output)] {
            row(label, schema.as_ref().map_or_else(|| "any JSON".to_owned(), ToString::to_string));
        }
    }
    row("granted", shown.granted.as_deref().unwrap_or_default().join(", "));
    if let Some(limits) = shown.limits.as_ref().and_then(|limits| serde_json::to_value(limits).ok()) {
        for (name, value) in limits.as_object().into_iter().flatten() {
            row(name, value.to_string());
        }
    }
    if let Some(problem) = &shown.problem {
        row("problem", problem.clone());
    }
    output.table(&table)
}

fn names(grants: Option<Vec<Grant>>) -> Option<Vec<String>> {
    Some(grants?.iter().map(Grant::to_string).collect())
}

/// Adds a workflow.
pub(super) async fn add(add: WorkflowAdd, workflows: &Workflows, output: &Output) -> Result<(), Failure> {
    let package = Package::read(&add.folder)?;
    workflows.add(&package, names(add.grant), add.limit.unwrap_or_default()).await?;
    let name = &package.manifest.name;
    let listed = workflows.list().into_iter().find(|listed| listed.name == *name);
    let listed = listed.ok_or_else(|| workflows.not_found(name))?;
    if output.format() == Format::Json {
        return output.json(&shown(&listed));
    }
    let granted = shown(&listed).granted.unwrap_or_default();
    let with =
        if granted.is_empty() { "nothing granted".to_owned() } else { format!("{} granted", granted.join(", ")) };
    output.remark(&format!("workflow `{name}` {} is added, {with}", package.manifest.version));
    Ok(())
}

/// Checks whether a workflow could be added.
pub(super) async fn check(add: WorkflowAdd, workflows: &Workflows, output: &Output) -> Result<(), Failure> {
    let package = Package::read(&add.folder)?;
    workflows.check(&package, names(add.grant), add.limit.unwrap_or_default()).await?;
    let manifest = &package.manifest;
    output.remark(&format!("workflow `{}` {} can be added", manifest.name, manifest.version));
    if output.format() == Format::Json { output.json(&shown(&Listed::of(&package))) } else { Ok(()) }
}

/// Removes a workflow.
pub(super) async fn remove(name: &str, workflows: &Workflows, output: &Output) -> Result<(), Failure> {
    workflows.remove(name).await?;
    output.remark(&format!("workflow `{name}` is removed"));
    Ok(())
}

/// Runs the cases of a workflow.
pub(super) async fn test(folder: &Path, output: &Output) -> Result<(), Failure> {
    let package = Package::read(folder)?;
    let results = run_cases(&package, &Case::read(&package)?).await?;
    for case in &results {
        let passed = case.wrong.is_empty();
        if output.format() == Format::Json {
            output.json(&ShownCase { case: &case.name, passed, wrong: &case.wrong })?;
            continue;
        }
        output.line(&format!("{} {}", if passed { "ok    " } else { "FAILED" }, case.name))?;
        for wrong in &case.wrong {
            output.line(&format!("         {wrong}"))?;
        }
    }
    match results.iter().filter(|case| !case.wrong.is_empty()).count() {
        0 => Ok(()),
        failed => Err(Failure::Cases { failed, count: results.len() }),
    }
}
