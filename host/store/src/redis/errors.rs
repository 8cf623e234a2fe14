//! What the errors of redis-rs mean: what the caller must do, and whether a change may have been applied.

use redis::{ErrorKind, RedisError};

use crate::error::{Error, Kind};
use crate::misconfiguration::Misconfiguration;
use crate::text::printable;

/// Longest text of a server that is shown, in characters; its own errors are shorter.
pub(super) const TEXT_CHARS_MAX: usize = 160;

/// What an error says about its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorClass {
    /// The server refused before it did anything.
    Refused(Kind),
    /// The server answered with an unknown error: the change may have been applied.
    Unknown,
    /// There was no reply, or it could not be parsed.
    NoReply,
}

/// The one place that knows the error codes of servers.
pub(super) fn classify(error: &RedisError) -> ErrorClass {
    match error.code() {
        Some(code) => classify_code(code, error.detail().unwrap_or_default()),
        None if error.kind() == ErrorKind::AuthenticationFailed => ErrorClass::Refused(Kind::Denied),
        None => ErrorClass::NoReply,
    }
}

fn classify_code(code: &str, text: &str) -> ErrorClass {
    match code {
        "WRONGTYPE" => ErrorClass::Refused(Kind::Corrupt),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => ErrorClass::Refused(Kind::Denied),
        // Redis 7.0: a script used a command that the user may not run. Any version: it does not have the command.
        "ERR" if text.starts_with("The user executing the script can't") => ErrorClass::Refused(Kind::Denied),
        _ if text.contains("Unknown Redis command called from") => ErrorClass::Refused(Kind::Denied),
        _ if is_of_cluster(code, text) => ErrorClass::Refused(Kind::Denied),
        "ERR" if text.starts_with("max number of clients reached") => ErrorClass::Refused(Kind::Unavailable),
        "OOM" | "READONLY" | "LOADING" | "MASTERDOWN" | "MISCONF" | "NOREPLICAS" | "BUSY" | "TRYAGAIN" | "NOSCRIPT" => {
            ErrorClass::Refused(Kind::Unavailable)
        }
        _ => ErrorClass::Unknown,
    }
}

/// Whether only a node of a Redis Cluster gives this error: each node has a part of the keys.
fn is_of_cluster(code: &str, text: &str) -> bool {
    matches!(code, "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT") || text.contains("not allowed in cluster mode")
}

/// The same for the text of an error, code first.
pub(super) fn is_text_of_cluster(text: &str) -> bool {
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    is_of_cluster(code, rest)
}

/// The class of an error that a script passed on as text, code first.
pub(super) fn classify_text(text: &str) -> ErrorClass {
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    classify_code(code, rest)
}

/// Whether a server that gives this error, code first, refuses writes and answers reads.
pub(super) fn refuses_writes(text: &str) -> bool {
    ["OOM", "MISCONF", "NOREPLICAS"].contains(&code_of(text))
}

/// Whether a server that gives this error, code first, is a replica.
pub(super) fn is_of_replica(text: &str) -> bool {
    code_of(text) == "READONLY"
}

fn code_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// Whether a new connection may help: the host name may lead to another server now, or a new login may be accepted.
pub(super) fn asks_for_new_connection(error: &RedisError) -> bool {
    matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "NOAUTH" | "WRONGPASS")) || is_text_of_cluster(&text(error))
}

/// An error about a server: what failed, and why.
pub(super) fn of_server(kind: Kind, what: &str, address: &str, why: &str) -> Error {
    Error::new(kind, format!("{what}: redis at {address} {why}"))
}

/// The error of a call that the server answered with `cause`; `setting` is what that refuses, if it is a setting.
pub(super) fn of_reply(
    kind: Kind,
    what: &str,
    address: &str,
    cause: &RedisError,
    setting: Option<Misconfiguration>,
) -> Error {
    let why = match (kind, &setting) {
        (_, Some(setting @ Misconfiguration::Cluster)) => &format!("{setting}: {}", setting.remedy("the store URL")),
        (Kind::Denied, _) => "does not permit it",
        (Kind::Corrupt, _) => "has a value of another type under this key",
        (Kind::Uncertain, _) => "may or may not have applied it",
        (Kind::Unavailable, _) if refuses_writes(&text(cause)) || is_of_replica(&text(cause)) => "refuses writes now",
        (Kind::Unavailable | Kind::Invalid | Kind::TooLarge(_), _) => "does not serve now",
    };
    of_server(kind, what, address, why).caused_by(text(cause)).with_misconfiguration(setting)
}

/// The server's own words, else those of redis-rs, short and without control characters.
pub(super) fn text(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => {
            // Name and line of the script do not help the reader.
            let detail = detail.split(" script: ").next().unwrap_or(detail);
            format!("{code} {detail}")
        }
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    };
    printable(&text, TEXT_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(code: &str, detail: &str) -> RedisError {
        redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
    }

    #[test]
    fn error_codes_become_kinds() {
        for (code, kind) in [
            ("WRONGTYPE", Kind::Corrupt),
            ("NOPERM", Kind::Denied),
            ("OOM", Kind::Unavailable),
            ("NOREPLICAS", Kind::Unavailable),
            ("MOVED", Kind::Denied),
            ("ASK", Kind::Denied),
            ("CLUSTERDOWN", Kind::Denied),
            ("CROSSSLOT", Kind::Denied),
        ] {
            assert_eq!(classify(&server_error(code, "…")), ErrorClass::Refused(kind), "{code}");
        }
        let acl = "ERR The user executing the script can't run this command or subcommand";
        assert_eq!(classify_text(acl), ErrorClass::Refused(Kind::Denied));
        assert_eq!(classify_text("ERR something new"), ErrorClass::Unknown);
        assert_eq!(
            classify(&RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
            ErrorClass::NoReply
        );
    }

    #[test]
    fn a_server_that_refuses_writes_is_told_from_one_that_is_down() {
        for (text, writes, replica) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", true, false),
            ("MISCONF Redis is configured to save RDB snapshots", true, false),
            ("NOREPLICAS Not enough good replicas to write.", true, false),
            ("READONLY You can't write against a read only replica.", false, true),
            ("LOADING Redis is loading the dataset in memory", false, false),
            ("MASTERDOWN Link with MASTER is down", false, false),
            ("NOPERM this user has no permissions", false, false),
        ] {
            assert_eq!((refuses_writes(text), is_of_replica(text)), (writes, replica), "{text}");
        }
    }

    #[test]
    fn server_text_is_shortened_and_escaped() {
        let cause = server_error("OOM", &"\u{1b}[31mred".repeat(1_000_000));
        let text = of_reply(Kind::Unavailable, "cannot read", "h:1", &cause, None).chain();
        assert!(text.len() < 1_500 && !text.contains('\u{1b}'), "{}", text.len());
    }
}
