//! What the agents were told: what each host acknowledged, and what may have removed it since.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// An agent was not told whether its change was made, which must be rare.
pub(super) const UNCERTAIN: &str = "uncertain answer";

/// One schedule's journal; a clone is another handle to it.
#[derive(Clone, Default)]
pub(super) struct Journal(Rc<RefCell<Kept>>);

#[derive(Default)]
struct Kept {
    acknowledged: Vec<Acknowledged>,
    /// Tickets that an agent tried to close, roll back or make anew, or that expired.
    disturbed: BTreeSet<String>,
    happened: BTreeMap<&'static str, u64>,
    calls: u64,
    served_here: u64,
    wrongs: Vec<String>,
}

/// A message whose `say` was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) ticket: String,
    pub(super) message: String,
    /// Which host acknowledged it, and in which of its incarnations.
    pub(super) host: (usize, u32),
}

impl Journal {
    pub(super) fn acknowledge(&self, ticket: &str, message: &str, host: (usize, u32)) {
        tracing::debug!(ticket, message, ?host, "acknowledged");
        let acknowledged = Acknowledged { ticket: ticket.into(), message: message.into(), host };
        self.0.borrow_mut().acknowledged.push(acknowledged);
    }

    pub(super) fn disturb(&self, ticket: &str) {
        self.0.borrow_mut().disturbed.insert(ticket.into());
    }

    pub(super) fn is_disturbed(&self, ticket: &str) -> bool {
        self.0.borrow().disturbed.contains(ticket)
    }

    pub(super) fn happened(&self, kind: &'static str) {
        tracing::debug!(kind, "happened");
        *self.0.borrow_mut().happened.entry(kind).or_default() += 1;
    }

    pub(super) fn called(&self, served_here: bool) {
        let mut kept = self.0.borrow_mut();
        kept.calls += 1;
        kept.served_here += u64::from(served_here);
    }

    /// Notes what must not have been.
    pub(super) fn wrong(&self, what: String) {
        self.0.borrow_mut().wrongs.push(what);
    }

    pub(super) fn wrongs(&self) -> Vec<String> {
        self.0.borrow().wrongs.clone()
    }

    pub(super) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.0.borrow().acknowledged.clone()
    }

    /// How often each thing happened, calls, and calls that the fallback served.
    pub(super) fn sums(&self) -> (BTreeMap<&'static str, u64>, u64, u64) {
        let kept = self.0.borrow();
        (kept.happened.clone(), kept.calls, kept.served_here)
    }
}
