//! `ticket workflow`: runs workflows on tickets, and keeps their registry.

use std::path::{Path, PathBuf};

use ticket_workflows::{Compiler, Workflows, compile_with_caps};

use super::args::WorkflowCommand;
use super::exit::Failure;
use super::output::Output;
use super::state_folder;

mod registry;
mod report;
mod running;
mod template;

pub(crate) use running::run;

/// Runs a command that works on no ticket of the store.
pub(crate) async fn manage(command: WorkflowCommand, folder: Option<PathBuf>, output: &Output) -> Result<(), Failure> {
    match command {
        WorkflowCommand::Run(run) => running::replay(run, folder, output).await,
        WorkflowCommand::List => registry::list(&open(folder).await?, output),
        WorkflowCommand::Inspect { which } => registry::inspect(&which, folder, output).await,
        WorkflowCommand::Add(add) => registry::add(add, &open(folder).await?, output).await,
        WorkflowCommand::Check(add) => registry::check(add, &open(folder).await?, output).await,
        WorkflowCommand::Remove { name } => registry::remove(&name, &open(folder).await?, output).await,
        WorkflowCommand::Test { folder } => registry::test(&folder, output).await,
        WorkflowCommand::New { name, language } => template::write(&name, language, output),
        WorkflowCommand::Compile { component, images } => Ok(compile_with_caps(&component, &images)?),
    }
}

/// The registry, whose components are compiled by this program.
async fn open(folder: Option<PathBuf>) -> Result<Workflows, Failure> {
    let compiler = std::env::current_exe().map_or(Compiler::InProcess, Compiler::Program);
    Ok(Workflows::open(self::folder(folder)?, compiler).await?)
}

fn folder(asked: Option<PathBuf>) -> Result<PathBuf, Failure> {
    asked.or_else(state_folder::workflows).ok_or_else(|| {
        Failure::Input("HOME is not set, so there is no folder of workflows: name one with `--workflows`".into())
    })
}

/// Whether what was typed is a file, and not the name of a workflow.
fn is_file(typed: &str) -> bool {
    typed.contains(['.', '/']) || Path::new(typed).is_absolute()
}
