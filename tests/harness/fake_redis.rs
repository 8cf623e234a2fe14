//! A fake Redis server in this process, over streams in memory, with the clock of tokio and a seed.
//!
//! It recognises the scripts of the host by their text and does the same in Rust. Its behaviour depends only on the
//! calls, the seed and the order in which tokio runs tasks: on a current-thread runtime with a paused clock it is
//! deterministic.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::DuplexStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use connection::Connection;
use data::Item;
use server::Server;

mod commands;
mod connection;
mod data;
mod faults;
mod modes;
mod requests;
mod resp;
mod run;
mod scripts;
mod server;
mod usual;

pub use data::Snapshot;
pub use faults::{Fault, Faults};
pub use modes::Mode;
pub use scripts::{Kind, Script};

/// Buffer of a connection to the client. What the client sends is always read.
const STREAM_BYTES: usize = 1 << 20;

/// The simulated server. A clone is another handle to the same one.
#[derive(Clone, Debug)]
pub struct FakeRedis(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    server: Mutex<Server>,
    thaw: Notify,
}

impl FakeRedis {
    /// A server without data that is up, with the clock at `now_ms`. The same seed draws the same faults.
    #[must_use]
    pub fn new(now_ms: u64, seed: u64) -> Self {
        Self(Arc::new(Shared { server: Mutex::new(Server::new(now_ms, seed)), thaw: Notify::new() }))
    }

    /// Connects, as to a port.
    ///
    /// # Errors
    /// `ConnectionRefused` if the server is down, or as a random fault.
    pub async fn connect(&self) -> io::Result<DuplexStream> {
        let mut fate = {
            let mut server = self.server();
            server.attempts.push(Instant::now());
            server.dice.connect()
        };
        if let Some(fault) = fate.fault {
            self.server().count(fault.name());
        }
        if fate.is(Fault::StallConnect) {
            sleep(fate.stall()).await;
        } else {
            tokio::task::yield_now().await;
        }
        let mut server = self.server();
        if !server.is_up || fate.is(Fault::Refuse) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (theirs, ours) = tokio::io::duplex(STREAM_BYTES);
        server.connections_made += 1;
        let number = server.connections_made;
        let serving = tokio::spawn(Connection::new(self.clone(), number, ours).serve());
        server.connections.insert(number, serving.abort_handle());
        Ok(theirs)
    }

    /// The times of all attempts to connect.
    #[must_use]
    pub fn attempts(&self) -> Vec<Instant> {
        self.server().attempts.clone()
    }

    /// The number of connections that the server has open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server().connections.len()
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn thawed(&self) {
        loop {
            // Before the check, so that a thaw in between is not missed.
            let thaw = self.0.thaw.notified();
            if !self.server().is_frozen {
                return;
            }
            thaw.await;
        }
    }
}

/// The clock.
impl FakeRedis {
    /// Milliseconds since the epoch by this server.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.server().now_ms()
    }

    /// Sets the clock forward or back.
    pub fn step_clock(&self, delta_ms: i64) {
        self.server().step_clock(delta_ms);
    }
}

/// Starting and stopping.
impl FakeRedis {
    /// Kills the server: connections close, connects are refused. The data stays until a start.
    pub fn kill(&self) {
        let mut server = self.server();
        server.is_up = false;
        server.is_frozen = false;
        cut(&mut server);
        drop(server);
        self.0.thaw.notify_waiters();
    }

    /// Starts it again if it is down: with its data and modes, without scripts, with new run and replication ids.
    pub fn start(&self) {
        let mut server = self.server();
        if !server.is_up {
            server.is_up = true;
            server.scripts.clear();
            server.renew_ids();
        }
    }

    /// Kills it and starts it with the data of a snapshot.
    pub fn restart_stale(&self, snapshot: Snapshot) {
        self.kill();
        self.load(snapshot);
        self.start();
    }

    /// Kills it and starts it without data.
    pub fn restart_empty(&self) {
        self.restart_stale(Snapshot::default());
    }

    /// Replaces it by another server at the same address, with replicated data.
    pub fn failover(&self, snapshot: Snapshot) {
        // To clients it looks the same.
        self.restart_stale(snapshot);
    }

    /// Closes all connections and stays up.
    pub fn cut_connections(&self) {
        cut(&mut self.server());
    }

    /// Freezes it, as SIGSTOP does: connects succeed, and commands are read but not executed.
    pub fn freeze(&self) {
        self.server().is_frozen = true;
    }

    /// Ends a freeze: it executes all commands read meanwhile, even those of closed clients.
    pub fn thaw(&self) {
        self.server().is_frozen = false;
        self.0.thaw.notify_waiters();
    }

    /// Sets or clears a mode.
    pub fn set_mode(&self, mode: Mode, on: bool) {
        let mut server = self.server();
        if on {
            server.modes.insert(mode)
        } else {
            server.modes.remove(&mode)
        };
    }

    /// Clears all modes.
    pub fn clear_modes(&self) {
        self.server().modes = BTreeSet::new();
    }

    /// Changes the password of the default user and closes all connections.
    pub fn set_password(&self, password: Option<&str>) {
        let mut server = self.server();
        server.password = password.map(str::to_owned);
        cut(&mut server);
    }

    /// From now on no user may run transactions.
    pub fn forbid_transactions(&self) {
        self.server().forbids_transactions = true;
    }

    /// The id of this run of the server.
    #[must_use]
    pub fn run_id(&self) -> String {
        self.server().run_id.clone()
    }

    /// The id of its replication history.
    #[must_use]
    pub fn replid(&self) -> String {
        self.server().replid.clone()
    }
}

fn cut(server: &mut Server) {
    for (_, connection) in std::mem::take(&mut server.connections) {
        connection.abort();
    }
}

/// Faults.
impl FakeRedis {
    /// Sets the random faults.
    pub fn set_faults(&self, faults: Faults) {
        self.server().dice.faults = faults;
    }

    /// The next run of a script (EVAL, EVALSHA or the EXEC of a transaction) has this fault; several calls apply to the
    /// next runs in order.
    pub fn fault_next_script(&self, fault: Fault) {
        self.server().planned.push_back(fault);
    }

    /// How often each kind of fault happened, by [`Fault::name`], and `zombie`: a command executed after its client
    /// closed.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.server().counts.clone()
    }
}

/// The data, for tests to read and change as another client does.
impl FakeRedis {
    /// The fields and the deadline (0 for none) of a hash, with text that is not UTF-8 converted lossily.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<(BTreeMap<String, String>, u64)> {
        let mut server = self.server();
        let item = server.current().keys.get(key.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = item.as_hash()?.pairs().into_iter().map(|(name, value)| (text(name), text(value)));
        Some((fields.collect(), item.deadline_ms()))
    }

    /// All keys, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let text = |key: &Vec<u8>| String::from_utf8_lossy(key).into_owned();
        self.server().current().keys.keys().map(text).collect()
    }

    /// Replaces a key by a hash with these fields and this deadline (0 for none).
    pub fn put(&self, key: &str, fields: &[(&str, &str)], deadline_ms: u64) {
        self.server().data.keys.insert(key.into(), Item::hash(fields, deadline_ms));
    }

    /// Replaces a key by a string.
    pub fn plant_string(&self, key: &str) {
        self.server().data.keys.insert(key.into(), Item::string(b"x"));
    }

    /// Removes a key; returns whether it existed.
    pub fn delete(&self, key: &str) -> bool {
        self.server().current().del(key.as_bytes())
    }

    /// Expires a key now; returns whether it existed.
    pub fn expire_now(&self, key: &str) -> bool {
        self.delete(key)
    }

    /// Removes all keys.
    pub fn flush(&self) {
        self.load(Snapshot::default());
    }

    /// A copy of all data.
    #[must_use]
    pub fn dump(&self) -> Snapshot {
        self.server().current().clone()
    }

    /// Replaces all data by a snapshot.
    pub fn load(&self, snapshot: Snapshot) {
        self.server().data = snapshot;
    }
}
