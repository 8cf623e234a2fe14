//! Whether a server will do: what it is, how new, and whether it lets us write.

use redis::Value;

use super::failure::{Verdict, judge_text};
use super::link::Live;
use super::{RedisStore, answer, scripts};
use crate::error::{Error, Kind};
use crate::key::printable;
use crate::primary::{DatasetId, HandshakeError};

/// The oldest version that has PEXPIRETIME.
const MAJOR_VERSION_MIN: u64 = 7;
/// Longest text of a server that is shown, in characters.
pub(super) const TEXT_CHARS_MAX: usize = 160;

/// What INFO says, by name.
pub(super) struct Info(Vec<(String, String)>);

impl Info {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let pairs = lines.map(|(name, value)| (name.to_owned(), printable(value.trim(), TEXT_CHARS_MAX)));
        Self(pairs.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What a server refused when it was tried: a command, and its words.
pub(super) struct Refused {
    pub(super) command: String,
    pub(super) words: String,
}

impl RedisStore {
    /// Refuses a server that is no Redis, too old, or forbids what the scripts do; which data set it serves.
    pub(super) async fn qualify_server(&self) -> Result<DatasetId, HandshakeError> {
        let now = |error| HandshakeError { error, is_incompatible: false };
        let never = |error| HandshakeError { error, is_incompatible: true };
        let address = self.link.target.address();
        let live = self.link.fit().await?;
        let info = self.info(&live).await.map_err(now)?;
        if let Some(info) = &info {
            let Some(version) = info.get("redis_version") else {
                let text = format!("what listens at {address} is no Redis: it has no version");
                return Err(never(Error::new(Kind::Denied, text)));
            };
            let major = version.split('.').next().and_then(|digits| digits.parse::<u64>().ok());
            if major.is_none_or(|major| major < MAJOR_VERSION_MIN) {
                let text = format!("redis {version} at {address} is too old: {MAJOR_VERSION_MIN}.0 or newer is needed");
                return Err(never(Error::new(Kind::Denied, text)));
            }
        }
        let Some(Refused { command, words }) = self.probe(&live).await.map_err(now)?.into_iter().next() else {
            let part = |info: &Info, name| info.get(name).unwrap_or_default().to_owned();
            let origin = info.map(|info| format!("{} {}", part(&info, "run_id"), part(&info, "master_replid")));
            return Ok(DatasetId(origin.filter(|origin| !origin.trim().is_empty())));
        };
        let kind = match judge_text(&words) {
            Verdict::Refused(kind) => kind,
            Verdict::Unknown | Verdict::Lost => Kind::Unavailable,
        };
        let what = format!("cannot write {}*", self.names.stored_prefix());
        Err(now(self.error(kind, what, &format!("refuses {command}")).caused_by(words)))
    }

    /// What the server says of itself; none where it does not tell this user.
    pub(super) async fn info(&self, live: &Live) -> Result<Option<Info>, Error> {
        let what = "cannot ask for INFO";
        match self.ask_on(live, &redis::cmd("INFO"), what).await {
            Ok(value) => match answer::text(Some(value)) {
                Ok(text) => Ok(Some(Info::parse(&text))),
                Err(answer::Strange) => Err(self.error(Kind::Denied, what.to_owned(), "gave no answer to that")),
            },
            // The login was accepted, so it is this command alone that is not permitted.
            Err(error) if error.kind() == Kind::Denied => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Does what the scripts do on a key of nobody, which leaves nothing; what was refused.
    pub(super) async fn probe(&self, live: &Live) -> Result<Vec<Refused>, Error> {
        let what = "cannot try a write";
        let name = format!("{}{}", self.names.stored_prefix(), uuid::Uuid::new_v4());
        let mut refused = Vec::new();
        for command in scripts::probes(&name) {
            let failed = self.ask_on(live, &command, what).await?;
            refused = parse(failed).map_err(|answer::Strange| {
                self.error(Kind::Denied, what.to_owned(), "gave an answer that is none of ours")
            })?;
        }
        Ok(refused)
    }
}

fn parse(failed: Value) -> Result<Vec<Refused>, answer::Strange> {
    let Value::Array(parts) = failed else { return Err(answer::Strange) };
    let mut refused = Vec::new();
    let mut parts = parts.into_iter();
    while let Some(command) = parts.next() {
        let words = printable(&answer::text(parts.next())?, TEXT_CHARS_MAX);
        refused.push(Refused { command: answer::text(Some(command))?, words });
    }
    Ok(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_by_name() {
        let info = Info::parse("# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\nexecutable:/a:b\r\n");
        assert_eq!(info.get("redis_version"), Some("7.2.4"));
        assert_eq!(info.get("executable"), Some("/a:b"));
        assert_eq!(info.get("maxmemory"), None);
    }
}
