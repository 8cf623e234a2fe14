//! Free loopback ports that stay free while their owner has closed them for a time.

use std::net::TcpListener;

/// Below the ephemeral ports of the system: such a port could be the local end of another connection when its server
/// restarts, and a connect to it could even connect to itself.
const PORTS: std::ops::Range<u16> = 18_000..32_000;
/// Most ports to try.
const PORTS_TRIED_MAX: u32 = 1_000;

/// A loopback port that no process listens on.
///
/// # Panics
/// If all tried ports are in use.
#[must_use]
pub fn free_port() -> u16 {
    for _ in 0..PORTS_TRIED_MAX {
        let port = fastrand::u16(PORTS);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on loopback");
}
