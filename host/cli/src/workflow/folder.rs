//! The folder of the registry, and what is a name in it.

use std::path::{Path, PathBuf};

use ticket_workflows::{Compiler, Workflows};

use super::super::exit::Failure;
use super::super::state_folder;

/// The registry, whose components are compiled by this program.
pub(super) async fn open(folder: Option<PathBuf>) -> Result<Workflows, Failure> {
    let compiler = std::env::current_exe().map_or(Compiler::InProcess, Compiler::Program);
    Ok(Workflows::open(path(folder)?, compiler).await?)
}

pub(super) fn path(asked: Option<PathBuf>) -> Result<PathBuf, Failure> {
    asked.or_else(state_folder::workflows).ok_or_else(|| {
        Failure::Input("HOME is not set, so there is no folder of workflows: name one with `--workflows`".into())
    })
}

/// Whether what was typed is a file, and not the name of a workflow.
pub(super) fn is_file(typed: &str) -> bool {
    typed.contains(['.', '/']) || Path::new(typed).is_absolute()
}
