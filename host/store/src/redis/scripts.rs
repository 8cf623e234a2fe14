//! The scripts: one per operation, each on one key, and the two of the usual write.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Value};

/// The files of a script, one after the other: `entry.lua` is what the scripts of all operations share, `is_at.lua` what
/// those of the usual write share, `field_deadlines.lua` what those share that keep fields.
macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!($file)),+)))
    };
}

pub(super) static READ: LazyLock<Script> = script!("entry.lua", "read.lua");
pub(super) static WRITE: LazyLock<Script> = script!("entry.lua", "write.lua");
pub(super) static TOUCH: LazyLock<Script> = script!("field_deadlines.lua", "entry.lua", "touch.lua");
pub(super) static REMOVE: LazyLock<Script> = script!("entry.lua", "remove.lua");
pub(super) static IN_PLACE: LazyLock<Script> = script!("field_deadlines.lua", "is_at.lua", "in_place.lua");
pub(super) static REPLACE: LazyLock<Script> = script!("field_deadlines.lua", "is_at.lua", "replace.lua");
static PROBE: LazyLock<Script> = script!("entry.lua", "probe.lua");

/// The text of a script, and the hash by which a server that has loaded it knows it.
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) sha1: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, sha1: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Runs the script by its hash, and by its text if the server does not have it: a server may drop scripts at any time.
    pub(super) async fn run(
        &self,
        connection: &MultiplexedConnection,
        arguments: &Arguments<'_>,
        repeated: bool,
    ) -> RedisResult<Value> {
        let mut connection = connection.clone();
        let known = arguments.command("EVALSHA", &self.sha1, repeated);
        match connection.send_packed_command(&known).await.and_then(Value::extract_error) {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                let whole = arguments.command("EVAL", self.text, repeated);
                connection.send_packed_command(&whole).await.and_then(Value::extract_error)
            }
            answer => answer,
        }
    }
}

/// The probe on a key, by its text and by its hash: a user may be permitted one and not the other.
pub(super) fn probes(name: &str) -> [Cmd; 2] {
    let arguments = Arguments { name, rest: Vec::new() };
    [arguments.command("EVAL", PROBE.text, false), arguments.command("EVALSHA", &PROBE.sha1, false)]
}

/// What a script is called with.
pub(super) struct Arguments<'call> {
    /// The only key.
    pub(super) name: &'call str,
    /// What follows the flag of a repeated call.
    pub(super) rest: Vec<Argument<'call>>,
}

#[derive(Clone, Copy)]
pub(super) enum Argument<'call> {
    Text(&'call str),
    Number(u64),
}

impl Arguments<'_> {
    fn command(&self, eval: &str, script: &str, repeated: bool) -> Cmd {
        /// About the digits of the largest number.
        const DIGITS: usize = 20;
        let bytes = self.rest.iter().map(|argument| match argument {
            Argument::Text(text) => text.len(),
            Argument::Number(_) => DIGITS,
        });
        let bytes = eval.len() + script.len() + self.name.len() + bytes.sum::<usize>() + DIGITS;
        let mut command = Cmd::with_capacity(self.rest.len() + 5, bytes);
        command.arg(eval).arg(script).arg(1).arg(self.name).arg(if repeated { "1" } else { "" });
        for argument in &self.rest {
            match argument {
                Argument::Text(text) => command.arg(*text),
                Argument::Number(number) => command.arg(*number),
            };
        }
        command
    }
}
