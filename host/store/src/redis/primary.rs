//! A Redis server as a primary: each call is sent once, over the link that exists.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::RedisError;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::change::Change;
use super::connection::Connection;
use super::errors::{self, ErrorClass};
use super::handshake::{self, Role};
use super::health;
use super::info::Info;
use super::link::Link;
use super::login::Login;
use super::progress::{self, Step, Timeout};
use super::read;
use super::reply::{self, NoAnswer};
use super::scan;
use super::scripts::{self, Arguments};
use super::target::{Address, Connector, Target};
use super::usual::{Outcome, UsualWrite};
use super::{in_place, staged};
use crate::entry::{Condition, Entry, Page};
use crate::error::{Error, Kind};
use crate::health::Health;
use crate::key::{Key, KeyNames, Namespace};
use crate::options::Options;
use crate::primary::{
    Answer, Cause, Connected, DatasetId, Evictions, Expiry, Failure, HandshakeError, LinkId, Primary, Reconnect,
    WriteRequest,
};
use crate::revision::Revision;

/// Bytes of a digest that tell a handful of stores apart.
const IDENTITY_BYTES: usize = 8;

/// A Redis or Valkey server, to which each call is sent once. A clone is another handle to the same connection.
#[derive(Clone)]
pub struct RedisPrimary {
    link: Arc<Link>,
    names: KeyNames,
    identity: String,
    call_time: Duration,
}

impl RedisPrimary {
    /// The server of a URL, not connected yet. A `connector` opens its streams in place of TCP and TLS.
    ///
    /// # Errors
    /// `Invalid` if the URL is not a Redis URL, `Denied` if the certificates to trust cannot be read.
    pub fn new(url: &str, connector: Option<Box<dyn Connector>>, options: &Options) -> Result<Self, Error> {
        let target = Target::parse(url)?;
        let connector = connector.unwrap_or_else(|| target.connector());
        Ok(Self {
            identity: Self::identity_of(url, options.namespace.as_ref())?,
            link: Arc::new(Link::new(target, connector)),
            names: KeyNames::new(options.namespace.as_ref()),
            call_time: options.call_time,
        })
    }

    /// Distinguishes the tickets of a URL and namespace from those of any other, without secrets: a digest of server,
    /// database, user and namespace. The password may change, and so may the connector.
    ///
    /// # Errors
    /// `Invalid` if the URL is not a Redis URL.
    pub fn identity_of(url: &str, namespace: Option<&Namespace>) -> Result<String, Error> {
        let Address { host, port, login, .. } = Address::parse(url)?;
        let parts = [
            host.to_lowercase(),
            port.to_string(),
            login.db().to_string(),
            login.username().unwrap_or_default().to_owned(),
            namespace.map(|namespace| namespace.as_str().to_owned()).unwrap_or_default(),
        ];
        let digest = Sha256::digest(parts.join("\n"));
        Ok(digest.iter().take(IDENTITY_BYTES).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for RedisPrimary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.target.fmt(f)
    }
}

impl fmt::Debug for RedisPrimary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.to_string();
        f.debug_struct("RedisPrimary").field("url", &url).field("names", &self.names).finish_non_exhaustive()
    }
}

#[async_trait]
impl Primary for RedisPrimary {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn now_ms(&self) -> Option<u64> {
        self.link.now_ms()
    }

    async fn handshake(&self) -> Result<DatasetId, HandshakeError> {
        self.shake_hands(Role::Primary).await
    }

    fn disconnect(&self) {
        self.link.disconnect();
    }

    async fn disconnected(&self) {
        self.link.disconnected().await;
    }

    async fn ping(&self, until: Instant) -> Result<(), Failure> {
        let call = Call { verb: "ask", name: "for TIME", if_unanswered: Kind::Unavailable, until };
        let connection = self.current(&call)?;
        self.in_time(&call, connection.measure_clock()).await
    }

    async fn read(&self, key: &Key, until: Instant) -> Result<Option<Entry>, Failure> {
        let name = self.names.stored(key);
        let call = Call { verb: "read", name: &name, if_unanswered: Kind::Unavailable, until };
        let connection = self.current(&call)?;
        let replies = self.in_time(&call, connection.commands(&read::commands(&name))).await?;
        let not_read = |reply| self.no_answer(&call, &connection, reply);
        if let Some(entry) = read::entry(replies, &name).map_err(not_read)? {
            return Ok(entry);
        }
        let arguments = Arguments { name: &name, rest: Vec::new() };
        let value = self.in_time(&call, scripts::READ.run(connection.multiplexed(), &arguments, false)).await?;
        reply::read(value, &name).map_err(not_read)
    }

    async fn write(&self, request: WriteRequest<'_>, until: Instant) -> Result<Answer, Failure> {
        let name = self.names.stored(request.key);
        if let Some(usual) = UsualWrite::of(&request, &name)
            && let Some(answer) = self.write_usual(&usual, &request, until).await?
        {
            return Ok(answer);
        }
        self.change(request.key, &request.into(), request.repeated, until).await
    }

    async fn touch(
        &self,
        key: &Key,
        expiry: Expiry,
        from: Option<&Revision>,
        until: Instant,
    ) -> Result<Answer, Failure> {
        self.change(key, &Change::Touch { expiry, from }, false, until).await
    }

    async fn remove(
        &self,
        key: &Key,
        condition: &Condition,
        repeated: bool,
        until: Instant,
    ) -> Result<Answer, Failure> {
        self.change(key, &Change::Remove { condition }, repeated, until).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32, until: Instant) -> Result<Page, Failure> {
        // Neither a namespace nor `ticket:` contains a character with a meaning in a pattern.
        let pattern = format!("{}*", self.names.stored_prefix());
        let command = scan::command(&pattern, cursor, limit).map_err(|error| Failure { error, cause: Cause::Data })?;
        let call = Call { verb: "list", name: &pattern, if_unanswered: Kind::Unavailable, until };
        let connection = self.current(&call)?;
        let value = self.in_time(&call, connection.command(&command)).await?;
        scan::page(value, &self.names).ok_or_else(|| self.no_answer(&call, &connection, NoAnswer::Unexpected))
    }

    async fn health(&self) -> Result<Health, Error> {
        let report = progress::within(self.call_time, async {
            // A connection without a handshake is not for other calls.
            let connection = self.link.current_or_private().await?;
            progress::reached(Step::Answered);
            health::report(&connection, &self.link.target, &self.names).await
        });
        report.await.unwrap_or_else(|timeout| {
            let why = self.describe(&timeout);
            Err(self.error(Kind::Unavailable, "cannot check the server", &why))
        })
    }

    async fn evictions(&self, until: Instant) -> Result<Option<Evictions>, Error> {
        let what = "cannot ask for evictions";
        let Some(connection) = self.link.current() else {
            return Err(self.error(Kind::Unavailable, what, "is not connected"));
        };
        let info = timeout_at(until, Info::of_sections(&connection, &["stats", "memory"])).await;
        let info = info.unwrap_or_else(|_| Err(self.error(Kind::Unavailable, what, "did not answer in time")))?;
        Ok(info.and_then(|info| {
            let policy = info.get("maxmemory_policy").unwrap_or_default().to_owned();
            let entries = connection.evictions.observe(info.evicted_keys()?);
            Some(Evictions { entries, policy })
        }))
    }
}

#[async_trait]
impl Reconnect for RedisPrimary {
    async fn connect(&self) -> Result<Connected, Error> {
        let connection = self.link.connect().await.map_err(|handshake| handshake.error)?;
        Ok(Connected { link: connection.id, now_ms: connection.clock.now_ms() })
    }

    fn disconnect_from(&self, link: LinkId) {
        self.link.disconnect_from(link);
    }
}

/// One sending, for its errors.
struct Call<'a> {
    verb: &'static str,
    /// What it is about.
    name: &'a str,
    /// The kind of its error if no answer arrives.
    if_unanswered: Kind,
    until: Instant,
}

impl Call<'_> {
    fn what(&self) -> String {
        format!("cannot {} {}", self.verb, self.name)
    }
}

impl RedisPrimary {
    /// Opens a new connection and checks the server, which must have this role.
    pub(super) async fn shake_hands(&self, role: Role) -> Result<DatasetId, HandshakeError> {
        self.link.disconnect();
        let checked = progress::within(self.call_time, async {
            let connection = self.link.connect().await?;
            handshake::check(&connection, &self.names, role).await
        });
        let dataset = checked.await.unwrap_or_else(|timeout| {
            let why = self.describe(&timeout);
            let error = self.error(Kind::Unavailable, "cannot open the store", &why);
            Err(error.into())
        });
        if dataset.is_err() {
            // No call must use a connection that failed the handshake.
            self.link.disconnect();
        }
        dataset
    }

    async fn change(&self, key: &Key, change: &Change<'_>, repeated: bool, until: Instant) -> Result<Answer, Failure> {
        let name = self.names.stored(key);
        let call = Call { verb: change.verb(), name: &name, if_unanswered: Kind::Uncertain, until };
        let connection = self.current(&call)?;
        let arguments = change.arguments(&name);
        let sent_at = Instant::now();
        let value = self.in_time(&call, change.script().run(connection.multiplexed(), &arguments, repeated)).await?;
        let answer = reply::change(value, &name, change).map_err(|reply| self.no_answer(&call, &connection, reply))?;
        if let Answer::Written { now_ms, .. } | Answer::Clock(now_ms) = answer {
            connection.clock.observe(sent_at, now_ms);
        }
        Ok(answer)
    }

    /// None if it is not written: the script of all writes tells why, or does what is unusual.
    async fn write_usual(
        &self,
        write: &UsualWrite<'_>,
        request: &WriteRequest<'_>,
        until: Instant,
    ) -> Result<Option<Answer>, Failure> {
        let call = Call { verb: "write", name: write.name, if_unanswered: Kind::Uncertain, until };
        let connection = self.current(&call)?;
        let sent_at = Instant::now();
        let outcome = if in_place::is_for(write) {
            self.in_time(&call, in_place::send(write, &connection)).await?
        } else {
            self.in_time(&call, staged::send(write, &connection)).await?
        };
        match outcome {
            Outcome::Written(now_ms) => {
                connection.clock.observe(sent_at, now_ms);
                let expires_at_ms = write.expires_at_ms;
                let revision = Revision::of(request.fields, expires_at_ms);
                Ok(Some(Answer::Written { revision, expires_at_ms, now_ms }))
            }
            Outcome::NotWritten => Ok(None),
            Outcome::Unexpected => Err(self.no_answer(&call, &connection, NoAnswer::Unexpected)),
        }
    }

    fn current(&self, call: &Call<'_>) -> Result<Arc<Connection>, Failure> {
        self.link.current().ok_or_else(|| Failure {
            error: self.error(Kind::Unavailable, &call.what(), "is not connected"),
            cause: Cause::Link,
        })
    }

    async fn in_time<T>(
        &self,
        call: &Call<'_>,
        sending: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, Failure> {
        match timeout_at(call.until, sending).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failure(call, &error)),
            Err(_) => Err(Failure {
                error: self.error(call.if_unanswered, &call.what(), "did not answer in time"),
                cause: Cause::Time,
            }),
        }
    }

    fn failure(&self, call: &Call<'_>, error: &RedisError) -> Failure {
        let (kind, cause) = match errors::classify(error) {
            ErrorClass::Refused(Kind::Corrupt) => (Kind::Corrupt, Cause::Data),
            ErrorClass::Refused(kind) if errors::asks_for_new_connection(error) => (kind, Cause::Reconnect),
            ErrorClass::Refused(kind) if errors::refuses_writes(&errors::text(error)) => (kind, Cause::Unwritable),
            ErrorClass::Refused(kind) => (kind, Cause::Refused),
            ErrorClass::Unknown => (call.if_unanswered, Cause::Refused),
            ErrorClass::NoReply => (call.if_unanswered, Cause::Link),
        };
        let setting = Login::of(&self.link.target.login).misconfiguration(error);
        let error = errors::of_reply(kind, &call.what(), &self.link.target.address(), error, setting);
        Failure { error, cause }
    }

    fn no_answer(&self, call: &Call<'_>, connection: &Connection, reply: NoAnswer) -> Failure {
        match reply {
            NoAnswer::Stored(error) => Failure { error, cause: Cause::Data },
            NoAnswer::Unexpected => {
                // The next reply may be to another call.
                self.link.disconnect_from(connection.id);
                Failure {
                    error: self.error(call.if_unanswered, &call.what(), "gave an unexpected reply"),
                    cause: Cause::Reconnect,
                }
            }
        }
    }

    fn error(&self, kind: Kind, what: &str, why: &str) -> Error {
        errors::of_server(kind, what, &self.link.target.address(), why)
    }

    fn describe(&self, timeout: &Timeout) -> String {
        let target = &self.link.target;
        timeout.describe(target.is_encrypted(), target.login.password().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_server_database_user_and_namespace() {
        let identity = |url, namespace: Option<&str>| {
            let namespace = namespace.map(|name| Namespace::parse(name).expect(name));
            RedisPrimary::identity_of(url, namespace.as_ref()).expect(url)
        };
        let one = identity("redis://app:old@Host/", None);
        assert_eq!(identity("rediss://app:new@host:6379/0", None), one);
        for (url, namespace) in [
            ("redis://app:old@other", None),
            ("redis://app:old@host:6380", None),
            ("redis://app:old@host/1", None),
            ("redis://ops:old@host", None),
            ("redis://app:old@host", Some("shop")),
        ] {
            assert_ne!(identity(url, namespace), one, "{url} {namespace:?}");
        }
    }
}
