//! What the errors of redis-rs mean: who said no, and whether a change may have been made.

use redis::{ErrorKind, RedisError};

use crate::error::{Error, Kind};
use crate::key::printable;

/// Longest text of a server that is shown, in characters: its own errors are shorter.
const TEXT_CHARS_MAX: usize = 160;

/// What an error says about the call that ended with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server refused before it did anything.
    Refused(Kind),
    /// The server said something that we do not know: it may have been half-way.
    Unknown,
    /// No answer, or none that can be read.
    Lost,
}

/// The one place that knows the codes of servers.
pub(super) fn judge(error: &RedisError) -> Verdict {
    match error.code() {
        Some(code) => judge_code(code, error.detail().unwrap_or_default()),
        None if error.kind() == ErrorKind::AuthenticationFailed => Verdict::Refused(Kind::Denied),
        None => Verdict::Lost,
    }
}

fn judge_code(code: &str, text: &str) -> Verdict {
    match code {
        "WRONGTYPE" => Verdict::Refused(Kind::Corrupt),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => Verdict::Refused(Kind::Denied),
        // What 7.0 says of a command in a script that the user may not run, and any of one it does not have.
        "ERR" if text.starts_with("The user executing the script can't") => Verdict::Refused(Kind::Denied),
        _ if text.contains("Unknown Redis command called from") => Verdict::Refused(Kind::Denied),
        "ERR" if text.starts_with("max number of clients reached") => Verdict::Refused(Kind::Unavailable),
        "OOM" | "READONLY" | "LOADING" | "MASTERDOWN" | "MISCONF" | "NOREPLICAS" | "BUSY" | "CLUSTERDOWN"
        | "TRYAGAIN" | "MOVED" | "ASK" | "NOSCRIPT" => Verdict::Refused(Kind::Unavailable),
        _ => Verdict::Unknown,
    }
}

/// Judges an error that a script passed on as text, code first.
pub(super) fn judge_text(text: &str) -> Verdict {
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    judge_code(code, rest)
}

/// Whether a new connection may be better: another server may answer to the name, or to a login anew.
pub(super) fn asks_for_new_connection(error: &RedisError) -> bool {
    matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "NOAUTH" | "WRONGPASS"))
}

/// An error with what caused it in words; those of a server are shortened and escaped.
pub(super) fn error(kind: Kind, message: String, cause: &RedisError) -> Error {
    Error::new(kind, message).caused_by(printable(&words(cause), TEXT_CHARS_MAX))
}

/// What the server said, as it said it; else what redis-rs says.
fn words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            // A script's name and line help nobody outside.
            let detail = detail.split(" script: ").next().unwrap_or(detail);
            format!("{code} {detail}")
        }
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(code: &str, detail: &str) -> RedisError {
        redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
    }

    #[test]
    fn codes_tell_what_the_caller_must_do() {
        for (code, kind) in [
            ("WRONGTYPE", Kind::Corrupt),
            ("NOPERM", Kind::Denied),
            ("OOM", Kind::Unavailable),
            ("NOREPLICAS", Kind::Unavailable),
        ] {
            assert_eq!(judge(&server_error(code, "…")), Verdict::Refused(kind), "{code}");
        }
        let acl = "ERR The user executing the script can't run this command or subcommand";
        assert_eq!(judge_text(acl), Verdict::Refused(Kind::Denied));
        assert_eq!(judge_text("ERR something new"), Verdict::Unknown);
        assert_eq!(judge(&RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))), Verdict::Lost);
    }

    #[test]
    fn a_hostile_server_cannot_flood_or_colour_a_log() {
        let cause = server_error("OOM", &"\u{1b}[31mred".repeat(1_000_000));
        let text = error(Kind::Unavailable, "redis at h:1".into(), &cause).chain();
        assert!(text.len() < 1_500 && !text.contains('\u{1b}'), "{}", text.len());
    }
}
