//! What a server's `INFO` says.

use super::connection::Connection;
use super::errors::TEXT_CHARS_MAX;
use super::reply::{self, Unexpected};
use crate::error::{Error, Kind};
use crate::text::printable;

/// The properties of `INFO`, by name.
pub(super) struct Info(Vec<(String, String)>);

impl Info {
    /// Asks the server; none if this user may not run `INFO`.
    pub(super) async fn of(connection: &Connection) -> Result<Option<Self>, Error> {
        Self::of_sections(connection, &[]).await
    }

    /// The same for some sections; all usual ones if none is named.
    pub(super) async fn of_sections(connection: &Connection, sections: &[&str]) -> Result<Option<Self>, Error> {
        let what = "cannot run INFO";
        let mut command = redis::cmd("INFO");
        command.arg(sections);
        match connection.ask(&command, what).await {
            Ok(value) => match reply::text(Some(value)) {
                Ok(text) => Ok(Some(Self::parse(&text))),
                Err(Unexpected) => Err(connection.error(Kind::Denied, what, "gave an unexpected reply")),
            },
            // The login was accepted, so only this command is forbidden.
            Err(error) if error.kind() == Kind::Denied => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let pairs = lines.map(|(name, value)| (name.to_owned(), printable(value.trim(), TEXT_CHARS_MAX)));
        Self(pairs.collect())
    }

    /// The server's counter of evictions, if it tells.
    pub(super) fn evicted_keys(&self) -> Option<u64> {
        self.get("evicted_keys")?.parse().ok()
    }

    /// Whether the server is a node of a cluster.
    pub(super) fn is_of_cluster(&self) -> bool {
        self.get("cluster_enabled") == Some("1") || self.get("redis_mode") == Some("cluster")
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
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
