//! How a failed command ends: error text, hint and exit code.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error as StdError;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use ticket_host::Error;
use ticket_host::store::{Error as StoreError, Misconfiguration};
use ticket_host::workflow::{Cause, LoadError, RunError};
use ticket_transcripts::Place;

use super::escape::printable;
use super::render;

/// A checked store breaks a promise.
const BROKEN: u8 = 1;
/// Wrong usage or input.
pub(crate) const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const CONFLICT: u8 = 4;
const CORRUPT: u8 = 65;
/// A defect of this program.
pub(crate) const DEFECT: u8 = 70;
const UNAVAILABLE: u8 = 75;
/// A workflow failed, or did what it may not.
const WORKFLOW: u8 = 76;
const DENIED: u8 = 77;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An operation on tickets failed.
    #[error(transparent)]
    Ticket(#[from] Error),
    /// A ticket has no fact at a JSON pointer.
    #[error("ticket `{id}` has no fact at `{pointer}`")]
    NoFact {
        /// The ticket.
        id: String,
        /// The pointer.
        pointer: String,
    },
    /// There is no ticket, which the exit code alone tells.
    #[error("there is no ticket `{id}`")]
    Absent {
        /// Its id.
        id: String,
    },
    /// A workflow could not be added, found or run.
    #[error(transparent)]
    Workflows(ticket_workflows::Error),
    /// Cases of a workflow failed.
    #[error("{failed} of {count} cases failed")]
    Cases {
        /// Failed ones.
        failed: usize,
        /// All.
        count: usize,
    },
    /// A run of a workflow failed, and wrote nothing.
    #[error(transparent)]
    Run(RunError),
    /// Arguments, files or stdin are invalid.
    #[error("{0}")]
    Input(String),
    /// A conversation would be replayed onto an existing ticket.
    #[error("cannot replay {place}: ticket `{id}` exists")]
    AlreadyThere {
        /// Where its conversation begins.
        place: Place,
        /// The ticket.
        id: String,
    },
    /// A conversation could not be replayed.
    #[error("the replay stopped at {place}")]
    Replay {
        /// Where the conversation begins.
        place: Place,
        /// What stopped it.
        source: Error,
    },
    /// A line of an export could not be imported.
    #[error("the import stopped at line {line}")]
    Import {
        /// The line.
        line: usize,
        /// What stopped it.
        source: Error,
    },
    /// Tickets of an export are in the store with other content, and stay.
    #[error("{count} of the tickets are in the store with other content, which stays")]
    Kept {
        /// How many.
        count: u64,
    },
    /// Pending changes of these tickets were in memory alone.
    #[error("pending changes of {} are lost with this process: {}", tickets(.ids), .ids.join(", "))]
    Lost {
        /// The tickets.
        ids: Vec<String>,
    },
    /// The store answers, but cannot keep tickets as promised.
    #[error("the store has {0}")]
    Unhealthy(String),
    /// The store breaks promises.
    #[error("the store does not conform: {0}")]
    Broken(String),
    /// A check of a store stopped; some of its ids may still be in the store.
    #[error("the check of the store stopped")]
    Unchecked(#[source] Error),
    /// A run of a scenario stopped.
    #[error("the scenario stopped")]
    Scenario(#[source] ticket_conformance::BoxError),
    /// The result could not be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Ticket(error.into())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Tickets(error) => Self::Ticket(error),
            error => Self::Run(error),
        }
    }
}

impl From<ticket_workflows::Error> for Failure {
    fn from(error: ticket_workflows::Error) -> Self {
        match error {
            ticket_workflows::Error::Run(error) => error.into(),
            error => Self::Workflows(error),
        }
    }
}

fn tickets(ids: &[String]) -> String {
    render::tickets(ids.len() as u64)
}

/// The exit code of an error on tickets.
fn code_of(error: &Error) -> u8 {
    match error {
        Error::Invalid(_) | Error::TooLarge(_) | Error::Exists(_) => USAGE,
        Error::NotFound(_) => NOT_FOUND,
        Error::Conflict(_) => CONFLICT,
        Error::Corrupt(_) | Error::UnsupportedVersion(_) => CORRUPT,
        Error::Unavailable(_) | Error::Uncertain(_) => UNAVAILABLE,
        Error::Denied(_) => DENIED,
        _ => DEFECT,
    }
}

fn code(failure: &Failure) -> u8 {
    match failure {
        Failure::Ticket(error)
        | Failure::Replay { source: error, .. }
        | Failure::Import { source: error, .. }
        | Failure::Unchecked(error) => code_of(error),
        Failure::Workflows(ticket_workflows::Error::Suspended { .. }) => UNAVAILABLE,
        Failure::Input(_) | Failure::Workflows(_) | Failure::Run(RunError::Input(_)) => USAGE,
        Failure::Run(RunError::LostRace { .. }) => CONFLICT,
        Failure::Run(error) if is_try_again(error) => UNAVAILABLE,
        Failure::Run(_) => WORKFLOW,
        Failure::Cases { .. } => BROKEN,
        Failure::NoFact { .. } | Failure::Absent { .. } => NOT_FOUND,
        Failure::Broken(_) => BROKEN,
        Failure::AlreadyThere { .. } | Failure::Kept { .. } => CONFLICT,
        Failure::Lost { .. } | Failure::Unhealthy(_) | Failure::Scenario(_) | Failure::Output(_) => UNAVAILABLE,
    }
}

/// What the user can do about it, if the error does not say it.
fn hint(failure: &Failure) -> Option<String> {
    if let Failure::Ticket(error)
    | Failure::Replay { source: error, .. }
    | Failure::Import { source: error, .. }
    | Failure::Unchecked(error) = failure
        && let Some(setting) = misconfiguration(error)
    {
        return Some(setting.remedy("the store URL (`--store` or TICKET_STORE)"));
    }
    usual_hint(failure).map(str::to_owned)
}

/// Whether the workflow says that the same run may succeed later.
fn is_try_again(error: &RunError) -> bool {
    matches!(error, RunError::Aborted(aborted) if matches!(aborted.cause, Cause::Failed { try_again: true, .. }))
}

fn run_hint(error: &RunError) -> &'static str {
    match error {
        RunError::Input(_) => "nothing was run: `--input` takes JSON, for example '{\"a\":1}'",
        RunError::LostRace { .. } => "nothing was written: run it again when the ticket is changed less often",
        error if is_try_again(error) => "nothing was written; the workflow says that it may succeed later",
        _ => "nothing was written",
    }
}

fn workflows_hint(error: &ticket_workflows::Error) -> Option<&'static str> {
    use ticket_workflows::Error as Workflows;
    Some(match error {
        Workflows::Load { source: LoadError::NotGranted { .. }, .. } => {
            "`--grant GRANTS` grants it: to a registered workflow when it is added, to a file for one run"
        }
        Workflows::NotFound { .. } => "`ticket workflow list` shows them, `ticket workflow add FOLDER` adds one",
        Workflows::Suspended { .. } => "nothing was run: mend it, or try again later",
        Workflows::Digest { .. } => "build it again, or correct sha256 in workflow.toml",
        _ => return None,
    })
}

/// The setting of a store that must be corrected, if the error says which.
pub(crate) fn misconfiguration(error: &Error) -> Option<&Misconfiguration> {
    store_error(error)?.misconfiguration().filter(|setting| **setting != Misconfiguration::Other)
}

fn usual_hint(failure: &Failure) -> Option<&'static str> {
    let error = match failure {
        Failure::Replay { source: Error::Unavailable(_), .. } => {
            return Some("earlier lines are written: check that the store runs, and replay again with `--replace`");
        }
        Failure::Import { source: Error::Unavailable(_), .. } => {
            return Some("check that the store runs, and import again: what is there is found unchanged");
        }
        Failure::Ticket(error) | Failure::Replay { source: error, .. } | Failure::Import { source: error, .. } => error,
        Failure::Kept { .. } => return Some("`--replace` replaces them"),
        Failure::NoFact { .. } => return Some("`ticket show ID --field facts` shows them all"),
        Failure::AlreadyThere { .. } => return Some("`--replace` closes that ticket first"),
        Failure::Lost { .. } => return Some("with `--fallback sqlite:PATH` a file keeps them until the store is up"),
        Failure::Workflows(error) => return workflows_hint(error),
        Failure::Run(error) => return Some(run_hint(error)),
        Failure::Input(_)
        | Failure::Cases { .. }
        | Failure::Absent { .. }
        | Failure::Broken(_)
        | Failure::Unchecked(_)
        | Failure::Scenario(_)
        | Failure::Unhealthy(_)
        | Failure::Output(_) => return None,
    };
    match error {
        Error::NotFound(_) => Some("`ticket list` shows the tickets of this store"),
        Error::Exists(_) => Some("use another id, or close that ticket first"),
        Error::Conflict(_) => Some("read the ticket again and use its current revision"),
        Error::Corrupt(_) if is_of_store(error) => Some(
            "restore the file from a backup, or save what can be read with `sqlite3 FILE .recover`; name another file to \
             continue without it",
        ),
        Error::Corrupt(_) => Some("`ticket rollback` to a snapshot replaces it, `ticket close` removes it"),
        Error::UnsupportedVersion(_) => Some("a newer version of `ticket` wrote it: use that version"),
        Error::Denied(_) => Some("ask the operator of the store"),
        Error::Unavailable(_) => Some("nothing was written: check that the store runs, or try again later"),
        Error::Uncertain(_) => Some("`ticket show` tells whether it was done"),
        Error::Internal(_) => Some("run it with TICKET_LOG=debug for details, and report it"),
        _ => None,
    }
}

/// Whether the store as a whole has the error, so that no change of a ticket helps.
fn is_of_store(error: &Error) -> bool {
    store_error(error).is_some_and(StoreError::is_of_store)
}

/// The error of the store that an error on tickets comes from.
fn store_error(error: &Error) -> Option<&StoreError> {
    error.source()?.downcast_ref()
}

/// Writes the error to stderr, and returns the exit code.
pub(crate) fn report(failure: &Failure) -> ExitCode {
    // A reader of the first lines only (`ticket list | head -1`) has what it wanted.
    if matches!(failure, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    if matches!(failure, Failure::Absent { .. }) {
        return ExitCode::from(code(failure));
    }
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        // The text of an error on tickets has its sources in it already.
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    tell(&format!("error: {}", printable(&text)));
    if let Some(hint) = hint(failure) {
        tell(&format!("hint: {hint}"));
    }
    ExitCode::from(code(failure))
}

/// Writes a line to stderr, which may be closed.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Reports a panic on one line, with a backtrace if RUST_BACKTRACE asks for it.
pub(crate) fn report_panic(panic: &PanicHookInfo<'_>) {
    let text = panic.payload_as_str().unwrap_or("no reason given");
    let place = panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
    tell(&format!("error: internal error, a defect of this program{place}: {}", printable(text)));
    let calls = Backtrace::capture();
    if calls.status() == BacktraceStatus::Captured {
        tell(&calls.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_documented_exit_codes() {
        let text = String::new;
        for (error, expected) in [
            (Error::Invalid(text().into()), 2),
            (Error::TooLarge(text().into()), 2),
            (Error::Exists(text().into()), 2),
            (Error::NotFound(text().into()), 3),
            (Error::Conflict(None), 4),
            (Error::Corrupt(text().into()), 65),
            (Error::UnsupportedVersion(text().into()), 65),
            (Error::Internal("".into()), 70),
            (Error::Unavailable(text().into()), 75),
            (Error::Uncertain(text().into()), 75),
            (Error::Denied(text().into()), 77),
        ] {
            assert_eq!(code(&Failure::Ticket(error)), expected);
        }
        assert_eq!(code(&Failure::Input(text())), 2);
        assert_eq!(code(&Failure::Absent { id: text() }), 3);
        assert_eq!(code(&Failure::NoFact { id: text(), pointer: text() }), 3);
        assert_eq!(code(&Failure::Kept { count: 1 }), 4);
        assert_eq!(code(&Failure::Import { line: 1, source: Error::Denied(text().into()) }), 77);
        let place = Place { line: 1, item: None };
        assert_eq!(code(&Failure::AlreadyThere { place, id: text() }), 4);
        assert_eq!(code(&Failure::Replay { place, source: Error::Denied(text().into()) }), 77);
        assert_eq!(code(&Failure::Unchecked(Error::Denied(text().into()))), 77);
        assert_eq!(code(&Failure::Unhealthy(text())), 75);
        assert_eq!(code(&Failure::Lost { ids: vec![] }), 75);
    }

    #[test]
    fn a_damaged_file_gets_another_hint_than_a_damaged_ticket() {
        let hint_of = |error: StoreError| hint(&Failure::from(error)).expect("a hint");
        let damaged = || StoreError::corrupt("the file is damaged");
        assert!(hint_of(damaged()).contains("ticket rollback"));
        let hint = hint_of(damaged().of_store());
        assert!(hint.contains("backup") && !hint.contains("ticket rollback"), "{hint}");
    }

    #[test]
    fn the_hint_of_a_misconfigured_store_names_the_setting() {
        use ticket_host::store::{self, Kind};
        let denied = |setting: Option<Misconfiguration>| {
            let error = store::Error::new(Kind::Denied, "no").with_misconfiguration(setting);
            hint(&Failure::Ticket(error.into())).expect("a hint")
        };
        assert!(denied(Some(Misconfiguration::NoLogin)).contains("TICKET_STORE"));
        assert_eq!(denied(None), "ask the operator of the store");
    }
}
