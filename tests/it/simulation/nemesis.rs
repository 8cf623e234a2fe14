//! What goes wrong in a schedule, besides the faults of single calls.

use std::time::Duration;

use fastrand::Rng;
use ticket_tests::fake_redis::{FakeRedis, Faults, Mode, Snapshot};
use tokio::time::sleep;

use super::journal::Journal;
use super::world::{Host, PASSWORD, TICKETS};

/// Breaks things for a while.
pub(super) struct Nemesis {
    pub(super) server: FakeRedis,
    pub(super) hosts: Vec<Host>,
    pub(super) rng: Rng,
    pub(super) journal: Journal,
    pub(super) old: Snapshot,
}

impl Nemesis {
    /// Causes `faults` faults, each followed by a pause.
    pub(super) async fn run(mut self, faults: u32) -> Vec<Host> {
        for _ in 0..faults {
            self.external_write().await;
            sleep(Duration::from_millis(self.rng.u64(0..1_200))).await;
        }
        self.hosts
    }

    async fn pause(&mut self, ms_max: u64) {
        sleep(Duration::from_millis(self.rng.u64(0..ms_max))).await;
    }

    fn note(&self, kind: &'static str) {
        self.journal.happened(kind);
    }

    async fn external_write(&mut self) {
        match self.rng.u32(0..23) {
            0..4 => self.faults(),
            4 | 5 => {
                self.note("kill");
                self.server.kill();
                self.pause(4_000).await;
                self.server.start();
            }
            6 | 7 => {
                self.note("freeze");
                self.server.freeze();
                self.pause(2_000).await;
                self.server.thaw();
            }
            8 => {
                self.note("restart empty");
                self.server.kill();
                self.pause(2_000).await;
                self.server.restart_empty();
            }
            9 => {
                self.note("restart stale");
                self.server.kill();
                self.pause(2_000).await;
                self.server.restart_stale(self.old.clone());
            }
            10 => {
                self.note("failover");
                self.server.failover(self.old.clone());
            }
            11 | 12 => self.old = self.server.dump(),
            13 => self.mode().await,
            14 => self.password().await,
            15 => self.server.cut_connections(),
            16 => self.wild(),
            17 => self.step_server(),
            18 => self.step_host(),
            19 | 20 => self.crash().await,
            21 => self.foreign_edit(),
            _ => {
                self.server.set_faults(Faults::default());
            }
        }
    }

    /// Single calls go wrong, with a likelihood for all kinds or for a few.
    fn faults(&mut self) {
        let likely = [0.01, 0.03, 0.1, 0.3][self.rng.usize(0..4)];
        let stall_ms_max = [200, 1_000, 5_000][self.rng.usize(0..3)];
        let mut faults = Faults::all(likely / 4.0, stall_ms_max);
        match self.rng.u32(0..6) {
            0 => faults = Faults { cut_after: likely, stall_ms_max, ..Faults::default() },
            1 => faults = Faults { stall_before: likely, stall_ms_max, ..Faults::default() },
            2 => faults = Faults { stall_after: likely, half_close: likely / 2.0, stall_ms_max, ..Faults::default() },
            3 => faults = Faults { truncate: likely, garbage: likely, drip: likely, ..Faults::default() },
            _ => {}
        }
        self.server.set_faults(faults);
    }

    async fn mode(&mut self) {
        let mode = [Mode::Loading, Mode::Readonly, Mode::Oom, Mode::Misconf, Mode::Noreplicas, Mode::Busy];
        let mode = mode[self.rng.usize(0..mode.len())];
        self.server.set_mode(mode, true);
        self.pause(3_000).await;
        self.server.set_mode(mode, false);
    }

    async fn password(&mut self) {
        self.note("password");
        self.server.set_password(Some("another"));
        self.pause(3_000).await;
        self.server.set_password(Some(PASSWORD));
    }

    /// What happens only to tickets that need not be complete in the end.
    fn wild(&mut self) {
        let id = format!("t{}", self.rng.usize(TICKETS / 2..TICKETS));
        self.journal.disturb(&id);
        let key = format!("ticket:{id}");
        if self.rng.bool() {
            self.note("expire");
            self.server.expire_now(&key);
        } else {
            self.note("flush");
            self.server.delete(&key);
        }
    }

    fn step_server(&mut self) {
        self.note("server clock step");
        self.server.step_clock(self.rng.i64(-20_000..20_000));
    }

    fn step_host(&mut self) {
        self.note("host clock step");
        let host = self.rng.usize(0..self.hosts.len());
        self.hosts[host].clock.step(self.rng.i64(-5_000..5_000));
    }

    /// A host dies with what its memory holds, and another takes its place.
    async fn crash(&mut self) {
        let host = self.rng.usize(0..self.hosts.len());
        if self.hosts[host].may_crash {
            self.note("host crash");
            self.hosts[host].crash().await;
        }
    }

    /// A plain client says something: reads all, writes all, as the old agents do.
    fn foreign_edit(&mut self) {
        let id = format!("t{}", self.rng.usize(TICKETS / 2..TICKETS));
        let key = format!("ticket:{id}");
        let Some((mut fields, deadline_ms)) = self.server.entry(&key) else { return };
        self.note("foreign edit");
        self.journal.disturb(&id);
        fields.insert("last_decision".into(), format!("{{\"foreign\": {}}}", self.rng.u32(..)));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        self.server.put(&key, &fields, deadline_ms + 1);
    }
}
