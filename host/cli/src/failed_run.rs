//! Files of failed runs of workflows: what a run read, so that it can be run again with another build.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ticket_host::store::clock::{Clock, SystemClock};

use super::args::GrantArg;
use super::exit::Failure;
use super::{input, state_folder};

/// Files that are kept: the newest.
const FILES_MAX: usize = 50;
/// Most bytes of one file. A ticket has 1 MiB at most, unless a program has set more.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// What the names of the files end with.
const ENDING: &str = "json";

/// A run that failed. It holds what users said: protect it like a ticket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailedRun {
    /// A snapshot of the ticket as it was read.
    pub(crate) snapshot: Box<RawValue>,
    /// What the workflow was told.
    pub(crate) input: Box<RawValue>,
    /// What it was granted.
    pub(crate) grants: Vec<GrantArg>,
    /// The SHA-256 of the component that failed.
    pub(crate) digest: String,
    /// Why it failed.
    pub(crate) error: String,
}

impl FailedRun {
    /// Reads a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = input::file(file)?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::Input(format!("{} is not a file of a failed run: {error}", file.display())))
    }

    /// Keeps it in a file that this user alone can read. None if there is no folder for it, or if it is too large.
    pub(crate) fn keep(&self, id: &str) -> io::Result<Option<PathBuf>> {
        let Some(folder) = state_folder::failed_runs() else { return Ok(None) };
        let text = serde_json::to_vec(self)?;
        if text.len() > BYTES_MAX {
            return Ok(None);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        drop_oldest(&folder)?;
        // The time first, so that names are in its order.
        let file = folder.join(format!("{:013}-{id}.{ENDING}", SystemClock.now_ms()));
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?.write_all(&text)?;
        Ok(Some(file))
    }
}

/// Makes room for one more file.
fn drop_oldest(folder: &Path) -> io::Result<()> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().is_ok_and(|path| path.extension().is_some_and(|ending| ending == ENDING)))
        .collect::<io::Result<_>>()?;
    files.sort();
    for file in files.iter().take((files.len() + 1).saturating_sub(FILES_MAX)) {
        fs::remove_file(file)?;
    }
    Ok(())
}
