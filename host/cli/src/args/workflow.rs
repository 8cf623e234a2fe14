//! The commands on workflows and their options.

use std::path::PathBuf;

use clap::Subcommand;

use super::values::GrantArg;
use crate::help;

/// Commands on workflows.
#[derive(Subcommand)]
pub(crate) enum WorkflowCommand {
    /// Runs a workflow on a ticket
    #[command(after_help = help::WORKFLOW)]
    Run(WorkflowRun),
}

/// A run of a workflow.
#[derive(clap::Args)]
pub(crate) struct WorkflowRun {
    /// The ticket
    pub(crate) id: String,
    /// The component, a file
    pub(crate) file: PathBuf,
    /// What the workflow is told: JSON, `-` for stdin [default: null]
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Show what it would do, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What the workflow may import besides its ticket
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) grant: Vec<GrantArg>,
    /// Run on the ticket and with the input that a failed run left in this file; the store is not asked
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "dry_run"])]
    pub(crate) replay: Option<PathBuf>,
}
