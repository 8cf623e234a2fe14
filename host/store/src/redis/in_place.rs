//! The usual write of little text: one script compares the revision and sets the fields that change.

use redis::{Cmd, RedisResult, Value};

use super::connection::Connection;
use super::errors::{self, ErrorClass};
use super::reply;
use super::scripts::IN_PLACE;
use super::usual::{COMMAND_BYTES, Outcome, UsualWrite};
use crate::error::Kind;

/// Most bytes of the fields that change: from about 6 KB on, texts in Lua cost more than the commands of a staged write.
const BYTES_MAX: usize = 4_096;
/// Most fields that change: Lua's stack has room for some 8,000 values.
const FIELDS_MAX: usize = 1_000;

/// Whether a write can be made in place, and is cheaper so. A field that another client took out or put in is not seen by
/// counting fields where the write itself puts one in.
pub(super) fn is_for(write: &UsualWrite<'_>) -> bool {
    write.has_same_names && write.bytes() <= BYTES_MAX && write.changed.len() <= FIELDS_MAX
}

/// Sends a write. An error of the server that refuses it says that nothing has changed.
pub(super) async fn send(write: &UsualWrite<'_>, connection: &Connection) -> RedisResult<Outcome> {
    for (eval, script) in [("EVALSHA", &*IN_PLACE.sha1), ("EVAL", IN_PLACE.text)] {
        match connection.command(&command(write, eval, script)).await {
            Err(error) if error.code() == Some("NOSCRIPT") => {}
            Err(error) => {
                return match errors::classify(&error) {
                    // Perhaps the script of all writes is permitted what this one is not.
                    ErrorClass::Refused(kind) if kind != Kind::Unavailable => Ok(Outcome::NotWritten),
                    ErrorClass::Refused(_) | ErrorClass::Unknown | ErrorClass::NoReply => Err(error),
                };
            }
            Ok(Value::Nil) => return Ok(Outcome::NotWritten),
            Ok(time) => return Ok(reply::time_ms(time).map_or(Outcome::Unexpected, Outcome::Written)),
        }
    }
    Ok(Outcome::NotWritten)
}

fn command(write: &UsualWrite<'_>, eval: &str, script: &str) -> Cmd {
    let arguments = 13 + write.kept.len() + 2 * write.changed.len();
    let mut command = Cmd::with_capacity(arguments, script.len() + write.name.len() + write.bytes() + COMMAND_BYTES);
    command.arg(eval).arg(script).arg(1).arg(write.name).arg(&write.revision).arg(write.expires_at_ms);
    command.arg(write.count()).arg(write.kept.len()).arg(&write.kept);
    for (name, text) in &write.changed {
        command.arg(name).arg(text);
    }
    command
}
