//! What an operator sees: status, events, and one log line for each transition.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::outage::Outage;
use ticket_store::{Error, Misconfiguration};

/// Events that a slow receiver may lag behind.
const EVENTS_KEPT: usize = 256;

/// What happened between a store and its fallback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The primary is down, for this reason: the fallback serves. Waiting may help.
    Down(String),
    /// The primary refuses the way in which it is used: the fallback serves until someone corrects that.
    Misconfigured {
        /// What must be corrected.
        misconfiguration: Misconfiguration,
        /// The error of the primary.
        error: String,
    },
    /// The primary is up and refuses changes, for this reason: the fallback keeps them, and reads go to the primary.
    WritesRefused(String),
    /// The primary makes changes again, and has made those that it refused.
    WritesAccepted,
    /// The primary is up again.
    Up {
        /// How long it was down, in milliseconds.
        down_ms: u64,
    },
    /// The server has another data set: the acknowledged changes that it lost are written back.
    DataLost {
        /// Tickets to write back.
        tickets: u64,
    },
    /// The primary has deleted entries before their deadline, because its memory is full.
    Evicted {
        /// Entries of all its clients since the event before, or since this host connected.
        entries: u64,
        /// The policy by which they were chosen, in the words of the primary.
        policy: String,
    },
    /// Pending changes were synced.
    Synced {
        /// Tickets that were synced.
        tickets: u64,
        /// Conflict copies that were kept.
        branches: u64,
    },
}

/// The status of a fallback.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether the primary is up; if not, the fallback serves.
    pub primary_is_up: bool,
    /// Why the primary does not serve; none if it is up.
    pub outage: Option<Outage>,
    /// Why the primary refuses changes although it is up; none if it makes them, or is not up.
    pub writes_refused: Option<String>,
    /// Tickets with changes that the primary has not confirmed.
    pub pending: u64,
    /// Conflict copies kept since this process began.
    pub branched: u64,
    /// Entries, not only tickets, that the primary has deleted before their deadline because its memory was full, while
    /// this process was connected to it.
    pub evicted: u64,
    /// The last error of the primary or of the replica, if there was one.
    pub last_error: Option<String>,
    /// The last sync that did something, if there was one.
    pub last_sync: Option<SyncReport>,
}

/// One sync of pending changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// When it ended, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Tickets that were synced.
    pub tickets: u64,
    /// Conflict copies that were kept.
    pub branches: u64,
}

impl SyncReport {
    /// As it is stored for later processes.
    pub(super) fn to_text(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }

    /// From the stored text.
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

/// Takes note of transitions and tells the operator.
#[derive(Debug)]
pub(super) struct Reporter {
    state: Mutex<State>,
    events: broadcast::Sender<Event>,
    name: String,
}

#[derive(Debug)]
struct State {
    /// Since when the primary does not serve, and why.
    outage: Option<(Instant, Outage)>,
    /// Why it refuses changes, if it does.
    writes_refused: Option<String>,
    last_error: Option<String>,
    branched: u64,
    evicted: u64,
    last_sync: Option<SyncReport>,
}

impl Reporter {
    /// For the store of a name without secrets; `last_sync` was before this process.
    pub(super) fn new(name: String, last_sync: Option<SyncReport>) -> Self {
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let outage = Outage::Down { error: "it is not connected yet".into() };
        let outage = Some((Instant::now(), outage));
        let state = State { outage, writes_refused: None, last_error: None, branched: 0, evicted: 0, last_sync };
        Self { state: Mutex::new(state), events, name }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Why the primary does not serve; none if it is up.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.state().outage.as_ref().map(|(_, outage)| outage.clone())
    }

    pub(super) fn status(&self, pending: u64) -> Status {
        let state = self.state();
        let outage = state.outage.as_ref().map(|(_, outage)| outage.clone());
        Status {
            primary_is_up: outage.is_none(),
            outage,
            writes_refused: state.writes_refused.clone(),
            pending,
            branched: state.branched,
            evicted: state.evicted,
            last_error: state.last_error.clone(),
            last_sync: state.last_sync,
        }
    }

    /// A failure that did not open the breaker.
    pub(super) fn failed(&self, error: &str) {
        self.state().last_error = Some(error.to_owned());
    }

    /// The primary does not serve from now on.
    pub(super) fn down(&self, error: &Error) {
        let outage = Outage::of(error);
        {
            let mut state = self.state();
            state.last_error = Some(outage.error().to_owned());
            state.outage = Some((Instant::now(), outage.clone()));
            state.writes_refused = None;
        }
        self.report_outage(outage);
    }

    /// The primary, which does not serve, refused another connection. Reported if there is another thing to do now.
    pub(super) fn still_down(&self, error: &Error) {
        let outage = Outage::of(error);
        let is_new = {
            let mut state = self.state();
            state.last_error = Some(outage.error().to_owned());
            let (since, before) = match state.outage.take() {
                Some((since, before)) => (since, Some(before)),
                None => (Instant::now(), None),
            };
            state.outage = Some((since, outage.clone()));
            before.as_ref().and_then(Outage::misconfiguration) != outage.misconfiguration()
        };
        if is_new {
            self.report_outage(outage);
        }
    }

    fn report_outage(&self, outage: Outage) {
        match outage {
            Outage::Down { error } => {
                tracing::warn!(store = %self.name, error, "the store is down: the fallback serves");
                self.send(Event::Down(error));
            }
            Outage::Misconfigured { misconfiguration, error } => {
                let remedy = misconfiguration.remedy("the store URL");
                tracing::warn!(
                    store = %self.name,
                    error,
                    "the store {misconfiguration}: {remedy}; the fallback serves until then"
                );
                self.send(Event::Misconfigured { misconfiguration, error });
            }
        }
    }

    pub(super) fn up(&self) {
        let down = self.state().outage.take().map(|(since, _)| since.elapsed()).unwrap_or_default();
        let down_ms = u64::try_from(down.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(store = %self.name, down_ms, "the store is up");
        self.send(Event::Up { down_ms });
    }

    /// The primary, which is up, refused a change. Reported when it begins to.
    pub(super) fn writes_refused(&self, error: &Error) {
        let error = error.chain();
        let before = {
            let mut state = self.state();
            state.last_error = Some(error.clone());
            state.writes_refused.replace(error.clone())
        };
        if before.is_none() {
            tracing::warn!(store = %self.name, error, "the store refuses changes: the fallback keeps them");
            self.send(Event::WritesRefused(error));
        }
    }

    /// The primary made every change that it had refused.
    pub(super) fn writes_accepted(&self) {
        if self.state().writes_refused.take().is_some() {
            tracing::info!(store = %self.name, "the store makes changes again");
            self.send(Event::WritesAccepted);
        }
    }

    /// Whether the primary refused the last change although it is up.
    pub(super) fn refuses_writes(&self) -> bool {
        self.state().writes_refused.is_some()
    }

    pub(super) fn evicted(&self, entries: u64, policy: &str) {
        let in_all = {
            let mut state = self.state();
            state.evicted += entries;
            state.evicted
        };
        tracing::warn!(
            store = %self.name,
            entries,
            in_all,
            policy,
            "the server's memory is full and it evicts entries: tickets end before their time; set maxmemory-policy \
             noeviction"
        );
        self.send(Event::Evicted { entries, policy: policy.to_owned() });
    }

    pub(super) fn data_lost(&self, tickets: u64) {
        tracing::warn!(store = %self.name, tickets, "the server has another data set: what it lost is written back");
        self.send(Event::DataLost { tickets });
    }

    pub(super) fn branched(&self, key: &ticket_store::Key, why: &str) {
        self.state().branched += 1;
        tracing::warn!(store = %self.name, %key, why, "a state of a ticket is kept as a branch");
    }

    pub(super) fn synced(&self, report: SyncReport) {
        self.state().last_sync = Some(report);
        let SyncReport { tickets, branches, .. } = report;
        tracing::info!(store = %self.name, tickets, branches, "pending changes are synced");
        self.send(Event::Synced { tickets, branches });
    }

    fn send(&self, event: Event) {
        // There may be no receiver.
        let _ = self.events.send(event);
    }
}
