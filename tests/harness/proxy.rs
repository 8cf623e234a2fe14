//! A TCP proxy for a server, on a port of its own, that fails as networks and servers do.
//!
//! | mode | existing connections | new ones |
//! |---|---|---|
//! | pass | continue; bytes kept by a stall are forwarded | pass |
//! | refuse | are closed | are refused: the port is closed |
//! | stall | bytes are read and kept, both ways | the same |
//! | cut | are closed in order | are closed at once |
//! | reset | end by RST | the same at once |
//! | drip | a few bytes at a time, both ways | the same |
//! | half | requests pass, answers are dropped, even later ones of such a connection | the same |
//! | truncate | half of the next answer, then closed | the same |

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ports::free_port;

mod pipe;

/// How long it may take to bind the port again: another test may be checking whether it is free.
const LISTEN_TIME_MAX: Duration = Duration::from_secs(10);

/// What happens to connections: see the table of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "see the table of the module")]
pub enum Mode {
    Pass,
    Refuse,
    Stall,
    Cut,
    Reset,
    Drip,
    Half,
    Truncate,
}

impl Mode {
    /// All modes except `Pass`.
    pub const FAULTS: [Self; 7] =
        [Self::Refuse, Self::Stall, Self::Cut, Self::Reset, Self::Drip, Self::Half, Self::Truncate];

    /// Whether it ends connections.
    fn ends(self) -> bool {
        matches!(self, Self::Refuse | Self::Cut | Self::Reset)
    }
}

/// The proxy. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    server_port: u16,
    shared: Arc<Shared>,
    listening: Mutex<Option<JoinHandle<()>>>,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    mode: watch::Sender<Mode>,
    attempts: Mutex<Vec<Instant>>,
}

impl Proxy {
    /// A proxy for a server on loopback. It has a thread of its own, so that a busy test does not slow down the
    /// network.
    #[must_use]
    pub fn before(server_port: u16) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let shared = Arc::new(Shared { mode: watch::Sender::new(Mode::Pass), attempts: Mutex::default() });
        let listening = Mutex::default();
        let proxy = Self { port: free_port(), server_port, shared, listening, runtime: Some(runtime) };
        proxy.listen();
        proxy
    }

    /// Its loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the Redis server behind it, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The current mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        *self.shared.mode.borrow()
    }

    /// Changes the mode. When this returns, the port is open or closed as the new mode requires.
    pub fn set(&self, mode: Mode) {
        if mode == Mode::Refuse {
            self.stop_listening();
        }
        self.shared.mode.send_replace(mode);
        if mode != Mode::Refuse {
            self.listen();
        }
    }

    /// The times of connections, in order, without those that a closed port refused.
    #[must_use]
    pub fn attempts(&self) -> Vec<Instant> {
        lock(&self.shared.attempts).clone()
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("a runtime until the end")
    }

    fn stop_listening(&self) {
        if let Some(accepting) = lock(&self.listening).take() {
            accepting.abort();
            self.wait_until("the port closes", || accepting.is_finished());
        }
    }

    fn listen(&self) {
        let mut listening = lock(&self.listening);
        if listening.is_some() {
            return;
        }
        let mut bound = None;
        self.wait_until("the port is free again", || {
            bound = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).ok();
            bound.is_some()
        });
        let bound = bound.expect("a listener");
        bound.set_nonblocking(true).expect("a listener for tokio");
        let _inside = self.runtime().enter();
        let listener = TcpListener::from_std(bound).expect("a listener for tokio");
        *listening = Some(self.runtime().spawn(accept(listener, self.server_port, Arc::clone(&self.shared))));
    }

    /// Polls, because it must work both inside and outside an async runtime.
    fn wait_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let until = Instant::now() + LISTEN_TIME_MAX;
        while !done() {
            assert!(Instant::now() < until, "proxy on port {}: {what}", self.port);
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A runtime that waits for its threads must not be dropped inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, server_port: u16, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        lock(&shared.attempts).push(Instant::now());
        let mode = shared.mode.subscribe();
        tokio::spawn(connection(client, server_port, mode));
    }
}

/// Forwards one connection until one end or the mode closes it.
async fn connection(mut client: TcpStream, server_port: u16, mut mode: watch::Receiver<Mode>) {
    let now = *mode.borrow();
    if !now.ends() {
        // If the server does not listen, the client sees the connection close.
        let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await else { return };
        let set = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
        set.expect("a TCP connection");
        let of_pipes = mode.clone();
        tokio::select! {
            () = pipe::both(&mut client, &mut server, &of_pipes) => {}
            _ = mode.wait_for(|mode| mode.ends()) => {}
        }
    }
    if *mode.borrow() == Mode::Reset {
        let _ = client.set_zero_linger();
    }
}
