//! The commands and their own options.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use clap_complete::Shell;
use regex::Regex;

use super::values::{Field, FormArg};
use super::workflow::WorkflowCommand;
use crate::{help, time};

/// The revision that a change expects.
#[derive(clap::Args)]
pub(crate) struct At {
    /// Do it only if this is still the revision of the ticket, else exit with 4
    #[arg(long, value_name = "REVISION")]
    pub(crate) at: Option<String>,
}

/// What a change expects: a revision, or nothing at all.
#[derive(clap::Args)]
pub(crate) struct Expected {
    #[command(flatten)]
    pub(crate) at: At,
    /// Create the ticket if there is none of this id
    #[arg(long, conflicts_with = "at")]
    pub(crate) create: bool,
}

/// The part of a ticket that is shown; all of it unless one is named.
#[derive(clap::Args)]
#[group(multiple = false)]
pub(crate) struct Part {
    /// Print this field alone, as it is stored
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<Field>,
    /// Print the fact at this JSON pointer alone (RFC 6901), as it is stored; exit with 3 if there is none
    #[arg(long, value_name = "POINTER")]
    pub(crate) fact: Option<String>,
    /// Print this many of the newest messages alone, one a line, as they are stored
    #[arg(long, value_name = "COUNT")]
    pub(crate) last: Option<u32>,
    /// Print sizes and times alone
    #[arg(long)]
    pub(crate) summary: bool,
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
        #[command(flatten)]
        part: Part,
    },

    /// Tells by the exit code whether there is a ticket: 0 or 3
    #[command(after_help = help::EXISTS)]
    Exists {
        /// The ticket
        id: String,
    },

    /// Lists tickets
    #[command(after_help = help::LIST)]
    List {
        /// Only those whose ids begin with this [default: all]
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
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
        expected: Expected,
    },

    /// Merges what the agent learnt into the facts
    #[command(after_help = help::LEARN)]
    Learn {
        /// The ticket
        id: String,
        /// A JSON object, applied as a merge patch (RFC 7396): null removes a key; `-` for stdin
        json: String,
        #[command(flatten)]
        expected: Expected,
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
        expected: Expected,
    },

    /// Sets one fact, also to null, which `learn` cannot
    #[command(after_help = help::PUT)]
    Put {
        /// The ticket
        id: String,
        /// JSON pointer (RFC 6901) to a member, new or present, of an object that exists: /address/city
        pointer: String,
        /// Any JSON, `-` for stdin
        #[arg(allow_negative_numbers = true)]
        json: String,
        /// Leave a fact that is there as it is
        #[arg(long)]
        only_if_absent: bool,
        #[command(flatten)]
        expected: Expected,
    },

    /// Takes back the newest messages, and prints them
    #[command(after_help = help::RETRACT)]
    Retract {
        /// The ticket
        id: String,
        /// How many; all where there are fewer
        #[arg(default_value_t = 1)]
        count: u32,
        #[command(flatten)]
        at: At,
    },

    /// Drops the oldest messages
    #[command(after_help = help::TRIM)]
    Trim {
        /// The ticket
        id: String,
        /// Keep this many messages at most
        #[arg(long, value_name = "COUNT", required_unless_present = "bytes")]
        entries: Option<u32>,
        /// Keep this many bytes of the stored history at most; the newest message stays
        #[arg(long, value_name = "BYTES")]
        bytes: Option<u32>,
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
        expected: Expected,
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

    /// Writes tickets with their deadlines as JSON lines, for `import` into another store
    #[command(after_help = help::EXPORT)]
    Export {
        /// Only those whose ids begin with this [default: all]
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
        /// Only those whose ids come after this one: the rest of an export that was cut
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },

    /// Creates the tickets of an export; again, it changes nothing
    #[command(after_help = help::IMPORT)]
    Import {
        /// The export, `-` for stdin
        file: PathBuf,
        /// Replace tickets that are in the store with other content
        #[arg(long)]
        replace: bool,
    },

    /// Shows and applies states that did not fit into their tickets after an outage
    #[command(after_help = help::BRANCHES, subcommand_required = true, arg_required_else_help = true)]
    Branches {
        #[command(subcommand)]
        command: BranchCommand,
    },

    /// Keeps workflows, and runs them: components of others that act on a ticket, all or nothing
    #[command(after_help = help::WORKFLOW, subcommand_required = true, arg_required_else_help = true)]
    Workflow {
        /// The folder of the registry [default: a folder of this user]
        #[arg(long, global = true, value_name = "FOLDER", env = "TICKET_WORKFLOWS")]
        workflows: Option<PathBuf>,
        #[command(subcommand)]
        command: WorkflowCommand,
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
