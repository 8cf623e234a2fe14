//! `ticket workflow`: runs workflows on tickets, and keeps their registry.

use std::path::PathBuf;

use ticket_workflows::compile_with_caps;

use super::args::WorkflowCommand;
use super::exit::Failure;
use super::output::Output;

mod folder;
mod registry;
mod report;
mod running;
mod template;

pub(crate) use running::run;

/// Runs a command that works on no ticket of the store.
pub(crate) async fn manage(command: WorkflowCommand, folder: Option<PathBuf>, output: &Output) -> Result<(), Failure> {
    match command {
        WorkflowCommand::Run(run) => running::replay(run, folder, output).await,
        WorkflowCommand::List => registry::list(&folder::open(folder).await?, output),
        WorkflowCommand::Inspect { which } => registry::inspect(&which, folder, output).await,
        WorkflowCommand::Add(add) => registry::add(add, &folder::open(folder).await?, output).await,
        WorkflowCommand::Check(add) => registry::check(add, &folder::open(folder).await?, output).await,
        WorkflowCommand::Remove { name } => registry::remove(&name, &folder::open(folder).await?, output).await,
        WorkflowCommand::Test { folder } => registry::test(&folder, output).await,
        WorkflowCommand::New { name, language } => template::write(&name, language, output),
        WorkflowCommand::Compile { component, images } => Ok(compile_with_caps(&component, &images)?),
    }
}
