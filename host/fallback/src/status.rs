//! What an operator sees of a fallback: its state, its events, and one log line for each transition.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::time::Instant;

/// Events that a slow listener may lag behind.
const EVENTS_KEPT: usize = 256;

/// What happened between a store and its fallback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The store is away: from now on the fallback serves. Why.
    Down(String),
    /// The store is back after so many milliseconds.
    Up {
        /// How long it was away.
        down_ms: u64,
    },
    /// The server lost data: so many acknowledged changes are written back.
    DataLost {
        /// Tickets to write back.
        tickets: u64,
    },
    /// What was unsaved has been brought to the store.
    Synced {
        /// Tickets that the store has now.
        tickets: u64,
        /// States that were kept aside.
        branches: u64,
    },
}

/// How a fallback is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether the store serves; else the fallback does.
    pub primary_is_up: bool,
    /// Tickets that the store has not been told of.
    pub pending: u64,
    /// States kept aside since this process began.
    pub branched: u64,
    /// The last error of the store; none so far.
    pub last_error: Option<String>,
    /// What the last reconciliation brought to the store; none so far.
    pub last_sync: Option<SyncReport>,
}

/// One reconciliation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// When it ended, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Tickets that were brought to the store.
    pub tickets: u64,
    /// States that were kept aside.
    pub branches: u64,
}

impl SyncReport {
    /// As it is noted for later processes.
    pub(super) fn to_text(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }

    /// One that was noted.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// For people.
    pub(super) fn describe(self, now_ms: u64) -> String {
        let Self { at_ms, tickets, branches } = self;
        let count = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let ago_s = now_ms.saturating_sub(at_ms) / 1_000;
        format!("{}, {}, {ago_s} s ago", count(tickets, "ticket", "tickets"), count(branches, "branch", "branches"))
    }
}

/// The board on which transitions are written.
#[derive(Debug)]
pub(super) struct Reporter {
    state: Mutex<State>,
    events: broadcast::Sender<Event>,
    name: String,
}

#[derive(Debug)]
struct State {
    down_since: Option<Instant>,
    last_error: Option<String>,
    branched: u64,
    last_sync: Option<SyncReport>,
}

impl Reporter {
    /// For the store of a name without secrets; `last` is what was reconciled before this process.
    pub(super) fn new(name: String, last: Option<SyncReport>) -> Self {
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let state = State { down_since: Some(Instant::now()), last_error: None, branched: 0, last_sync: last };
        Self { state: Mutex::new(state), events, name }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.state().last_error.clone()
    }

    pub(super) fn status(&self, primary_is_up: bool, pending: u64) -> Status {
        let state = self.state();
        Status {
            primary_is_up,
            pending,
            branched: state.branched,
            last_error: state.last_error.clone(),
            last_sync: state.last_sync,
        }
    }

    /// An error of a call that opened nothing.
    pub(super) fn failed(&self, error: &str) {
        self.state().last_error = Some(error.to_owned());
    }

    pub(super) fn down(&self, error: &str) {
        {
            let mut state = self.state();
            state.last_error = Some(error.to_owned());
            state.down_since = Some(Instant::now());
        }
        tracing::warn!(store = %self.name, error, "the store is away: the fallback serves");
        self.tell(Event::Down(error.to_owned()));
    }

    pub(super) fn up(&self) {
        let down = self.state().down_since.take().map(|since| since.elapsed()).unwrap_or_default();
        let down_ms = u64::try_from(down.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(store = %self.name, down_ms, "the store serves");
        self.tell(Event::Up { down_ms });
    }

    pub(super) fn data_lost(&self, tickets: u64) {
        tracing::warn!(store = %self.name, tickets, "the server has another data set: what it lost is written back");
        self.tell(Event::DataLost { tickets });
    }

    pub(super) fn branched(&self, key: &ticket_store::Key, why: &str) {
        self.state().branched += 1;
        tracing::warn!(store = %self.name, %key, why, "a state of a ticket is kept aside as a branch");
    }

    pub(super) fn synced(&self, report: SyncReport) {
        self.state().last_sync = Some(report);
        let SyncReport { tickets, branches, .. } = report;
        tracing::info!(store = %self.name, tickets, branches, "what was unsaved is brought to the store");
        self.tell(Event::Synced { tickets, branches });
    }

    fn tell(&self, event: Event) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}
