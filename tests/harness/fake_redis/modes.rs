//! States in which a server refuses commands, and its error messages.

use std::collections::BTreeSet;

/// A state in which a server refuses some commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// It loads its data from disk.
    Loading,
    /// It is a replica.
    Readonly,
    /// Its memory is full.
    Oom,
    /// It could not save.
    Misconf,
    /// It has too few replicas.
    Noreplicas,
    /// It runs an endless script of another client.
    Busy,
}

impl Mode {
    /// The error message of Redis, code first.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Loading => "LOADING Redis is loading the dataset in memory",
            Self::Readonly => "READONLY You can't write against a read only replica.",
            Self::Oom => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::Misconf => concat!(
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. ",
                "Commands that may modify the data set are disabled, because this instance is configured to report ",
                "errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). ",
                "Please check the Redis logs for details about the RDB error."
            ),
            Self::Noreplicas => "NOREPLICAS Not enough good replicas to write.",
            Self::Busy => "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        }
    }
}

/// Properties of a command that Redis checks before it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    pub(super) write: bool,
    /// May use more memory.
    pub(super) grows: bool,
    pub(super) while_loading: bool,
    pub(super) while_busy: bool,
    /// PING alone: it fails in a mode in which otherwise only writes fail.
    pub(super) ping: bool,
}

/// The active modes for one command, and those that refused it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    modes: BTreeSet<Mode>,
    met: BTreeSet<Mode>,
}

impl Gate {
    pub(super) fn new(modes: BTreeSet<Mode>) -> Self {
        Self { modes, met: BTreeSet::new() }
    }

    pub(super) fn has_met(&self, mode: Mode) -> bool {
        self.met.contains(&mode)
    }

    /// Whether a client may run the command now, with the checks in the order of Redis.
    pub(super) fn check(&mut self, traits: Traits) -> Result<(), String> {
        self.refuse(Mode::Oom, traits.grows)?;
        self.refuse(Mode::Misconf, traits.write || traits.ping)?;
        self.refuse(Mode::Noreplicas, traits.write)?;
        self.refuse(Mode::Readonly, traits.write)?;
        self.refuse(Mode::Loading, !traits.while_loading)?;
        self.refuse(Mode::Busy, !traits.while_busy)
    }

    /// Whether a script may write now. Full memory does not stop a script that has written already.
    pub(super) fn check_in_script(&mut self, grows: bool, has_written: bool) -> Result<(), String> {
        self.refuse(Mode::Readonly, true)?;
        self.refuse(Mode::Misconf, true)?;
        self.refuse(Mode::Noreplicas, true)?;
        self.refuse(Mode::Oom, grows && !has_written)
    }

    fn refuse(&mut self, mode: Mode, concerned: bool) -> Result<(), String> {
        if !concerned || !self.modes.contains(&mode) {
            return Ok(());
        }
        self.met.insert(mode);
        Err(mode.words().to_owned())
    }
}
