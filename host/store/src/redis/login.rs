//! The login of a store URL, and which of its settings a server refuses.

use redis::aio::MultiplexedConnection;
use redis::{RedisConnectionInfo, RedisError};

use super::command::send;
use super::errors::{self, ErrorClass};
use crate::error::Kind;
use crate::misconfiguration::Misconfiguration;

/// The user whom Redis takes for a login without a name.
const DEFAULT_USER: &str = "default";

/// Who logs in, and to which database. It has no secrets.
pub(super) struct Login {
    user: Option<String>,
    database: i64,
}

impl Login {
    pub(super) fn of(info: &RedisConnectionInfo) -> Self {
        let user = match (info.username(), info.password()) {
            (Some(user), _) => Some(user.to_owned()),
            (None, Some(_)) => Some(DEFAULT_USER.to_owned()),
            (None, None) => None,
        };
        Self { user, database: info.db() }
    }

    /// The setting that a server refuses with this error, if it is one.
    pub(super) fn misconfiguration(&self, error: &RedisError) -> Option<Misconfiguration> {
        self.misconfiguration_of(&errors::text(error), None)
    }

    /// The same for the text of an error, code first, and the command that was refused.
    pub(super) fn misconfiguration_of(&self, text: &str, command: Option<&str>) -> Option<Misconfiguration> {
        let user = self.user.clone();
        if text.contains("DB index is out of range") {
            return Some(Misconfiguration::Database { number: self.database });
        }
        if is_of_login(text) {
            return Some(user.map_or(Misconfiguration::NoLogin, |user| Misconfiguration::Login { user }));
        }
        // The words of rustls for an alert of the server.
        if text.contains("received fatal alert: CertificateRequired") {
            return Some(Misconfiguration::ClientCertificate);
        }
        if errors::is_text_of_cluster(text) {
            return Some(Misconfiguration::Cluster);
        }
        let is_denied = errors::classify_text(text) == ErrorClass::Refused(Kind::Denied);
        let user = user.unwrap_or_else(|| DEFAULT_USER.to_owned());
        is_denied.then(|| Misconfiguration::Permission { user, refused: refused(text, command) })
    }
}

/// Logs in and selects the database, in one round trip.
///
/// redis-rs would do so too, but keeps the words of a server that refuses to itself: too many clients and a wrong
/// password would look the same.
pub(super) async fn log_in(multiplexed: &MultiplexedConnection, info: &RedisConnectionInfo) -> Result<(), RedisError> {
    let mut auth = redis::cmd("AUTH");
    auth.arg(info.username()).arg(info.password());
    let mut select = redis::cmd("SELECT");
    select.arg(info.db());
    let (logged_in, selected) = tokio::join!(
        async {
            match info.password() {
                Some(_) => send(multiplexed, &auth).await.map(drop),
                None => Ok(()),
            }
        },
        async {
            match info.db() {
                0 => Ok(()),
                _ => send(multiplexed, &select).await.map(drop),
            }
        }
    );
    logged_in.and(selected)
}

fn is_of_login(text: &str) -> bool {
    // The last one: the URL has a password, and the server none.
    ["NOAUTH", "WRONGPASS", "ERR AUTH "].iter().any(|code| text.starts_with(code))
}

/// What a refusal is about: a command, or the keys. Redis quotes the name of a command.
fn refused(text: &str, command: Option<&str>) -> String {
    match (command, text.split('\'').nth(1)) {
        _ if text.contains(" keys ") => "the keys of tickets".into(),
        (Some(command), _) => command.to_owned(),
        (None, Some(command)) if text.contains("command") => command.to_uppercase(),
        (None, _) => "a command".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(url: &str) -> Login {
        let info: redis::ConnectionInfo = url.parse().expect(url);
        Login::of(info.redis_settings())
    }

    #[test]
    fn refusals_become_the_setting_to_correct() {
        let (app, anonymous) = (login("redis://app:s3cret@h/3"), login("redis://h"));
        let user = || "app".to_owned();
        for (text, setting) in [
            ("WRONGPASS invalid username-password pair", Misconfiguration::Login { user: user() }),
            ("ERR AUTH <password> called without any password", Misconfiguration::Login { user: user() }),
            ("ERR DB index is out of range", Misconfiguration::Database { number: 3 }),
            ("ended: received fatal alert: CertificateRequired", Misconfiguration::ClientCertificate),
            ("MOVED 3999 127.0.0.1:6381", Misconfiguration::Cluster),
            ("CLUSTERDOWN Hash slot not served", Misconfiguration::Cluster),
            ("ERR SELECT is not allowed in cluster mode", Misconfiguration::Cluster),
            (
                "NOPERM this user has no permissions to run the 'eval' command",
                Misconfiguration::Permission { user: user(), refused: "EVAL".into() },
            ),
            (
                "NOPERM this user has no permissions to access one of the keys used as arguments",
                Misconfiguration::Permission { user: user(), refused: "the keys of tickets".into() },
            ),
        ] {
            assert_eq!(app.misconfiguration_of(text, None), Some(setting), "{text}");
        }
        assert_eq!(
            anonymous.misconfiguration_of("NOAUTH Authentication required.", None),
            Some(Misconfiguration::NoLogin)
        );
        for text in [
            "LOADING",
            "READONLY You can't write",
            "OOM command not allowed",
            "MISCONF Redis is configured to save",
            "ERR max number of clients reached",
            "ERR something new",
        ] {
            assert_eq!(app.misconfiguration_of(text, None), None, "{text}");
        }
        assert!(!format!("{:?}", app.misconfiguration_of("WRONGPASS", None)).contains("s3cret"));
    }
}
