//! The command `ticket`: parses the command line, runs the command on one store, prints the result, sets the exit code.
#![forbid(unsafe_code)]

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;

mod args;
mod branches;
mod commands;
mod conform;
mod diff;
mod digest;
mod doctor;
mod escape;
mod exit;
mod help;
mod input;
mod list;
mod output;
mod render;
mod replay;
mod session;
mod show;
mod snapshots;
mod state_folder;
mod time;
mod transfer;
mod variables;
mod watch;
mod workflow;

use args::{Args, Command};
use exit::Failure;
use output::Output;

/// The variable with the filter of the log, for example `debug` or `ticket_host=trace`.
const LOG_VARIABLE: &str = "TICKET_LOG";

/// How long threads may go on after the command: a commit that has begun takes less, and a DNS query without an answer
/// must not delay the exit.
const SHUTDOWN_TIME: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    panic::set_hook(Box::new(exit::report_panic));
    let done = panic::catch_unwind(AssertUnwindSafe(|| match variables::parse() {
        Ok(args) => execute(args).map_or_else(|failure| exit::report(&failure), |()| ExitCode::SUCCESS),
        Err(error) => explain(&error),
    }));
    done.unwrap_or(ExitCode::from(exit::DEFECT))
}

fn execute(args: Args) -> Result<(), Failure> {
    start_log()?;
    let output = Output::new(args.common.format);
    // Checks race writers against each other, which needs more than one thread.
    let mut runtime = match args.command {
        Command::Conform { .. } => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| ticket_host::Error::Unavailable(format!("cannot start the async runtime: {error}").into()))?;
    let done = runtime.block_on(commands::run(args.command, args.common, &output));
    runtime.shutdown_timeout(SHUTDOWN_TIME);
    done
}

/// Logs to stderr, if the variable is set.
fn start_log() -> Result<(), Failure> {
    let Some(wanted) = std::env::var_os(LOG_VARIABLE) else { return Ok(()) };
    let wanted = wanted.into_string().unwrap_or_default();
    let filter = EnvFilter::try_new(if wanted.is_empty() { "warn" } else { &wanted }).map_err(|error| {
        Failure::Input(format!("invalid filter in the variable {LOG_VARIABLE}: {error}: use for example `debug`"))
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
    Ok(())
}

/// Prints help, or what is wrong with the arguments.
fn explain(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // A closed stdout is not a failure: the reader has what it wanted.
            let _ = error.print();
        }
        _ => {
            let text = error.render().to_string();
            let lines: Vec<String> = text.trim_end().lines().map(escape::printable).collect();
            exit::tell(&lines.join("\n"));
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
}
