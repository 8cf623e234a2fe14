//! A stream to a server that lets a part of what is sent through, and holds back or cuts off the rest.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use ticket_host::store::{Connector, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    All,
    /// What comes before these bytes.
    Before(&'static [u8]),
    /// Nothing more for now.
    Nothing,
    /// So many bytes; then the connection ends.
    Bytes(usize),
}

#[derive(Debug)]
struct State {
    rule: Rule,
    sent_bytes: usize,
    held: Option<Waker>,
}

/// Opens such streams over TCP, and rules them. A clone rules the same.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Gate {
    /// A gate before a server of this machine, open.
    pub(super) fn before(port: u16) -> Self {
        let state = State { rule: Rule::All, sent_bytes: 0, held: None };
        Self { port, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rule(&self, rule: Rule) {
        let mut state = self.state();
        (state.rule, state.sent_bytes) = (rule, 0);
        if let Some(held) = state.held.take() {
            held.wake();
        }
    }

    /// Holds back these bytes, once they are sent in one piece, and what follows.
    pub(super) fn hold_before(&self, bytes: &'static [u8]) {
        self.rule(Rule::Before(bytes));
    }

    /// Ends the connection after so many more bytes.
    pub(super) fn cut_after(&self, bytes: usize) {
        self.rule(Rule::Bytes(bytes));
    }

    /// Lets everything through, what was held back first.
    pub(super) fn open(&self) {
        self.rule(Rule::All);
    }

    /// Whether something is held back.
    pub(super) fn holds(&self) -> bool {
        self.state().held.is_some()
    }

    /// Bytes let through since the last rule.
    pub(super) fn sent_bytes(&self) -> usize {
        self.state().sent_bytes
    }
}

#[async_trait]
impl Connector for Gate {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let inner = TcpStream::connect(("127.0.0.1", self.port)).await?;
        inner.set_nodelay(true)?;
        Ok(Box::new(Held { inner, gate: self.clone() }))
    }
}

struct Held {
    inner: TcpStream,
    gate: Gate,
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gate = self.gate.clone();
        let mut state = gate.state();
        let allowed = match state.rule {
            Rule::All => bytes.len(),
            Rule::Before(pattern) => match bytes.windows(pattern.len()).position(|window| window == pattern) {
                Some(at) => {
                    state.rule = Rule::Nothing;
                    at
                }
                None => bytes.len(),
            },
            Rule::Nothing => 0,
            Rule::Bytes(0) => {
                drop(state);
                std::task::ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Rule::Bytes(left) => left.min(bytes.len()),
        };
        if allowed == 0 {
            state.held = Some(context.waker().clone());
            return Poll::Pending;
        }
        let written = std::task::ready!(Pin::new(&mut self.inner).poll_write(context, &bytes[..allowed]))?;
        state.sent_bytes += written;
        if let Rule::Bytes(left) = &mut state.rule {
            *left -= written;
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}
