//! How a command ends that could not do what was asked: text, hint and exit code.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error as StdError;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use ticket_host::Error;

use super::escape::printable;

/// A store that was checked breaks a promise.
const BROKEN: u8 = 1;
/// Wrong usage or input.
pub(crate) const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const CONFLICT: u8 = 4;
const CORRUPT: u8 = 65;
/// A defect of this program.
pub(crate) const DEFECT: u8 = 70;
const UNAVAILABLE: u8 = 75;
const DENIED: u8 = 77;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The tickets said no.
    #[error(transparent)]
    Ticket(#[from] Error),
    /// What was typed or handed over cannot be used.
    #[error("{0}")]
    Input(String),
    /// A conversation would be replayed onto a ticket that is there.
    #[error("line {line} is not replayed: there is a ticket `{id}` already")]
    AlreadyThere {
        /// Line of the transcript, from 1.
        line: usize,
        /// The ticket.
        id: String,
    },
    /// A conversation was replayed up to a point.
    #[error("line {line} is not replayed to its end")]
    Replay {
        /// Line of the transcript, from 1.
        line: usize,
        /// What stopped it.
        source: Error,
    },
    /// Something is neither with the store nor in a file.
    #[error("what neither the store nor a file has of {} is lost with this process: {}", tickets(.ids), .ids.join(", "))]
    Lost {
        /// The tickets.
        ids: Vec<String>,
    },
    /// The store answers, but does not keep tickets as promised.
    #[error("the store has {0} that must be mended")]
    Unhealthy(String),
    /// The store does not do what stores promise.
    #[error("the store does not conform: {0}")]
    Broken(String),
    /// A check of a store came to no end; some of its names may still be there.
    #[error("the store is not checked to its end")]
    Unchecked(#[source] Error),
    /// A scenario could not be played to its end.
    #[error("the scenario is not played to its end")]
    Scenario(#[source] ticket_conformance::BoxError),
    /// The result could not be handed over.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

impl From<ticket_host::store::Error> for Failure {
    fn from(error: ticket_host::store::Error) -> Self {
        Self::Ticket(error.into())
    }
}

fn tickets(ids: &[String]) -> String {
    if ids.len() == 1 { "1 ticket".into() } else { format!("{} tickets", ids.len()) }
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
        Failure::Ticket(error) | Failure::Replay { source: error, .. } | Failure::Unchecked(error) => code_of(error),
        Failure::Input(_) => USAGE,
        Failure::Broken(_) => BROKEN,
        Failure::AlreadyThere { .. } => CONFLICT,
        Failure::Lost { .. } | Failure::Unhealthy(_) | Failure::Scenario(_) | Failure::Output(_) => UNAVAILABLE,
    }
}

/// What the user can do about it, where that is not plain.
fn hint(failure: &Failure) -> Option<&'static str> {
    let error = match failure {
        Failure::Replay { source: Error::Unavailable(_), .. } => {
            return Some("what came before is written; see that the store runs, and replay again with `--replace`");
        }
        Failure::Ticket(error) | Failure::Replay { source: error, .. } => error,
        Failure::AlreadyThere { .. } => return Some("add `--replace` to close that ticket and replay anew"),
        Failure::Lost { .. } => return Some("with `--fallback sqlite:PATH` a file keeps it until the store is back"),
        Failure::Input(_)
        | Failure::Broken(_)
        | Failure::Unchecked(_)
        | Failure::Scenario(_)
        | Failure::Unhealthy(_)
        | Failure::Output(_) => return None,
    };
    match error {
        Error::NotFound(_) => Some("`ticket list` shows the tickets of this store"),
        Error::Exists(_) => Some("name another id, or close that ticket first"),
        Error::Conflict(_) => Some("read the ticket again and name its revision now"),
        Error::Corrupt(_) => Some("`ticket rollback` to a snapshot replaces it, `ticket close` removes it"),
        Error::UnsupportedVersion(_) => Some("a newer `ticket` wrote it; use that one"),
        Error::Denied(_) => Some("whoever runs the store can allow it"),
        Error::Unavailable(_) => Some("nothing was written; see that the store runs, or try later"),
        Error::Uncertain(_) => Some("`ticket show` in a moment tells whether it was done"),
        Error::Internal(_) => Some("with TICKET_LOG=debug it says more, which belongs into a report"),
        _ => None,
    }
}

/// Says why on stderr, and gives the exit code.
pub(crate) fn report(failure: &Failure) -> ExitCode {
    // Whoever read the first lines only (`ticket list | head -1`) has what was wanted.
    if matches!(failure, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
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

/// What a panic says, on one line, and where RUST_BACKTRACE asks for it the calls that led there.
pub(crate) fn report_panic(panic: &PanicHookInfo<'_>) {
    let text = panic.payload_as_str().unwrap_or("no reason given");
    let place = panic.location().map(|location| format!(" at {location}")).unwrap_or_default();
    tell(&format!("error: a defect of this program{place}: {}", printable(text)));
    let calls = Backtrace::capture();
    if calls.status() == BacktraceStatus::Captured {
        tell(&calls.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_its_documented_exit_code() {
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
        assert_eq!(code(&Failure::AlreadyThere { line: 1, id: text() }), 4);
        assert_eq!(code(&Failure::Replay { line: 1, source: Error::Denied(text().into()) }), 77);
        assert_eq!(code(&Failure::Unchecked(Error::Denied(text().into()))), 77);
        assert_eq!(code(&Failure::Unhealthy(text())), 75);
        assert_eq!(code(&Failure::Lost { ids: vec![] }), 75);
    }
}
