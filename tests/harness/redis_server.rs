//! A private `redis-server` for tests: on a free loopback port, in a folder of its own, stopped when dropped.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::ports::free_port;

/// How long a server may take to start; on an idle machine it takes about 20 ms.
const START_TIME_MAX: Duration = Duration::from_secs(30);
/// Most ports to try.
const PORTS_TRIED_MAX: u32 = 20;

/// A running `redis-server` of the test, without persistence unless the arguments enable it.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    arguments: Vec<String>,
    port: u16,
    /// The password of the default user, if there is one.
    password: Mutex<Option<String>>,
    running: Mutex<Option<Running>>,
}

/// Arguments of a server with a user who may run everything but transactions.
pub const WITHOUT_TRANSACTIONS: [&str; 8] = ["--user", "scripts", "on", ">pw", "~*", "&*", "+@all", "-@transaction"];

/// A server process, and a shell that kills it if this process dies first.
#[derive(Debug)]
struct Running {
    server: Child,
    watchdog: Child,
    is_paused: bool,
}

impl RedisServer {
    /// Starts a server; `arguments` are added to its command line, for example `--requirepass secret`.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for redis-server");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        for _ in 0..PORTS_TRIED_MAX {
            let port = free_port();
            if let Some(running) = Running::start(folder.path(), port, &arguments) {
                let running = Mutex::new(Some(running));
                return Self { folder, arguments, port, password: Mutex::default(), running };
            }
        }
        panic!("redis-server does not start: {}", log_of(folder.path()));
    }

    /// Starts a server with an append-only file, which survives a kill.
    #[must_use]
    pub fn start_durable() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "everysec"])
    }

    /// The server that the tests of this process share, each with namespaces of its own. It stops with the last user.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<RedisServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start(&WITHOUT_TRANSACTIONS));
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// The URL of its first database, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The same with a user; an empty name means the default user.
    #[must_use]
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// The URL of a user who may not run transactions, on a server that was started with [`WITHOUT_TRANSACTIONS`].
    #[must_use]
    pub fn scripts_url(&self) -> String {
        self.url_of(WITHOUT_TRANSACTIONS[1], "pw")
    }

    /// Its loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A plain client for a URL of this server.
    pub async fn client_of(&self, url: &str) -> MultiplexedConnection {
        let client = redis::Client::open(url).expect("url of the server");
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        client.get_multiplexed_async_connection_with_config(&config).await.expect("connection to redis-server")
    }

    /// A plain client without a password.
    pub async fn client(&self) -> MultiplexedConnection {
        self.client_of(&self.url()).await
    }

    /// Its URL with the current password of the default user.
    #[must_use]
    pub fn operator_url(&self) -> String {
        let password = self.password().clone();
        password.map_or_else(|| self.url(), |password| self.url_of("", &password))
    }

    /// A plain client with the current password.
    pub async fn operator(&self) -> MultiplexedConnection {
        self.client_of(&self.operator_url()).await
    }

    /// Sends a command with the current password and requires the answer OK.
    pub async fn operate(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let answer = self.operator().await.send_packed_command(&command).await;
        // REPLICAOF may answer `OK Already connected to specified master`.
        let said = redis::from_redis_value::<String>(answer.unwrap_or_else(|error| panic!("{words:?}: {error}")));
        assert!(said.as_ref().is_ok_and(|said| said.starts_with("OK")), "{words:?}: {said:?}");
    }

    /// Sets or removes the password of the default user and closes other connections, which would stay logged in.
    pub async fn set_password(&self, password: Option<&str>) {
        self.operate(&["CONFIG", "SET", "requirepass", password.unwrap_or_default()]).await;
        *self.password() = password.map(str::to_owned);
        self.end_connections().await;
    }

    /// Closes all other connections.
    pub async fn end_connections(&self) {
        let mut kill = redis::cmd("CLIENT");
        kill.arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]);
        self.operator().await.send_packed_command(&kill).await.expect("connections end");
    }

    /// Makes the server a replica of a missing server: it keeps its data, serves reads and refuses writes.
    pub async fn become_replica(&self) {
        self.operate(&["REPLICAOF", "127.0.0.1", "1"]).await;
    }

    /// Makes a replica a primary.
    pub async fn promote(&self) {
        self.operate(&["REPLICAOF", "NO", "ONE"]).await;
    }

    /// Shuts the server down.
    pub fn stop(&self) {
        self.end("TERM");
    }

    /// Kills the server, as a crash does.
    pub fn kill(&self) {
        self.end("KILL");
    }

    /// Pauses the process, with its connections open.
    pub fn pause(&self) {
        self.set_paused(true);
    }

    /// Resumes a paused process.
    pub fn resume(&self) {
        self.set_paused(false);
    }

    /// Kills the server if it runs, and starts it on its port without data.
    pub fn restart(&self) {
        self.kill();
        // A server with an append-only file has this folder.
        drop(fs::remove_dir_all(self.folder.path().join("appendonlydir")));
        self.restart_keeping();
    }

    /// Kills the server if it runs, and starts it on its port with its append-only file.
    pub fn restart_keeping(&self) {
        self.kill();
        // A password that was set at run time ended with the process.
        *self.password() = None;
        let until = Instant::now() + START_TIME_MAX;
        loop {
            if let Some(running) = Running::start(self.folder.path(), self.port, &self.arguments) {
                *self.running() = Some(running);
                return;
            }
            assert!(Instant::now() < until, "redis-server does not restart: {}", log_of(self.folder.path()));
        }
    }

    /// Whether its process runs and is not paused.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.running().as_ref().is_some_and(|running| !running.is_paused)
    }

    fn set_paused(&self, paused: bool) {
        if let Some(running) = &mut *self.running() {
            signal(&running.server, if paused { "STOP" } else { "CONT" });
            running.is_paused = paused;
        }
    }

    fn end(&self, signal_name: &str) {
        if let Some(mut running) = self.running().take() {
            signal(&running.server, signal_name);
            running.server.wait().expect("redis-server ends");
        }
    }

    fn password(&self) -> MutexGuard<'_, Option<String>> {
        self.password.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Starts a server and waits until it serves; `None` if the port is in use.
    fn start(folder: &Path, port: u16, arguments: &[String]) -> Option<Self> {
        let log = log_file(folder);
        // The log of an earlier run in this folder.
        drop(fs::remove_file(&log));
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(folder)
            .arg("--logfile")
            .arg(&log)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => panic!("redis-server is missing: apt-get install redis-server"),
                _ => panic!("redis-server cannot be started: {error}"),
            });
        let mut running = Self { watchdog: watchdog(&server), server, is_paused: false };
        let until = Instant::now() + START_TIME_MAX;
        // Wait for the log, because another process might answer on the port.
        while !fs::read_to_string(&log).is_ok_and(|log| log.contains("Ready to accept connections")) {
            if running.server.try_wait().expect("redis-server's state").is_some() {
                return None;
            }
            assert!(Instant::now() < until, "redis-server takes too long to start: {}", log_of(folder));
            std::thread::sleep(Duration::from_millis(2));
        }
        Some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The watchdog first: it must not kill a later process with the same id.
        for process in [&mut self.watchdog, &mut self.server] {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// A shell that waits for the end of its input, that is of this process, and then kills the server.
fn watchdog(server: &Child) -> Child {
    Command::new("sh")
        .args(["-c", "read -r _; kill -KILL \"$0\"", &server.id().to_string()])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// Sends a signal by name, which the standard library cannot do.
fn signal(process: &Child, name: &str) {
    let command = format!("kill -{name} {}", process.id());
    let sent = Command::new("sh").args(["-c", &command]).status().expect("a shell");
    assert!(sent.success(), "{command}");
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("redis.log")
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(log_file(folder)).unwrap_or_else(|error| format!("no log: {error}"))
}
