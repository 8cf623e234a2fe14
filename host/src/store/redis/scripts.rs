//! The scripts: one for each kind of operation, each on one key.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Value};

use crate::store::entry::Fields;

/// The files of a script, one after the other: `entry.lua` is what the scripts of one key share.
macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!($file)),+)))
    };
}

pub(super) static READ: LazyLock<Script> = script!("entry.lua", "read.lua");
pub(super) static WRITE: LazyLock<Script> = script!("write_usual.lua", "entry.lua", "write.lua");
pub(super) static TOUCH: LazyLock<Script> = script!("entry.lua", "touch.lua");
pub(super) static REMOVE: LazyLock<Script> = script!("entry.lua", "remove.lua");
static PROBE: LazyLock<Script> = script!("entry.lua", "probe.lua");

/// The text of a script and the name by which a server that has seen it knows it.
pub(super) struct Script {
    text: &'static str,
    sha1: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, sha1: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Runs the script by its name, and by its text where the server does not have it: it forgets them at will.
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

/// The probe on a key, by its text and by its name: a user may be permitted one and not the other.
pub(super) fn probes(name: &str) -> [Cmd; 2] {
    let none = Fields::new();
    let arguments = Arguments { name, texts: Vec::new(), fields: &none };
    [arguments.command("EVAL", PROBE.text, false), arguments.command("EVALSHA", &PROBE.sha1, false)]
}

/// What a script is called with.
pub(super) struct Arguments<'call> {
    /// The only key.
    pub(super) name: &'call str,
    /// What follows the mark of a repeated call.
    pub(super) texts: Vec<String>,
    /// What follows the texts: names and texts of fields.
    pub(super) fields: &'call Fields,
}

impl Arguments<'_> {
    fn command(&self, eval: &str, script: &str, repeated: bool) -> Cmd {
        let mut command = redis::cmd(eval);
        command.arg(script).arg(1).arg(self.name).arg(if repeated { "1" } else { "" });
        for text in &self.texts {
            command.arg(text);
        }
        for (name, text) in self.fields {
            command.arg(name).arg(text);
        }
        command
    }
}
