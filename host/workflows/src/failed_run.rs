//! Files of failed runs: what a run depended on, so that it can be replayed with another build.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ticket_host::clock::{Clock, SystemClock};
use ticket_host::workflow::{Aborted, ToolCall, Trace};
use ticket_host::{Effect, ServedBy, Ticket};

use super::error::Error;
use super::manifest::Limits;

/// Files that are kept: the newest.
const FILES_MAX: usize = 50;
/// Most bytes of one file. A ticket has 1 MiB at most, unless a program has set more.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What the names of the files end with.
const ENDING: &str = "json";

/// A run that failed. It holds what users said: protect it like a ticket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedRun {
    /// What failed: the name of the workflow, or its file.
    pub workflow: String,
    /// The SHA-256 of the component that failed.
    pub sha256: String,
    /// What the workflow was told: JSON.
    pub input: Box<RawValue>,
    /// What it was granted.
    pub grants: Vec<String>,
    /// What it could take.
    pub limits: Limits,
    /// Why it failed.
    pub error: String,
    ticket: StoredTicket,
    clock_ms: u64,
    /// Hexadecimal digits.
    random_seed: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<StoredCall>,
}

/// A ticket as the command line shows it.
#[derive(Debug, Serialize, Deserialize)]
struct StoredTicket {
    id: String,
    facts: Box<RawValue>,
    history: Box<RawValue>,
    last_decision: Box<RawValue>,
    created_at: u64,
    updated_at: u64,
    version: u32,
    revision: String,
    expires_at_ms: u64,
}

/// A call of a tool: an answer, or an error.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCall {
    name: String,
    input: String,
    answer: Result<String, String>,
}

impl FailedRun {
    /// What is kept of a run.
    ///
    /// # Errors
    /// If a text is not JSON, which no run has.
    pub fn of(
        aborted: &Aborted,
        workflow: &str,
        sha256: &str,
        input: &str,
        grants: Vec<String>,
        limits: Limits,
    ) -> serde_json::Result<Self> {
        let Trace { ticket, clock_ms, random_seed, tool_calls, .. } = &aborted.trace;
        let call = |ToolCall { name, input, answer }: &ToolCall| StoredCall {
            name: name.clone(),
            input: input.clone(),
            answer: answer.clone(),
        };
        Ok(Self {
            workflow: workflow.to_owned(),
            sha256: sha256.to_owned(),
            input: raw(input)?,
            grants,
            limits,
            error: aborted.cause.to_string(),
            ticket: StoredTicket::of(ticket)?,
            clock_ms: *clock_ms,
            random_seed: random_seed.iter().map(|byte| format!("{byte:02x}")).collect(),
            tool_calls: tool_calls.iter().map(call).collect(),
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::File`] if it is not a file of a failed run.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let bytes = fs::metadata(file).map_err(Error::io("read", file))?.len();
        if bytes > BYTES_MAX {
            return Err(Error::file(file, format!("it has {bytes} bytes, more than {BYTES_MAX}")));
        }
        let text = fs::read(file).map_err(Error::io("read", file))?;
        serde_json::from_slice(&text)
            .map_err(|error| Error::file(file, format!("it is not a file of a failed run: {error}")))
    }

    /// Keeps it in a file of this folder that this user alone can read, with the newest of the others. None if it is too
    /// large.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn keep(&self, folder: &Path) -> io::Result<Option<PathBuf>> {
        let text = serde_json::to_vec(self)?;
        if text.len() as u64 > BYTES_MAX {
            return Ok(None);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        drop_oldest(folder)?;
        // The time first, so that names are in its order.
        let file = folder.join(format!("{:013}-{}.{ENDING}", SystemClock.now_ms(), self.ticket.id));
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?.write_all(&text)?;
        Ok(Some(file))
    }

    /// What a replay needs.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn trace(&self) -> Result<Trace, String> {
        let digits = self.random_seed.as_bytes();
        let byte = |place: usize| {
            let pair = digits.get(2 * place..2 * place + 2).and_then(|pair| std::str::from_utf8(pair).ok())?;
            u8::from_str_radix(pair, 16).ok()
        };
        let seed: Option<Vec<u8>> = (0..digits.len().div_ceil(2)).map(byte).collect();
        let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok()).ok_or("random_seed is not 64 digits")?;
        let call = |call: &StoredCall| ToolCall {
            name: call.name.clone(),
            input: call.input.clone(),
            answer: call.answer.clone(),
        };
        let trace = Trace::new(self.ticket.ticket(), self.clock_ms, seed);
        Ok(trace.tool_calls(self.tool_calls.iter().map(call).collect()))
    }

    /// The id of the ticket.
    #[must_use]
    pub fn ticket_id(&self) -> &str {
        &self.ticket.id
    }
}

impl StoredTicket {
    fn of(ticket: &Ticket) -> serde_json::Result<Self> {
        Ok(Self {
            id: ticket.id.clone(),
            facts: raw(&ticket.facts)?,
            history: raw(&ticket.history)?,
            last_decision: raw(&ticket.last_decision)?,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
            version: ticket.version,
            revision: ticket.revision.clone(),
            expires_at_ms: ticket.expires_at_ms,
        })
    }

    fn ticket(&self) -> Ticket {
        Ticket {
            id: self.id.clone(),
            facts: self.facts.get().to_owned(),
            history: self.history.get().to_owned(),
            last_decision: self.last_decision.get().to_owned(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
            revision: self.revision.clone(),
            expires_at_ms: self.expires_at_ms,
            served_by: ServedBy::default(),
            effect: Effect::default(),
        }
    }
}

fn raw(json: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(json.to_owned())
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
