//! The connection to one server over time: opened when it is needed, by one caller at a time, and replaced after a loss.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;
use super::server_clock::ServerClock;
use super::target::{Connector, Target};
use crate::error::Error;
use crate::primary::{HandshakeError, LinkId};

/// The connection that all callers share.
pub(super) struct Link {
    pub(super) target: Target,
    connector: Box<dyn Connector>,
    current: Mutex<Option<Arc<Connection>>>,
    /// The server's clock as the last connection sampled it.
    clock: Mutex<Option<Arc<ServerClock>>>,
    /// Held while connecting, so that callers who wait for it find the new connection.
    connecting: tokio::sync::Mutex<()>,
    last_id: AtomicU64,
}

impl Link {
    pub(super) fn new(target: Target, connector: Box<dyn Connector>) -> Self {
        Self {
            target,
            connector,
            current: Mutex::default(),
            clock: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            last_id: AtomicU64::new(0),
        }
    }

    /// The current connection, or a new one if there is none or it has ended.
    pub(super) async fn connect(&self) -> Result<Arc<Connection>, HandshakeError> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let connection = Arc::new(self.open().await?);
        *self.slot() = Some(Arc::clone(&connection));
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&connection.clock));
        Ok(connection)
    }

    /// The current connection, or one that no other caller uses.
    pub(super) async fn current_or_private(&self) -> Result<Arc<Connection>, Error> {
        match self.current() {
            Some(connection) => Ok(connection),
            None => self.open().await.map(Arc::new).map_err(|handshake| handshake.error),
        }
    }

    async fn open(&self) -> Result<Connection, HandshakeError> {
        let id = LinkId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        Connection::open(&self.target, &*self.connector, id).await
    }

    /// The server's time, which goes on after the connection has ended; none before the first connection.
    pub(super) fn now_ms(&self) -> Option<u64> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|clock| clock.now_ms())
    }

    /// Gives up the current connection, if there is one. Calls in flight on it keep it until they end.
    pub(super) fn disconnect(&self) {
        *self.slot() = None;
    }

    /// The same, if the current connection is this one and not a newer one.
    pub(super) fn disconnect_from(&self, id: LinkId) {
        let mut slot = self.slot();
        if slot.as_ref().is_some_and(|connection| connection.id == id) {
            *slot = None;
        }
    }

    /// Ends when the current connection has ended, at once if there is none.
    pub(super) async fn disconnected(&self) {
        // The future holds no connection: who waits for its end must not keep it open.
        let end = self.current().map(|connection| connection.end());
        if let Some(end) = end {
            end.await;
        }
    }

    /// The connection, if there is one that has not ended.
    pub(super) fn current(&self) -> Option<Arc<Connection>> {
        self.slot().as_ref().filter(|connection| !connection.has_ended()).map(Arc::clone)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
