//! Free loopback ports that stay free for whoever gave one up for a while.

use std::net::TcpListener;

/// Below the ports that the system lends to connects: such a one could be somebody's own end when its server comes
/// back, and a connect to it while nobody listens may even meet itself.
const PORTS: std::ops::Range<u16> = 18_000..32_000;
/// How many ports may turn out to be taken.
const PORTS_TRIED_MAX: u32 = 1_000;

/// A port of loopback on which nobody listens now.
///
/// # Panics
/// Where all that were tried are taken.
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
