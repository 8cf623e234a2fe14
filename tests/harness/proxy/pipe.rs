//! The two directions of one connection of the proxy.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Mode;

/// Most bytes forwarded at once.
const CHUNK: usize = 64 * 1024;
/// Bytes and interval of a drip: about three thousand bytes a second.
const DRIP_BYTES: usize = 7;
const DRIP_EVERY: Duration = Duration::from_millis(2);

/// The direction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

/// Forwards both directions until the answers end: requests of a client that has closed are still executed.
pub(super) async fn both(client: &mut TcpStream, server: &mut TcpStream, mode: &watch::Receiver<Mode>) {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let requests = carry(from_client, to_server, mode.clone(), Way::Request);
    let answers = carry(from_server, to_client, mode.clone(), Way::Answer);
    tokio::pin!(requests, answers);
    tokio::select! {
        () = &mut requests => answers.await,
        () = &mut answers => {}
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
    way: Way,
) {
    let mut held = Vec::new();
    let mut ended = false;
    // TCP never loses bytes in the middle: after a dropped answer, the connection forwards no more answers.
    let mut lost = false;
    loop {
        let now = *mode.borrow_and_update();
        lost |= now == Mode::Half && way == Way::Answer && !held.is_empty();
        if lost {
            held.clear();
        }
        if now != Mode::Stall {
            if !held.is_empty() && !forward(&held, &mut to, now, way).await {
                return;
            }
            held.clear();
            if ended {
                let _ = to.shutdown().await;
                return;
            }
        }
        let mut chunk = [0; CHUNK];
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            read = from.read(&mut chunk), if !ended => match read {
                Ok(0) | Err(_) => ended = true,
                Ok(count) => held.extend_from_slice(&chunk[..count]),
            },
        }
    }
}

/// Forwards bytes according to the mode; returns whether the connection stays open.
async fn forward(bytes: &[u8], to: &mut (impl AsyncWrite + Unpin), mode: Mode, way: Way) -> bool {
    match (mode, way) {
        (Mode::Truncate, Way::Answer) => {
            let _ = to.write_all(&bytes[..bytes.len() / 2]).await;
            false
        }
        (Mode::Drip, _) => {
            for few in bytes.chunks(DRIP_BYTES) {
                if to.write_all(few).await.is_err() {
                    return false;
                }
                sleep(DRIP_EVERY).await;
            }
            true
        }
        _ => to.write_all(bytes).await.is_ok(),
    }
}
