//! The command line: commands, options and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use regex::Regex;
use ticket_host::store::Namespace;

use super::{help, time};

mod values;

use values::fallback_arg;
pub(crate) use values::{FallbackArg, Field, FormArg, Format};

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

    /// How results are shown [default: table on a terminal, json elsewhere]
    #[arg(long, global = true, value_name = "FORMAT", env = "TICKET_FORMAT")]
    pub(crate) format: Option<Format>,
}

/// The revision that a change expects.
#[derive(clap::Args)]
pub(crate) struct At {
    /// Do it only if this is still the revision of the ticket, else exit with 4
    #[arg(long, value_name = "REVISION")]
    pub(crate) at: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Creates a ticket
    #[command(after_help = help::NEW)]
    New {
        /// Its id, 1 to 128 of A-Z a-z 0-9 . _ - [default: a fresh UUID]
        #[arg(long)]
        id: Option<String>,
        /// Its first facts: a JSON object, `-` for stdin
        #[arg(long, value_name = "JSON")]
        facts: Option<String>,
        /// Print the id alone
        #[arg(short, long)]
        quiet: bool,
    },

    /// Shows a ticket, or one of its fields as it is stored
    #[command(after_help = help::SHOW, after_long_help = help::SHOW_LONG)]
    Show {
        /// The ticket
        id: String,
        /// Print this field alone, as it is stored
        #[arg(long, value_name = "NAME")]
        field: Option<Field>,
    },

    /// Lists all tickets
    #[command(after_help = help::LIST)]
    List {
        /// Print the ids alone, one a line
        #[arg(short, long, conflicts_with = "long")]
        quiet: bool,
        /// Print in JSON too what the table shows
        #[arg(long)]
        long: bool,
        /// List at most this many tickets
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },

    /// Adds what the user said to the history
    #[command(after_help = help::SAY, override_usage = "ticket say [OPTIONS] <ID> <TEXT | --json <JSON>>")]
    Say {
        /// The ticket
        id: String,
        /// What the user said, `-` for stdin (without its last line break)
        #[arg(required_unless_present = "json", conflicts_with = "json", allow_negative_numbers = true)]
        text: Option<String>,
        /// The message as JSON, a string or an object, `-` for stdin; an object with a string `id` is stored once
        #[arg(long, value_name = "JSON")]
        json: Option<String>,
        #[command(flatten)]
        at: At,
    },

    /// Merges what the agent learnt into the facts
    #[command(after_help = help::LEARN)]
    Learn {
        /// The ticket
        id: String,
        /// A JSON object, applied as a merge patch (RFC 7396): null removes a key; `-` for stdin
        json: String,
        #[command(flatten)]
        at: At,
    },

    /// Replaces the last decision
    #[command(after_help = help::DECIDE)]
    Decide {
        /// The ticket
        id: String,
        /// Any JSON, `-` for stdin
        #[arg(allow_negative_numbers = true)]
        json: String,
        #[command(flatten)]
        at: At,
    },

    /// Makes several changes in one atomic write
    #[command(after_help = help::APPLY)]
    Apply {
        /// The ticket
        id: String,
        /// Changes as a JSON array or as JSON lines, `-` for stdin
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },

    /// Keeps a ticket alive without changing it
    #[command(after_help = help::TOUCH)]
    Touch {
        /// The ticket
        id: String,
    },

    /// Deletes a ticket
    #[command(after_help = help::CLOSE)]
    Close {
        /// The ticket
        id: String,
        #[command(flatten)]
        at: At,
    },

    /// Prints a snapshot: the whole ticket as one line, for rollback and restore
    #[command(after_help = help::SNAPSHOT)]
    Snapshot {
        /// The ticket
        id: String,
    },

    /// Rolls a ticket back to a snapshot
    #[command(after_help = help::ROLLBACK)]
    Rollback {
        /// The ticket
        id: String,
        /// The snapshot, `-` for stdin
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },

    /// Creates a ticket again from a snapshot after it is gone
    #[command(after_help = help::RESTORE)]
    Restore {
        /// The snapshot, `-` for stdin
        file: PathBuf,
    },

    /// Shows what differs between a snapshot and another, or the ticket as it is now
    #[command(after_help = help::DIFF)]
    Diff {
        /// The ticket
        id: String,
        /// A snapshot: FILE, or FILE:N for snapshot N of a file with several; `-` for stdin
        before: PathBuf,
        /// A later snapshot [default: the ticket as it is now]
        after: Option<PathBuf>,
    },

    /// Shows how a ticket changed from snapshot to snapshot of a file
    #[command(after_help = help::HISTORY)]
    History {
        /// The ticket
        id: String,
        /// Its snapshots, one a line; `-` for stdin
        file: PathBuf,
    },

    /// Shows changes of tickets as they come, until it is interrupted
    #[command(after_help = help::WATCH)]
    Watch {
        /// The ticket [default: all]
        id: Option<String>,
        /// How often to read, for example 1s or 1m
        #[arg(long, value_name = "TIME", value_parser = time::interval, default_value = "1s")]
        interval: Duration,
    },

    /// Replays chat transcripts, one ticket per conversation
    #[command(after_help = help::REPLAY, after_long_help = help::REPLAY_LONG)]
    Replay {
        /// Transcripts as JSON lines or as JSON documents, `-` for stdin
        file: PathBuf,
        /// The form of the transcripts; auto tells it from each conversation
        #[arg(long, value_name = "FORM", default_value = "auto")]
        from: FormArg,
        /// Results of tools that match are failures too, beside those that say `error`
        #[arg(long, value_name = "REGEX", value_parser = Regex::new)]
        error_pattern: Option<Regex>,
        /// Keep images and files in messages, in place of their media types, sizes and SHA-256
        #[arg(long)]
        keep_media: bool,
        /// Stop at what would be skipped
        #[arg(long)]
        strict: bool,
        /// Close tickets of the same ids first
        #[arg(long)]
        replace: bool,
        /// How long to wait at the end for a store that is down, for example 10s or 2m
        #[arg(long, value_name = "TIME", value_parser = time::wait, default_value = "10s")]
        wait: Duration,
    },

    /// Shows and applies states that did not fit into their tickets after an outage
    #[command(after_help = help::BRANCHES, subcommand_required = true, arg_required_else_help = true)]
    Branches {
        #[command(subcommand)]
        command: BranchCommand,
    },

    /// Checks the health of the store: what it is, how fast, what is wrong
    #[command(after_help = help::DOCTOR)]
    Doctor,

    /// Checks that a store keeps its promises, or runs a scenario on it
    ///
    /// Checks every promise of a store and of the engine over it, and compares random scenarios with memory.
    /// It works in namespaces of its own (conform-…) and empties them; other tickets are not changed.
    #[command(verbatim_doc_comment, after_help = help::CONFORM)]
    Conform {
        /// Check these promises alone, for example P7,E3
        #[arg(long, value_name = "NUMBERS", value_delimiter = ',', conflicts_with = "scenario")]
        only: Vec<String>,
        /// How many random scenarios to compare
        #[arg(long, value_name = "COUNT", default_value_t = 100, conflicts_with = "scenario")]
        random: u32,
        /// Compare the scenarios of this seed [default: a fresh one, which is printed]
        #[arg(long, value_name = "NUMBER", conflicts_with = "scenario")]
        seed: Option<u64>,
        /// Run this scenario and print its transcript, nothing else; `-` for stdin
        #[arg(long, value_name = "FILE")]
        scenario: Option<PathBuf>,
    },

    /// Prints a script that completes the commands in a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
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
            | Self::Apply { id, .. }
            | Self::Touch { id }
            | Self::Close { id, .. }
            | Self::Snapshot { id }
            | Self::Rollback { id, .. }
            | Self::Diff { id, .. }
            | Self::History { id, .. } => Some(id),
            Self::Watch { id, .. } => id.as_deref(),
            Self::List { .. }
            | Self::Restore { .. }
            | Self::Replay { .. }
            | Self::Branches { .. }
            | Self::Doctor
            | Self::Conform { .. }
            | Self::Completions { .. } => None,
        }
    }
}

/// Commands on branches.
#[derive(Subcommand)]
pub(crate) enum BranchCommand {
    /// Lists all branches, the oldest first
    List,
    /// Shows one
    Show {
        /// Its number
        number: u64,
    },
    /// Merges one into its ticket, or creates the ticket again if it is gone, and drops the branch
    Apply {
        /// Its number
        number: u64,
    },
    /// Drops one
    Drop {
        /// Its number
        number: u64,
    },
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
