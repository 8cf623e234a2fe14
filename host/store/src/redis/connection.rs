//! One connection to a server.

use std::io;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::certificate;
use super::command::send;
use super::errors::{self, ErrorClass};
use super::evictions::EvictionCounter;
use super::login::{Login, log_in};
use super::progress::{self, Step};
use super::reply;
use super::server_clock::ServerClock;
use super::staging::Staging;
use super::target::{Connector, Target};
use crate::error::{Error, Kind};
use crate::misconfiguration::Misconfiguration;
use crate::primary::{HandshakeError, LinkId};

/// An open connection, and the server's clock as seen through it.
pub(super) struct Connection {
    pub(super) id: LinkId,
    pub(super) clock: Arc<ServerClock>,
    pub(super) login: Login,
    pub(super) evictions: EvictionCounter,
    pub(super) staging: Staging,
    multiplexed: MultiplexedConnection,
    address: String,
    /// Closed when the driver has ended.
    ended: watch::Receiver<()>,
    driver: Driver,
}

/// The task that moves the bytes of a connection: each of the two ends with the other.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    pub(super) async fn open(target: &Target, connector: &dyn Connector, id: LinkId) -> Result<Self, HandshakeError> {
        let address = target.address();
        let stream = connector.connect().await.map_err(|error| unreachable(&address, error))?;
        progress::reached(Step::Connected);
        // Calls have deadlines of their own, which include the time to connect.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let without_login = RedisConnectionInfo::default().set_skip_set_lib_name();
        let login = Login::of(&target.login);
        let refused = |error: RedisError| refusal(&address, &login, &error);
        let (multiplexed, driver) =
            MultiplexedConnection::new_with_config(&without_login, stream, config).await.map_err(refused)?;
        let (running, ended) = watch::channel(());
        let driver = Driver(tokio::spawn(async move {
            driver.await;
            drop(running);
        }));
        log_in(&multiplexed, &target.login).await.map_err(refused)?;
        progress::reached(Step::LoggedIn);
        let (sent_at, time) = server_time(&multiplexed).await.map_err(refused)?;
        let server_ms = time.ok_or_else(|| not_redis(&address))?;
        progress::reached(Step::Answered);
        let clock = Arc::new(ServerClock::sampled(sent_at, server_ms));
        let (evictions, staging) = (EvictionCounter::default(), Staging::default());
        Ok(Self { id, clock, login, evictions, staging, multiplexed, address, ended, driver })
    }

    /// What carries the scripts.
    pub(super) fn multiplexed(&self) -> &MultiplexedConnection {
        &self.multiplexed
    }

    pub(super) fn has_ended(&self) -> bool {
        self.driver.0.is_finished()
    }

    /// Ends when the connection has ended. It does not keep the connection open.
    pub(super) fn end(&self) -> impl Future<Output = ()> + use<> {
        let mut ended = self.ended.clone();
        async move {
            // An error says that the driver is gone, and that is awaited here.
            let _ = ended.changed().await;
        }
    }

    /// Asks the server for its time.
    pub(super) async fn measure_clock(&self) -> Result<(), RedisError> {
        if let (sent_at, Some(server_ms)) = server_time(&self.multiplexed).await? {
            self.clock.observe(sent_at, server_ms);
        }
        Ok(())
    }

    /// Sends a plain command.
    pub(super) async fn command(&self, command: &redis::Cmd) -> Result<Value, RedisError> {
        send(&self.multiplexed, command).await
    }

    /// Sends plain commands at once; an error of the server is one of the replies.
    pub(super) async fn commands(&self, commands: &redis::Pipeline) -> Result<Vec<Value>, RedisError> {
        self.multiplexed.clone().send_packed_commands(commands, 0, commands.len()).await
    }

    /// Sends a command that changes nothing; `what` begins its error.
    pub(super) async fn ask(&self, command: &redis::Cmd, what: &str) -> Result<Value, Error> {
        self.command(command).await.map_err(|error| {
            let kind = match errors::classify(&error) {
                ErrorClass::Refused(kind) => kind,
                ErrorClass::Unknown | ErrorClass::NoReply => Kind::Unavailable,
            };
            errors::of_reply(kind, what, &self.address, &error, self.login.misconfiguration(&error))
        })
    }

    /// An error about this server.
    pub(super) fn error(&self, kind: Kind, what: &str, why: &str) -> Error {
        errors::of_server(kind, what, &self.address, why)
    }
}

/// When the server was asked for its time, and the time that it gave, if it gave one.
async fn server_time(multiplexed: &MultiplexedConnection) -> Result<(Instant, Option<u64>), RedisError> {
    let sent_at = Instant::now();
    let time = send(multiplexed, &redis::cmd("TIME")).await?;
    Ok((sent_at, reply::time_ms(time)))
}

/// Why no stream could be opened.
fn unreachable(address: &str, error: io::Error) -> Error {
    let (kind, why, setting) = match certificate::fault(&error).map(Misconfiguration::Certificate) {
        Some(setting) => (Kind::Denied, setting.to_string(), Some(setting)),
        None => (Kind::Unavailable, "cannot be reached".to_owned(), None),
    };
    Error::new(kind, format!("redis at {address} {why}")).caused_by(error).with_misconfiguration(setting)
}

/// Why a new connection was refused.
fn refusal(address: &str, login: &Login, error: &RedisError) -> HandshakeError {
    if error.kind() == ErrorKind::Parse {
        return not_redis(address);
    }
    let misconfiguration = login.misconfiguration(error);
    let (kind, why) = match (&misconfiguration, errors::classify(error)) {
        (Some(misconfiguration), _) => (Kind::Denied, misconfiguration.to_string()),
        (None, ErrorClass::Refused(Kind::Denied)) => (Kind::Denied, "refuses the login or the command".into()),
        (None, ErrorClass::Refused(kind)) => (kind, "does not serve now".into()),
        (None, ErrorClass::Unknown) => (Kind::Denied, "refuses the connection".into()),
        (None, ErrorClass::NoReply) => (Kind::Unavailable, "ended the connection".into()),
    };
    let error = Error::new(kind, format!("redis at {address} {why}")).caused_by(errors::text(error));
    error.with_misconfiguration(misconfiguration).into()
}

fn not_redis(address: &str) -> HandshakeError {
    let text = format!("the server at {address} does not speak the Redis protocol; check host and port of the URL");
    HandshakeError { error: Error::new(Kind::Denied, text), is_incompatible: true }
}
