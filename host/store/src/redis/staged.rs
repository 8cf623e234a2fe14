//! The usual write of much text: a copy of the entry gets the fields that change, under a name of its own, and a script
//! renames it over the entry, all in one transaction and one round trip. No text enters Lua, where each byte costs.
//!
//! It fails closed: only the rename changes the entry, and only a script that found its revision renames. Whatever keeps
//! the script from running leaves the entry as it is. The name exists within the transaction alone.
//!
//! The commands are a plain pipeline with `MULTI` in it: the transactions of redis-rs 1.8.1 panic where `MULTI` is
//! refused and overflows are checked.

use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};

use super::connection::Connection;
use super::errors::{self, ErrorClass};
use super::reply;
use super::scripts::REPLACE;
use super::usual::{COMMAND_BYTES, Outcome, UsualWrite};
use crate::error::Kind;

/// Sends a write. An error of the server says that nothing has changed.
pub(super) async fn send(write: &UsualWrite<'_>, connection: &Connection) -> RedisResult<Outcome> {
    let staging = &connection.staging;
    if staging.is_refused() {
        return Ok(Outcome::NotWritten);
    }
    let staged_name = format!("{0}{{{0}}}{1}", write.name, staging.mark());
    for (eval, script) in [("EVALSHA", &*REPLACE.sha1), ("EVAL", REPLACE.text)] {
        let replies = connection.commands(&commands(write, &staged_name, staging.mark(), eval, script)).await?;
        if matches!(replies.first(), Some(Value::ServerError(_))) {
            // Not again without a transaction.
            staging.refuse();
        }
        match outcome(replies) {
            Err(Refusal::NoScript) => {}
            Err(Refusal::ForNow(error)) => return Err(error),
            Err(Refusal::Lasting) => {
                staging.refuse();
                return Ok(Outcome::NotWritten);
            }
            Ok(outcome) => return Ok(outcome),
        }
    }
    Ok(Outcome::NotWritten)
}

fn commands(write: &UsualWrite<'_>, staged_name: &str, mark: &str, eval: &str, script: &str) -> Pipeline {
    let mut commands = Pipeline::with_capacity(6);
    commands.add_command(redis::cmd("MULTI"));
    if !write.kept.is_empty() {
        commands.cmd("COPY").arg(write.name).arg(staged_name);
    }
    let mut set = Cmd::with_capacity(4 + 2 * write.changed.len(), write.bytes() + COMMAND_BYTES);
    set.arg("HSET").arg(staged_name);
    for (name, text) in &write.changed {
        set.arg(name).arg(text);
    }
    if !write.kept.is_empty() {
        set.arg(mark).arg("");
    }
    commands.add_command(set);
    let mut replace = Cmd::with_capacity(16, script.len() + COMMAND_BYTES);
    replace.arg(eval).arg(script).arg(2).arg(write.name).arg(staged_name);
    replace.arg(&write.revision).arg(write.expires_at_ms);
    if !write.kept.is_empty() {
        replace.arg(mark).arg(write.count()).arg(&write.kept);
    }
    commands.add_command(replace);
    commands.cmd("DEL").arg(staged_name).cmd("EXEC");
    commands
}

/// Why the transaction was refused.
#[derive(Debug)]
enum Refusal {
    /// The server does not have the script.
    NoScript,
    /// A command is not permitted or not known.
    Lasting,
    /// The state of the server.
    ForNow(RedisError),
}

impl Refusal {
    fn of(error: RedisError) -> Self {
        match errors::classify(&error) {
            _ if error.code() == Some("NOSCRIPT") => Self::NoScript,
            ErrorClass::Refused(Kind::Unavailable) => Self::ForNow(error),
            ErrorClass::Refused(_) | ErrorClass::Unknown | ErrorClass::NoReply => Self::Lasting,
        }
    }
}

/// What the replies to the commands mean.
fn outcome(mut replies: Vec<Value>) -> Result<Outcome, Refusal> {
    match replies.pop() {
        Some(Value::Array(results)) => of_script(results),
        Some(Value::Nil) => Ok(Outcome::NotWritten),
        // Where `MULTI` alone is refused, the commands ran one by one, and the script decided all the same.
        Some(Value::ServerError(_)) if matches!(of(&replies), Some(Value::Array(_) | Value::Nil)) => of_script(replies),
        Some(error @ Value::ServerError(_)) => {
            let errors = replies.into_iter().chain([error]).filter_map(|reply| reply.extract_error().err());
            errors.map(cause).next().map_or(Ok(Outcome::Unexpected), |error| Err(Refusal::of(error)))
        }
        _ => Ok(Outcome::Unexpected),
    }
}

/// What a server says about a transaction that it queued and then refused, as it would say it about a command.
fn cause(error: RedisError) -> RedisError {
    let text = error.detail().and_then(|detail| detail.strip_prefix("Transaction discarded because of: "));
    match text.map(|text| text.split_once(' ').unwrap_or((text, ""))) {
        Some((code, detail)) => redis::make_extension_error(code.to_owned(), Some(detail.to_owned())),
        None => error,
    }
}

/// Of replies or results, the one of the script: that of `DEL` is the last.
fn of(replies: &[Value]) -> Option<&Value> {
    replies.iter().nth_back(1)
}

fn of_script(mut replies: Vec<Value>) -> Result<Outcome, Refusal> {
    replies.pop();
    match replies.pop() {
        Some(Value::Nil) => Ok(Outcome::NotWritten),
        Some(time @ Value::Array(_)) => Ok(reply::time_ms(time).map_or(Outcome::Unexpected, Outcome::Written)),
        Some(error @ Value::ServerError(_)) => {
            error.extract_error().map_or_else(|error| Err(Refusal::of(error)), |_| Ok(Outcome::Unexpected))
        }
        _ => Ok(Outcome::Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Value {
        redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("a reply")
    }

    fn queued() -> Value {
        Value::SimpleString("QUEUED".into())
    }

    fn time() -> Value {
        Value::Array(["5", "6000"].map(|digits| Value::BulkString(digits.into())).into())
    }

    #[test]
    fn the_script_alone_decides_what_became_of_a_write() {
        let executed = |result| {
            vec![Value::Okay, queued(), queued(), queued(), Value::Array(vec![Value::Int(6), result, Value::Int(0)])]
        };
        assert_eq!(outcome(executed(time())).expect("executed"), Outcome::Written(5_006));
        assert_eq!(outcome(executed(Value::Nil)).expect("executed"), Outcome::NotWritten);
        assert_eq!(outcome(executed(Value::Int(1))).expect("executed"), Outcome::Unexpected);
        assert!(matches!(outcome(executed(error("NOSCRIPT No matching script."))), Err(Refusal::NoScript)));
        assert!(matches!(outcome(executed(error("NOPERM no permission"))), Err(Refusal::Lasting)));
        let one_by_one =
            |result| vec![error("NOPERM multi"), Value::Int(6), result, Value::Int(0), error("ERR EXEC without MULTI")];
        assert_eq!(outcome(one_by_one(time())).expect("executed"), Outcome::Written(5_006));
        assert_eq!(outcome(one_by_one(Value::Nil)).expect("executed"), Outcome::NotWritten);
        assert!(matches!(outcome(one_by_one(error("NOSCRIPT"))), Err(Refusal::Lasting)));
    }

    #[test]
    fn a_refused_command_tells_why_nothing_was_executed() {
        let aborted =
            |text| vec![Value::Okay, error(text), queued(), queued(), error("EXECABORT Transaction discarded")];
        for text in ["OOM command not allowed", "READONLY You can't write", "MISCONF", "NOREPLICAS", "LOADING", "BUSY"]
        {
            let refused = outcome(aborted(text));
            assert!(
                matches!(&refused, Err(Refusal::ForNow(error)) if text.starts_with(error.code().expect("a code"))),
                "{refused:?}"
            );
        }
        for text in ["NOPERM this user has no permissions", "ERR unknown command", "MOVED 1 h:1", "ASK 1 h:1", "NOAUTH"]
        {
            assert!(matches!(outcome(aborted(text)), Err(Refusal::Lasting)), "{text}");
        }
        let text = "EXECABORT Transaction discarded because of: READONLY You can't write";
        let refused = outcome(vec![Value::Okay, queued(), queued(), queued(), error(text)]);
        assert!(matches!(&refused, Err(Refusal::ForNow(error)) if error.code() == Some("READONLY")), "{refused:?}");
        assert_eq!(outcome(vec![Value::Okay, queued(), Value::Okay]).expect("a reply"), Outcome::Unexpected);
        assert_eq!(outcome(Vec::new()).expect("a reply"), Outcome::Unexpected);
    }
}
