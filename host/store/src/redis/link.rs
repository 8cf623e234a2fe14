//! The connection to one server: made when it is needed, by one caller at a time, and replaced when it is lost.

use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisError, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::answer;
use super::failure::{self, Verdict, judge};
use super::target::{Connector, Target};
use crate::error::{Error, Kind};
use crate::primary::HandshakeError;

/// Where connections to one server come from.
pub(super) struct Link {
    pub(super) target: Target,
    connector: Box<dyn Connector>,
    live: Mutex<Option<Arc<Live>>>,
    /// The server's clock as the last connection measured it.
    clock: Mutex<Option<Arc<ServerClock>>>,
    /// Held while connecting: whoever waits for it finds the new connection.
    connecting: tokio::sync::Mutex<()>,
}

impl Link {
    pub(super) fn new(target: Target, connector: Box<dyn Connector>) -> Self {
        Self { target, connector, live: Mutex::default(), clock: Mutex::default(), connecting: Default::default() }
    }

    /// The connection, made anew where there is none or it has ended. Nothing of a call has been sent before.
    ///
    /// # Errors
    /// `Unavailable` where the server cannot be reached, `Denied` where it refuses the login or is no Redis.
    pub(super) async fn live(&self) -> Result<Arc<Live>, Error> {
        self.fit().await.map_err(|unfit| unfit.error)
    }

    /// The same, and whether waiting may help where there is none.
    pub(super) async fn fit(&self) -> Result<Arc<Live>, HandshakeError> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let live = Arc::new(Live::connect(&self.target, &*self.connector).await?);
        *self.slot() = Some(Arc::clone(&live));
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&live.clock));
        Ok(live)
    }

    /// The connection there is, else one that nobody else uses.
    pub(super) async fn apart(&self) -> Result<Arc<Live>, Error> {
        match self.current() {
            Some(live) => Ok(live),
            None => match Live::connect(&self.target, &*self.connector).await {
                Ok(live) => Ok(Arc::new(live)),
                Err(unfit) => Err(unfit.error),
            },
        }
    }

    /// The server's time, which goes on when the connection has ended; none before the first connection.
    pub(super) fn now_ms(&self) -> Option<u64> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|clock| clock.now_ms())
    }

    /// Lets go of the connection, if there is one.
    pub(super) fn drop_live(&self) {
        *self.slot() = None;
    }

    /// Ends when the present connection has ended, at once where there is none.
    pub(super) async fn ended(&self) {
        // Not the connection itself: whoever waits for its end must not keep it alive.
        let ended = self.current().map(|live| live.ended.clone());
        if let Some(mut ended) = ended {
            // An error says that the driver is gone, which is what is waited for.
            let _ = ended.changed().await;
        }
    }

    /// Has the next caller connect anew. Calls that still wait on the old connection keep it until they end.
    pub(super) fn replace(&self, lost: &Arc<Live>) {
        let mut slot = self.slot();
        if slot.as_ref().is_some_and(|live| Arc::ptr_eq(live, lost)) {
            *slot = None;
        }
    }

    /// The connection, if there is one that has not ended.
    pub(super) fn current(&self) -> Option<Arc<Live>> {
        self.slot().as_ref().filter(|live| !live.driver.0.is_finished()).map(Arc::clone)
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection, and the server's clock as seen through it.
pub(super) struct Live {
    pub(super) connection: MultiplexedConnection,
    pub(super) clock: Arc<ServerClock>,
    /// Closed when the driver has ended.
    ended: watch::Receiver<()>,
    driver: Driver,
}

/// The task that moves the bytes of a connection: it ends when the connection does, and the other way round.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Live {
    async fn connect(target: &Target, connector: &dyn Connector) -> Result<Self, HandshakeError> {
        let address = target.address();
        let stream = connector.connect().await.map_err(|error| {
            let text = format!("redis at {address} cannot be reached");
            HandshakeError { error: Error::new(Kind::Unavailable, text).caused_by(error), is_incompatible: false }
        })?;
        // Calls keep their own time, which includes waiting for a connection.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(&target.login, stream, config)
            .await
            .map_err(|error| refusal(&address, &error))?;
        let (running, ended) = watch::channel(());
        let driver = Driver(tokio::spawn(async move {
            driver.await;
            drop(running);
        }));
        let clock = Arc::new(ServerClock::measured(Instant::now(), 0));
        let live = Self { connection, clock, ended, driver };
        let (sent, time) = live.time().await.map_err(|error| refusal(&address, &error))?;
        live.clock.set(sent, server_ms(time).ok_or_else(|| no_redis(&address))?);
        Ok(live)
    }

    async fn time(&self) -> Result<(Instant, Value), RedisError> {
        let sent = Instant::now();
        Ok((sent, self.command(&redis::cmd("TIME")).await?))
    }

    /// Asks the server for its time.
    pub(super) async fn measure(&self) -> Result<(), RedisError> {
        let (sent, time) = self.time().await?;
        if let Some(server_ms) = server_ms(time) {
            self.clock.observe(sent, server_ms);
        }
        Ok(())
    }

    /// Sends a plain command.
    pub(super) async fn command(&self, command: &redis::Cmd) -> Result<Value, RedisError> {
        self.connection.clone().send_packed_command(command).await.and_then(Value::extract_error)
    }
}

/// Why the first words with a server led to nothing.
fn refusal(address: &str, error: &RedisError) -> HandshakeError {
    if error.kind() == ErrorKind::Parse {
        return no_redis(address);
    }
    let (kind, why, is_incompatible) = match judge(error) {
        Verdict::Refused(Kind::Denied) => (Kind::Denied, "refuses the login or the command", false),
        Verdict::Refused(kind) => (kind, "does not serve now", false),
        // A database that there is not will not be there next time; SELECT may be refused for other reasons too.
        Verdict::Unknown => (Kind::Denied, "refuses the connection", error.to_string().contains("out of range")),
        Verdict::Lost => (Kind::Unavailable, "ended the connection", false),
    };
    HandshakeError { error: failure::error(kind, format!("redis at {address} {why}"), error), is_incompatible }
}

fn no_redis(address: &str) -> HandshakeError {
    let text = format!("what listens at {address} does not speak the Redis protocol");
    HandshakeError { error: Error::new(Kind::Denied, text), is_incompatible: true }
}

fn server_ms(time: Value) -> Option<u64> {
    let Value::Array(parts) = time else { return None };
    let mut parts = parts.into_iter();
    let seconds = answer::number(parts.next()).ok()?;
    let micros = answer::number(parts.next()).ok()?;
    seconds.checked_mul(1_000)?.checked_add(micros / 1_000)
}

/// The server's clock, kept by our monotonic one: neither side's steps in wall time move a deadline unseen.
#[derive(Debug)]
pub(super) struct ServerClock(Mutex<Measure>);

#[derive(Clone, Copy, Debug)]
struct Measure {
    at: Instant,
    server_ms: u64,
}

impl ServerClock {
    /// A clock whose server showed `server_ms` between `sent` and now.
    fn measured(sent: Instant, server_ms: u64) -> Self {
        Self(Mutex::new(Measure::between(sent, Instant::now(), server_ms)))
    }

    fn set(&self, sent: Instant, server_ms: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Measure::between(sent, Instant::now(), server_ms);
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).at_instant(Instant::now())
    }

    /// Takes a new measure where the old one no longer explains what the server showed between `sent` and now:
    /// clocks drift apart by seconds a week, and a server's may be set.
    pub(super) fn observe(&self, sent: Instant, server_ms: u64) {
        let now = Instant::now();
        let mut measure = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (earliest, latest) = (measure.at_instant(sent), measure.at_instant(now));
        // One for each rounding to milliseconds.
        if server_ms.saturating_add(1) < earliest || server_ms > latest.saturating_add(1) {
            *measure = Measure::between(sent, now, server_ms);
        }
    }
}

impl Measure {
    fn between(sent: Instant, received: Instant, server_ms: u64) -> Self {
        Self { at: sent + (received - sent) / 2, server_ms }
    }

    fn at_instant(self, instant: Instant) -> u64 {
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match instant.checked_duration_since(self.at) {
            Some(since) => self.server_ms.saturating_add(ms(since)),
            None => self.server_ms.saturating_sub(ms(self.at - instant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_servers_clock_runs_on_with_ours_and_follows_when_it_is_set() {
        let clock = ServerClock::measured(Instant::now(), 5_000);
        tokio::time::advance(Duration::from_millis(70)).await;
        assert_eq!(clock.now_ms(), 5_070);
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(10)).await;
        clock.observe(sent, 5_071);
        assert_eq!(clock.now_ms(), 5_080, "an answer that the measure explains changes nothing");
        clock.observe(sent, 9_000);
        assert_eq!(clock.now_ms(), 9_005);
    }
}
