//! One connection of the fake Redis: reads commands, executes them in order, and replies or fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::FakeRedis;
use super::faults::{Fate, Fault};
use super::requests::Session;
use super::resp::{Parsed, Reply, Request, take};

/// Most bytes of one read.
const READ_BYTES: usize = 16_384;
/// Most pieces of a dripping reply.
const DRIPS_MAX: usize = 24;
const GARBAGE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/// The server's end of a connection.
pub(super) struct Connection {
    fake_redis: FakeRedis,
    number: u64,
    session: Session,
    received: mpsc::UnboundedReceiver<Vec<u8>>,
    client_has_closed: Arc<AtomicBool>,
    writer: WriteHalf<DuplexStream>,
    /// Whether the server has closed its side.
    is_mute: bool,
    _reader: Reader,
}

/// The task that reads bytes whatever the server does, as a kernel does.
struct Reader(AbortHandle);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The connection has ended.
struct Ended;

impl Connection {
    pub(super) fn new(fake_redis: FakeRedis, number: u64, stream: DuplexStream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let (send, received) = mpsc::unbounded_channel();
        let client_has_closed = Arc::new(AtomicBool::new(false));
        let reading = tokio::spawn(read_all(reader, send, Arc::clone(&client_has_closed)));
        Self {
            fake_redis,
            number,
            session: Session::default(),
            received,
            client_has_closed,
            writer,
            is_mute: false,
            _reader: Reader(reading.abort_handle()),
        }
    }

    pub(super) async fn serve(mut self) {
        drop(self.serve_all().await);
        self.fake_redis.server().connections.remove(&self.number);
    }

    async fn serve_all(&mut self) -> Result<(), Ended> {
        let mut bytes = Vec::new();
        loop {
            let authenticated = self.session.is_logged_in || self.fake_redis.server().password.is_none();
            match take(&mut bytes, authenticated) {
                Parsed::Request(request) => self.one(&request).await?,
                Parsed::Incomplete => bytes.extend(self.received.recv().await.ok_or(Ended)?),
                Parsed::Wrong(words) => {
                    self.fake_redis.thawed().await;
                    self.write(&Reply::Error(words).encode()).await;
                    return Err(Ended);
                }
            }
        }
    }

    async fn one(&mut self, request: &Request) -> Result<(), Ended> {
        self.fake_redis.thawed().await;
        let Some(name) = request.first() else { return Ok(()) };
        let is_queued = self.session.transaction.is_some() && !name.eq_ignore_ascii_case(b"exec");
        let mut fate = self.fake_redis.server().draw(name, is_queued);
        match fate.fault {
            Some(Fault::Reset) => return Err(Ended),
            Some(Fault::StallBefore) => {
                sleep(fate.stall()).await;
                self.fake_redis.thawed().await;
            }
            Some(Fault::Noscript) => self.fake_redis.server().scripts.clear(),
            Some(Fault::Garbage) if fate.rng.bool() => return self.end_with(GARBAGE).await,
            _ => {}
        }
        let reply = self.execute(request, &fate)?;
        match fate.fault {
            Some(Fault::CutAfter) => return Err(Ended),
            Some(Fault::HalfClose) => {
                self.is_mute = true;
                drop(self.writer.shutdown().await);
            }
            Some(Fault::Garbage) => return self.end_with(GARBAGE).await,
            Some(Fault::Truncate) => return self.end_with(&reply[..fate.rng.usize(1..reply.len())]).await,
            Some(Fault::StallAfter) => sleep(fate.stall()).await,
            _ => {}
        }
        self.fake_redis.thawed().await;
        if fate.is(Fault::Drip) {
            self.drip(&reply, &mut fate).await;
        } else {
            self.write(&reply).await;
        }
        Ok(())
    }

    fn execute(&mut self, request: &Request, fate: &Fate) -> Result<Vec<u8>, Ended> {
        let mut server = self.fake_redis.server();
        // The server may have been killed while this task was running on another thread.
        if !server.connections.contains_key(&self.number) {
            return Err(Ended);
        }
        if self.client_has_closed.load(Ordering::Relaxed) {
            server.count("zombie");
        }
        Ok(server.execute(&mut self.session, request, fate.fault).encode())
    }

    async fn end_with(&mut self, last: &[u8]) -> Result<(), Ended> {
        self.write(last).await;
        Err(Ended)
    }

    async fn drip(&mut self, reply: &[u8], fate: &mut Fate) {
        let mut rest = reply;
        for _ in 0..DRIPS_MAX {
            let (piece, more) = rest.split_at(fate.rng.usize(1..=7).min(rest.len()));
            self.write(piece).await;
            rest = more;
            if rest.is_empty() {
                return;
            }
            sleep(Duration::from_millis(fate.rng.u64(0..=3))).await;
            self.fake_redis.thawed().await;
        }
        self.write(rest).await;
    }

    /// Ignores errors: if the client has closed, the commands it sent are still executed.
    async fn write(&mut self, bytes: &[u8]) {
        if !self.is_mute {
            drop(self.writer.write_all(bytes).await);
        }
    }
}

async fn read_all(mut reader: ReadHalf<DuplexStream>, send: mpsc::UnboundedSender<Vec<u8>>, closed: Arc<AtomicBool>) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        if send.send(buffer[..count].to_vec()).is_err() {
            return;
        }
    }
    closed.store(true, Ordering::Relaxed);
}
