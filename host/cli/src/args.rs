//! The command line: commands, options and their help.

use clap::Parser;
use ticket_host::store::Namespace;

use super::{help, time};

mod command;
mod values;
mod workflow;

pub(crate) use command::{BranchCommand, Command, Expected, Part};

use values::fallback_arg;
pub(crate) use values::{FallbackArg, Field, FormArg, Format};
pub(crate) use workflow::{Language, WorkflowAdd, WorkflowCommand, WorkflowRun};

/// Keeps the tickets of agents: what an agent has learnt, what the user said, what the agent decided last.
///
/// A ticket is one conversation. It expires 30 minutes after its last change and can be rolled back to a
/// snapshot. Tickets are stored in Redis, in a SQLite file or in memory.
#[derive(Parser)]
#[command(name = "ticket", version, verbatim_doc_comment, arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = help::MAIN, after_long_help = help::MAIN_LONG)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands, before or after the command.
#[derive(clap::Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Common {
    /// Where the tickets are: redis://…, rediss://…, sqlite:PATH or memory:
    ///
    /// Unless given, a SQLite file in the state folder of this user. Other users of this machine can see a
    /// password that is typed here: put a URL with a password into TICKET_STORE.
    #[arg(long, global = true, verbatim_doc_comment, value_name = "URL", env = "TICKET_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,

    /// Whether TICKET_STORE names the store, so that an error can say so.
    #[arg(skip)]
    pub(crate) store_is_from_variable: bool,

    /// Time to live of a ticket after every change, for example 1800, 90s, 30m, 1h30m or 7d [default: 30m]
    ///
    /// From 1 second to 366 days. Reading a ticket does not extend its TTL.
    #[arg(long, global = true, value_name = "TIME", env = "TICKET_TTL", value_parser = time::ttl_ms)]
    pub(crate) ttl: Option<u64>,

    /// Keeps these tickets apart from others in the same store
    ///
    /// The key of a ticket is then NAME:ticket:ID.
    #[arg(long, global = true, value_name = "NAME", env = "TICKET_NAMESPACE", value_parser = Namespace::parse)]
    pub(crate) namespace: Option<Namespace>,

    /// What serves while Redis is down: memory:, sqlite:PATH or none
    ///
    /// Unless given, a SQLite file in the state folder of this user, one for each server, database, user and
    /// namespace. What one command writes while Redis is down, the next one reads, and the first command that
    /// reaches Redis syncs it. With memory: what is not in Redis when the command ends is lost, and an error
    /// says so. With none a Redis that is down is an error (exit code 75).
    #[arg(long, global = true, verbatim_doc_comment, value_name = "WHERE", env = "TICKET_FALLBACK")]
    #[arg(value_parser = fallback_arg)]
    pub(crate) fallback: Option<FallbackArg>,

    /// Drops the oldest messages of a ticket past so many with every change, and says so; 1 or more
    #[arg(long, global = true, value_name = "COUNT", env = "TICKET_HISTORY_MAX_ENTRIES")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) history_max_entries: Option<u32>,

    /// The same for the bytes of the stored history; the newest message stays
    #[arg(long, global = true, value_name = "BYTES", env = "TICKET_HISTORY_MAX_BYTES")]
    pub(crate) history_max_bytes: Option<u32>,

    /// How results are shown [default: table on a terminal, json elsewhere]
    #[arg(long, global = true, value_name = "FORMAT", env = "TICKET_FORMAT")]
    pub(crate) format: Option<Format>,
}

impl Command {
    /// The id of the ticket that it concerns, as typed.
    pub(crate) fn ticket(&self) -> Option<&str> {
        match self {
            Self::New { id, .. } => id.as_deref(),
            Self::Show { id, .. }
            | Self::Say { id, .. }
            | Self::Learn { id, .. }
            | Self::Decide { id, .. }
            | Self::Put { id, .. }
            | Self::Retract { id, .. }
            | Self::Trim { id, .. }
            | Self::Apply { id, .. }
            | Self::Exists { id }
            | Self::Touch { id }
            | Self::Close { id, .. }
            | Self::Snapshot { id }
            | Self::Rollback { id, .. }
            | Self::Diff { id, .. }
            | Self::History { id, .. } => Some(id),
            Self::Watch { id, .. } => id.as_deref(),
            Self::Workflow { command: WorkflowCommand::Run(WorkflowRun { id, .. }), .. } => Some(id),
            Self::List { .. }
            | Self::Restore { .. }
            | Self::Replay { .. }
            | Self::Export { .. }
            | Self::Import { .. }
            | Self::Branches { .. }
            | Self::Workflow { .. }
            | Self::Doctor
            | Self::Conform { .. }
            | Self::Completions { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_go_before_or_after_the_command() {
        let before = ["ticket", "--ttl", "90s", "--format", "json", "say", "id", "text"];
        let after = ["ticket", "say", "id", "text", "--ttl", "90s", "--format", "json"];
        for typed in [before, after] {
            let args = Args::try_parse_from(typed).map_err(|error| error.to_string()).expect("accepted");
            assert_eq!((args.common.ttl, args.common.format), (Some(90_000), Some(Format::Json)));
        }
    }

    #[test]
    fn negative_numbers_and_dashes_are_texts() {
        for typed in [["decide", "id", "-1.5"], ["say", "id", "-7"], ["say", "id", "-"]] {
            assert!(Args::try_parse_from(["ticket"].iter().chain(&typed)).is_ok(), "{typed:?}");
        }
    }
}
