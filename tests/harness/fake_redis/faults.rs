//! Random faults and their probabilities.

use fastrand::Rng;

use super::modes::Mode;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A connect is refused.
    Refuse,
    /// A connect takes a random time.
    StallConnect,
    /// The connection closes before the command is executed.
    Reset,
    /// The command is executed, and the connection closes without a reply.
    CutAfter,
    /// The command is executed, and the server sends nothing more on this connection. Further commands are executed.
    HalfClose,
    /// The command is executed after a random time, even if the client has closed by then.
    StallBefore,
    /// The command is executed, and its reply takes a random time.
    StallAfter,
    /// The reply is sent a few bytes at a time.
    Drip,
    /// A part of the reply is sent, and the connection closes.
    Truncate,
    /// The reply is not RESP, and the connection closes; the command is executed half of the time.
    Garbage,
    /// The script cache is flushed just before an EVALSHA.
    Noscript,
    /// The server is in this mode for the command.
    Mode(Mode),
    /// The server requires a login for the command.
    Noauth,
}

impl Fault {
    /// Its name in counts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::StallConnect => "stall_connect",
            Self::Reset => "reset",
            Self::CutAfter => "cut_after",
            Self::HalfClose => "half_close",
            Self::StallBefore => "stall_before",
            Self::StallAfter => "stall_after",
            Self::Drip => "drip",
            Self::Truncate => "truncate",
            Self::Garbage => "garbage",
            Self::Noscript => "noscript",
            Self::Mode(Mode::Loading) => "loading",
            Self::Mode(Mode::Readonly) => "readonly",
            Self::Mode(Mode::Oom) => "oom",
            Self::Mode(Mode::Misconf) => "misconf",
            Self::Mode(Mode::Noreplicas) => "noreplicas",
            Self::Mode(Mode::Busy) => "busy",
            Self::Noauth => "noauth",
        }
    }
}

/// The probability of each kind, from 0 to 1, for each connect or each command. At most one kind happens: the first
/// that is drawn, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the kinds of `Fault`")]
pub struct Faults {
    pub refuse: f64,
    pub stall_connect: f64,
    pub reset: f64,
    pub cut_after: f64,
    pub half_close: f64,
    pub stall_before: f64,
    pub stall_after: f64,
    pub drip: f64,
    pub truncate: f64,
    pub garbage: f64,
    pub noscript: f64,
    pub loading: f64,
    pub readonly: f64,
    pub oom: f64,
    pub misconf: f64,
    pub noauth: f64,
    /// The longest stall.
    pub stall_ms_max: u64,
}

impl Faults {
    /// Every kind, equally likely.
    #[must_use]
    pub fn all(likely: f64, stall_ms_max: u64) -> Self {
        Self {
            refuse: likely,
            stall_connect: likely,
            reset: likely,
            cut_after: likely,
            half_close: likely,
            stall_before: likely,
            stall_after: likely,
            drip: likely,
            truncate: likely,
            garbage: likely,
            noscript: likely,
            loading: likely,
            readonly: likely,
            oom: likely,
            misconf: likely,
            noauth: likely,
            stall_ms_max,
        }
    }

    fn of_connect(&self) -> [(Fault, f64); 2] {
        [(Fault::Refuse, self.refuse), (Fault::StallConnect, self.stall_connect)]
    }

    fn of_command(&self) -> [(Fault, f64); 14] {
        [
            (Fault::Reset, self.reset),
            (Fault::CutAfter, self.cut_after),
            (Fault::HalfClose, self.half_close),
            (Fault::StallBefore, self.stall_before),
            (Fault::StallAfter, self.stall_after),
            (Fault::Drip, self.drip),
            (Fault::Truncate, self.truncate),
            (Fault::Garbage, self.garbage),
            (Fault::Noscript, self.noscript),
            (Fault::Mode(Mode::Loading), self.loading),
            (Fault::Mode(Mode::Readonly), self.readonly),
            (Fault::Mode(Mode::Oom), self.oom),
            (Fault::Mode(Mode::Misconf), self.misconf),
            (Fault::Noauth, self.noauth),
        ]
    }
}

/// The fault of one connect or command, with random numbers of its own, so that its course does not change later draws.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) fault: Option<Fault>,
    pub(super) rng: Rng,
    stall_ms_max: u64,
}

impl Fate {
    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn stall(&mut self) -> std::time::Duration {
        std::time::Duration::from_millis(self.rng.u64(1..=self.stall_ms_max.max(1)))
    }
}

/// Draws faults from a seed.
#[derive(Debug)]
pub(super) struct Dice {
    pub(super) faults: Faults,
    rng: Rng,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { faults: Faults::default(), rng: Rng::with_seed(seed) }
    }

    pub(super) fn connect(&mut self) -> Fate {
        let likely = self.faults.of_connect();
        self.draw(&likely)
    }

    pub(super) fn command(&mut self) -> Fate {
        let likely = self.faults.of_command();
        self.draw(&likely)
    }

    /// The fault that a test has planned.
    pub(super) fn certain(&mut self, fault: Fault) -> Fate {
        self.draw(&[(fault, 1.0)])
    }

    /// Draws the same number of random numbers whatever the result.
    fn draw(&mut self, likely: &[(Fault, f64)]) -> Fate {
        let own = Rng::with_seed(self.rng.u64(..));
        let mut fault = None;
        for (kind, likely) in likely {
            let hit = self.rng.f64() < *likely;
            if hit && fault.is_none() {
                fault = Some(*kind);
            }
        }
        Fate { fault, rng: own, stall_ms_max: self.faults.stall_ms_max }
    }
}
