//! The audit log: every refusal, and every grant that was given or used, a line of JSON each.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use ticket_host::clock::{Clock, SystemClock};

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

/// The file, which several processes may append to.
#[derive(Debug)]
pub(crate) struct Audit {
    folder: PathBuf,
    /// One thread appends at a time.
    lock: Mutex<()>,
}

impl Audit {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), lock: Mutex::new(()) }
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
        let path = self.folder.join(FILE);
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > BYTES_MAX) {
            fs::rename(&path, self.folder.join(OLD_FILE))?;
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(&text)
    }
}
