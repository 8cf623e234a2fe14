//! Why a workflow could not be loaded, and why a run wrote nothing.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::grants::Grant;
use super::report::Spent;
use super::trace::Trace;
use crate::error::{BoxError, Error};

/// Why a component cannot be a workflow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes are not a component.
    #[error("{0}")]
    NotAComponent(&'static str),
    /// The file is too large.
    #[error("the component has {bytes} bytes, more than {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest.
        max: usize,
    },
    /// It is made for another version of the interfaces.
    #[error("it is made for `{asked}`, and this host has `{here}`: build it again with the interfaces of this host")]
    OtherVersion {
        /// What it imports or exports.
        asked: String,
        /// What would do.
        here: &'static str,
    },
    /// It imports what was not granted.
    #[error("it imports `{import}`, which is not granted; `{grant}` would grant it{}", if *grant == "wasi-stubs" { ", as a function that traps" } else { "" })]
    NotGranted {
        /// The import.
        import: String,
        /// The name of the grant.
        grant: &'static str,
    },
    /// It imports what no workflow can have.
    #[error("it imports `{import}`, which no workflow can have{hint}")]
    NoSuchImport {
        /// The import.
        import: String,
        /// What to do, or nothing.
        hint: &'static str,
    },
    /// It does not export the handler.
    #[error("it does not export `{0}`")]
    NoHandler(&'static str),
    /// A limit is below its floor or above its ceiling.
    #[error("the limit `{name}` is {value}, which is not between {min} and {max}")]
    Limit {
        /// What is limited, as it is named in manifests.
        name: &'static str,
        /// The limit.
        value: u64,
        /// The floor.
        min: u64,
        /// The ceiling.
        max: u64,
    },
    /// It cannot be compiled, or not be linked.
    #[error("it cannot be compiled")]
    Compile(#[source] BoxError),
    /// Compiled components cannot be kept in a folder, or not be taken from it.
    #[error("compiled components cannot be kept in {}", folder.display())]
    Images {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LoadError {
    pub(super) fn compile(error: wasmtime::Error) -> Self {
        Self::Compile(error.into())
    }
}

/// Why a run failed. It has written nothing, except after [`Error::Uncertain`] and [`Error::Internal`] of `Tickets`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The ticket could not be read or written.
    #[error(transparent)]
    Tickets(#[from] Error),
    /// The input is wrong.
    #[error("the input {0}")]
    Input(String),
    /// The workflow ended without an answer that counts.
    #[error("{}", .0.cause)]
    Aborted(Box<Aborted>),
    /// Other clients changed the ticket during every attempt.
    #[error("other clients changed the ticket in each of {attempts} attempts")]
    LostRace {
        /// How often the workflow ran.
        attempts: u32,
    },
}

/// A run that ended without an answer that counts, and wrote nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Aborted {
    /// Why.
    pub cause: Cause,
    /// The workflow's own lines: data, not to be trusted.
    pub log: Vec<String>,
    /// Lines that were over the limits of the log.
    pub log_dropped: u64,
    /// The grants that it made use of.
    pub used: BTreeSet<Grant>,
    /// The tools that it asked for and was not granted, as grants: at most 16.
    pub refused: BTreeSet<Grant>,
    /// What it took.
    pub spent: Spent,
    /// What [`Tickets::replay`](crate::Tickets::replay) needs to run it again.
    pub trace: Trace,
}

/// Why a run ended without an answer that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The workflow says that it failed.
    #[error("the workflow failed with `{code}`: {text}")]
    Failed {
        /// A short name, or `failed` where the workflow gave none that is valid.
        code: String,
        /// The workflow's own words: data, not to be trusted.
        text: String,
        /// Whether the same run may succeed later.
        try_again: bool,
    },
    /// The workflow trapped.
    #[error("the workflow trapped: {0}")]
    Trapped(String),
    /// The run took too long.
    #[error("the workflow ran longer than {} ms{}", limit.as_millis(), if *in_host_call { ", in a call of the host" } else { "" })]
    OverTime {
        /// The limit.
        limit: Duration,
        /// Whether it was in a call of the host.
        in_host_call: bool,
    },
    /// The workflow wanted too much memory, or too large a table.
    #[error("the workflow asked for {asked} {unit}, more than {limit}")]
    OverMemory {
        /// What it asked for.
        asked: usize,
        /// The limit.
        limit: usize,
        /// `bytes of memory` or `elements of a table`.
        unit: &'static str,
    },
    /// The workflow ran more instructions than it may.
    #[error("the workflow used more than {limit} fuel")]
    OverFuel {
        /// The limit.
        limit: u64,
    },
    /// The output of the workflow is not JSON, is too large, or breaks its contract.
    #[error("the output of the workflow {0}")]
    Output(String),
    /// A dry run does not call tools that may change something.
    #[error("the workflow called the tool `{0}`, which a dry run does not call: it may change something")]
    ToolInDryRun(String),
}

impl Cause {
    /// Whether the workflow is defective, and did not fail in an orderly way.
    #[must_use]
    pub fn is_defect(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::ToolInDryRun(_))
    }
}
