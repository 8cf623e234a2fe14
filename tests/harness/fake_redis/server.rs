//! The state of the simulated server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fastrand::Rng;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::commands::Cache;
use super::data::Snapshot;
use super::faults::{Dice, Fate, Fault};
use super::modes::Mode;

/// The state behind the lock of the handle.
#[derive(Debug)]
pub(super) struct Server {
    origin_ms: u64,
    started: Instant,
    stepped_ms: i64,
    pub(super) data: Snapshot,
    pub(super) scripts: Cache,
    pub(super) modes: BTreeSet<Mode>,
    pub(super) password: Option<String>,
    pub(super) forbids_transactions: bool,
    pub(super) is_up: bool,
    pub(super) is_frozen: bool,
    /// The tasks of the connections, by number.
    pub(super) connections: BTreeMap<u64, AbortHandle>,
    pub(super) connections_made: u64,
    pub(super) dice: Dice,
    /// The faults of the next runs of scripts.
    pub(super) planned: VecDeque<Fault>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) attempts: Vec<Instant>,
    ids: Rng,
    pub(super) run_id: String,
    pub(super) replid: String,
}

impl Server {
    pub(super) fn new(now_ms: u64, seed: u64) -> Self {
        let mut server = Self {
            origin_ms: now_ms,
            started: Instant::now(),
            stepped_ms: 0,
            data: Snapshot::default(),
            scripts: Cache::new(),
            modes: BTreeSet::new(),
            password: None,
            forbids_transactions: false,
            is_up: true,
            is_frozen: false,
            connections: BTreeMap::new(),
            connections_made: 0,
            dice: Dice::new(seed),
            planned: VecDeque::new(),
            counts: BTreeMap::new(),
            attempts: Vec::new(),
            // Separate, so that restarts do not change the random faults.
            ids: Rng::with_seed(!seed),
            run_id: String::new(),
            replid: String::new(),
        };
        server.renew_ids();
        server
    }

    pub(super) fn now_us(&self) -> u64 {
        let elapsed_us = u64::try_from(self.started.elapsed().as_micros()).expect("a short test");
        (self.origin_ms * 1_000 + elapsed_us).saturating_add_signed(self.stepped_ms * 1_000)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_us() / 1_000
    }

    pub(super) fn step_clock(&mut self, delta_ms: i64) {
        self.stepped_ms += delta_ms;
    }

    /// The data without expired keys.
    pub(super) fn current(&mut self) -> &mut Snapshot {
        let now_ms = self.now_ms();
        self.data.expire(now_ms);
        &mut self.data
    }

    pub(super) fn renew_ids(&mut self) {
        let mut name = || (0..40).map(|_| char::from(b"0123456789abcdef"[self.ids.usize(..16)])).collect();
        (self.run_id, self.replid) = (name(), name());
    }

    pub(super) fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    /// Draws the fault of the next command, queued or not. Faults that depend on the command are counted later. Of a
    /// transaction, `EXEC` is what runs a script.
    pub(super) fn draw(&mut self, name: &[u8], is_queued: bool) -> Fate {
        let is_exec = name.eq_ignore_ascii_case(b"exec");
        let is_named = is_exec || name.eq_ignore_ascii_case(b"evalsha");
        let is_script = !is_queued && (is_named || name.eq_ignore_ascii_case(b"eval"));
        let mut fate = match self.planned.pop_front_if(|_| is_script) {
            Some(fault) => self.dice.certain(fault),
            None => self.dice.command(),
        };
        match fate.fault {
            Some(Fault::Noscript) if !is_named => fate.fault = None,
            None | Some(Fault::Mode(_) | Fault::Noauth) => {}
            Some(fault) => self.count(fault.name()),
        }
        fate
    }
}
