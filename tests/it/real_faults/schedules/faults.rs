//! The faults of a schedule: of one host's wire, or of the server of both.

use std::sync::Arc;

use fastrand::Rng;
use ticket_host::Tickets;
use ticket_tests::proxy::Mode;
use ticket_tests::{Proxy, RedisServer};

use super::super::scene;

/// What fails.
pub(super) struct TestBackend {
    pub(super) server: RedisServer,
    pub(super) proxies: [Proxy; 2],
}

impl TestBackend {
    /// A server that keeps what it has acknowledged, a wire to it for each of two hosts, and the hosts.
    pub(super) async fn begin(ttl_ms: u64) -> (Arc<Self>, [Tickets; 2]) {
        let server = tokio::task::block_in_place(RedisServer::start_durable);
        let proxies = [Proxy::before(server.port()), Proxy::before(server.port())];
        let [one, other] = [proxies[0].url(), proxies[1].url()];
        let hosts = [scene::open_for(&one, ttl_ms).await, scene::open_for(&other, ttl_ms).await];
        (Arc::new(Self { server, proxies }), hosts)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Wire(usize, Mode),
    Killed,
    KilledAndEmpty,
    Stopped,
    Replica,
    Full,
    Password,
    Forbidden,
    Disconnected,
}

impl Fault {
    pub(super) fn any(rng: &mut Rng) -> Self {
        match rng.u8(..16) {
            0 | 1 => Self::Killed,
            2 => Self::KilledAndEmpty,
            3 | 4 => Self::Stopped,
            5 => Self::Replica,
            6 => Self::Full,
            7 => Self::Password,
            8 => Self::Forbidden,
            9 => Self::Disconnected,
            _ => Self::Wire(rng.usize(..2), Mode::FAULTS[rng.usize(..Mode::FAULTS.len())]),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wire(_, Mode::Refuse) => "refuse",
            Self::Wire(_, Mode::Stall) => "stall",
            Self::Wire(_, Mode::Cut) => "cut",
            Self::Wire(_, Mode::Reset) => "reset",
            Self::Wire(_, Mode::Drip) => "drip",
            Self::Wire(_, Mode::Half) => "half",
            Self::Wire(_, Mode::Truncate) => "truncate",
            Self::Wire(_, Mode::Pass) => "pass",
            Self::Killed => "killed",
            Self::KilledAndEmpty => "killed and empty",
            Self::Stopped => "stopped",
            Self::Replica => "replica",
            Self::Full => "full",
            Self::Password => "password",
            Self::Forbidden => "forbidden",
            Self::Disconnected => "disconnected",
        }
    }

    /// Lets it happen. A server that an earlier fault killed or stopped takes no more settings.
    pub(super) async fn begin(self, backend: &TestBackend) {
        let server = &backend.server;
        match self {
            Self::Wire(host, mode) => blocking(|| backend.proxies[host].set(mode)),
            Self::Killed => blocking(|| server.kill()),
            Self::KilledAndEmpty => blocking(|| server.restart()),
            Self::Stopped => blocking(|| server.pause()),
            _ if !server.serves() => {}
            Self::Replica => server.become_replica().await,
            Self::Full => server.operate(&["CONFIG", "SET", "maxmemory", "1"]).await,
            Self::Password => server.set_password(Some("another")).await,
            Self::Forbidden => server.operate(&["ACL", "SETUSER", "default", "-hset"]).await,
            Self::Disconnected => server.end_connections().await,
        }
    }
}

/// Ends every fault, in a random order.
pub(super) async fn mend(backend: &TestBackend, rng: &mut Rng) {
    let wires_first = rng.bool();
    if wires_first {
        wires(backend);
    }
    let server = &backend.server;
    blocking(|| server.resume());
    if server.serves() {
        server.promote().await;
        server.operate(&["CONFIG", "SET", "maxmemory", "0"]).await;
        server.operate(&["ACL", "SETUSER", "default", "+hset"]).await;
        if server.operator_url() != server.url() {
            server.set_password(None).await;
        }
    } else {
        blocking(|| server.restart_keeping());
    }
    if !wires_first {
        wires(backend);
    }
}

fn wires(backend: &TestBackend) {
    for proxy in &backend.proxies {
        blocking(|| proxy.set(Mode::Pass));
    }
}

/// Others go on while this thread waits for a process.
fn blocking(what: impl FnOnce()) {
    tokio::task::block_in_place(what);
}
