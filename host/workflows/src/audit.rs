//! The audit log: every refusal, and every grant that was given or used, a line of JSON each.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use ticket_host::clock::{Clock, SystemClock};
use ticket_host::workflow::{Grant, Run, RunError};

use super::error::{Error, with_sources};

const FILE: &str = "audit.jsonl";
/// The log before the present one.
const OLD_FILE: &str = "audit.1.jsonl";
/// Most bytes of one log; then it becomes the old one.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What happened.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A workflow was added, with what it is granted.
    Added,
    /// A workflow was removed.
    Removed,
    /// A component, a grant or a call of a tool was refused.
    Refused,
    /// A run made use of grants.
    Used,
    /// A workflow is not run for a while.
    Suspended,
}

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) event: Event,
    pub(crate) workflow: &'a str,
    pub(crate) sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ticket: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) grants: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Serialize)]
struct Timed<'a> {
    at_ms: u64,
    #[serde(flatten)]
    line: &'a Line<'a>,
}

/// The audit log of a folder, which several processes may append to.
#[derive(Debug)]
pub struct Audit {
    folder: PathBuf,
    /// One thread appends at a time.
    lock: Mutex<()>,
}

impl Audit {
    /// That of the folder of a registry, which need not be there yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), lock: Mutex::new(()) }
    }

    /// Notes the grants that a run made use of, and those that it lacked.
    pub fn ran(&self, workflow: &str, sha256: &str, ticket: &str, ran: &Result<Run, RunError>) {
        let (used, refused) = match ran {
            Ok(run) => (&run.used, &run.refused),
            Err(RunError::Aborted(aborted)) => (&aborted.used, &aborted.refused),
            Err(_) => return,
        };
        for (event, grants) in [(Event::Used, used), (Event::Refused, refused)] {
            if !grants.is_empty() {
                let grants = grants.iter().map(Grant::to_string).collect();
                self.note(&Line { event, workflow, sha256, ticket: Some(ticket), grants, reason: None });
            }
        }
    }

    /// Notes that a workflow was refused.
    pub fn refused(&self, workflow: &str, error: &Error) {
        let reason = Some(with_sources(error));
        self.note(&Line { event: Event::Refused, workflow, sha256: "", ticket: None, grants: Vec::new(), reason });
    }

    /// Appends a line. A log that cannot be written does not stop a run, and is told of.
    pub(crate) fn note(&self, line: &Line<'_>) {
        if let Err(error) = self.append(line) {
            tracing::error!(folder = %self.folder.display(), %error, ?line, "the audit log cannot be written");
        }
    }

    fn append(&self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(&Timed { at_ms: SystemClock.now_ms(), line })?;
        text.push(b'\n');
        let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(FILE);
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > BYTES_MAX) {
            fs::rename(&path, self.folder.join(OLD_FILE))?;
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(&text)
    }
}
