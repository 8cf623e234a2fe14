//! Why a workflow could not be added, found or run.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ticket_host::workflow::{LoadError, RunError};

/// Why a workflow could not be added, found or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// `read`, `write`, …
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not say what it should.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line where that is known.
        reason: String,
    },
    /// There is no workflow of this name.
    #[error("there is no workflow `{name}` in {}", folder.display())]
    NotFound {
        /// The name.
        name: String,
        /// The folder of the registry.
        folder: PathBuf,
    },
    /// Its files are wrong, and nothing was read of it before.
    #[error("the workflow `{name}` cannot be used")]
    Damaged {
        /// The name.
        name: String,
        /// What is wrong.
        source: Arc<Error>,
    },
    /// The component is not that of the manifest.
    #[error("the component of `{name}` has the SHA-256 {found}, and its manifest says {expected}")]
    Digest {
        /// The workflow.
        name: String,
        /// As the manifest says.
        expected: String,
        /// As it is.
        found: String,
    },
    /// What was granted cannot be granted.
    #[error("`{grant}` cannot be granted to `{name}`: {reason}")]
    Grant {
        /// The workflow.
        name: String,
        /// The grant.
        grant: String,
        /// Why.
        reason: &'static str,
    },
    /// The component, or a limit, is refused.
    #[error("the workflow `{name}` is refused")]
    Load {
        /// The workflow.
        name: String,
        /// Why.
        source: LoadError,
    },
    /// The component could not be compiled within the caps.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// It failed several times in a row.
    #[error("the workflow `{name}` is suspended for {} ms more: {defects} runs in a row were defective", for_.as_millis())]
    Suspended {
        /// The workflow.
        name: String,
        /// Defective runs in a row.
        defects: u32,
        /// How long it is still suspended.
        for_: Duration,
    },
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Error {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), reason: reason.into() }
    }
}

/// An error and its sources, on one line.
#[must_use]
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
