//! The commands on workflows and their options.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use ticket_host::workflow::Grant;

use super::values::limits;
use crate::help;

/// Commands on workflows.
#[derive(Subcommand)]
pub(crate) enum WorkflowCommand {
    /// Runs a workflow on a ticket
    #[command(after_help = help::WORKFLOW_RUN)]
    Run(WorkflowRun),
    /// Lists the workflows of the registry
    List,
    /// Shows what a workflow is and what it may do
    Inspect {
        /// The name of a workflow, or a folder with a manifest
        which: String,
    },
    /// Adds a workflow to the registry, in place of another of its name
    #[command(after_help = help::WORKFLOW_ADD)]
    Add(WorkflowAdd),
    /// Checks whether a workflow could be added, and adds nothing
    Check(WorkflowAdd),
    /// Removes a workflow from the registry, with what it was granted
    Remove {
        /// Its name
        name: String,
    },
    /// Runs the cases of a workflow: the file cases.jsonl beside its manifest
    #[command(after_help = help::WORKFLOW_TEST)]
    Test {
        /// A folder with a manifest and a component
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Writes the beginnings of a workflow: a folder that builds and passes its test at once
    New {
        /// Its name, and that of the folder
        name: String,
        /// The language it is written in
        #[arg(long, value_name = "LANGUAGE")]
        language: Language,
    },
    /// Compiles a component, within caps
    #[command(hide = true)]
    Compile {
        /// The component
        component: PathBuf,
        /// The folder of compiled components
        images: PathBuf,
    },
}

impl WorkflowCommand {
    /// Whether it works on tickets of the store.
    pub(crate) fn needs_store(&self) -> bool {
        matches!(self, Self::Run(WorkflowRun { replay: None, .. }))
    }
}

/// A run of a workflow.
#[derive(clap::Args)]
pub(crate) struct WorkflowRun {
    /// The ticket
    pub(crate) id: String,
    /// The name of a workflow of the registry, or a component: a path with a slash or a dot
    #[arg(value_name = "NAME|FILE")]
    pub(crate) workflow: String,
    /// What the workflow is told: JSON, `-` for stdin [default: null]
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Show what it would do, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What the component of a file may import besides its ticket: log, clock, random, wasi-stubs, tool:NAME
    #[arg(long, value_name = "GRANTS", value_delimiter = ',')]
    pub(crate) grant: Vec<Grant>,
    /// Run as the failed run of this file did: on its ticket, with its input; the store is not asked
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "dry_run"])]
    pub(crate) replay: Option<PathBuf>,
}

/// A workflow that is added or checked.
#[derive(clap::Args)]
pub(crate) struct WorkflowAdd {
    /// A folder with the manifest workflow.toml and the component that it names
    pub(crate) folder: PathBuf,
    /// What it may import besides its ticket, of what its manifest asks for
    ///
    /// log, clock, random, wasi-stubs or tool:NAME, separated by commas. Unless given, what the same component was
    /// granted before, else nothing.
    #[arg(long, verbatim_doc_comment, value_name = "GRANTS", value_delimiter = ',')]
    pub(crate) grant: Option<Vec<Grant>>,
    /// What it may take, with `--grant`: less than its manifest says
    ///
    /// For example time_ms=100,memory_bytes=4194304. `ticket workflow inspect` shows all names.
    #[arg(long, verbatim_doc_comment, value_name = "LIMITS", value_parser = limits, requires = "grant")]
    pub(crate) limit: Option<ticket_workflows::Limits>,
}

/// A language of the templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// The smallest and fastest: some hundred KiB
    Rust,
    /// On QuickJS: about 1 MB
    Javascript,
    /// On CPython: about 18 MB
    Python,
}
