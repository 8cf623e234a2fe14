//! What a scenario has happen between engine and store in the course of one operation.

use super::scenario::{StoreCall, StoreError};
use super::scenario_host::ExternalWrite;

/// What waits for calls of the store; each happens once, at the first call that it waits for.
#[derive(Clone, Debug, Default)]
pub struct Interruptions(Vec<(StoreCall, Waiting)>);

#[derive(Clone, Debug)]
enum Waiting {
    ExternalWrites(ExternalWrite),
    Fault(Fault),
}

/// A call of the store that ends with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is answered.
    pub error: StoreError,
    /// Whether the call is made all the same.
    pub made: bool,
}

/// What happens at one call of the store.
#[derive(Clone, Debug, Default)]
pub struct Interruption {
    /// What foreign programs do just before it, in this order.
    pub deeds: Vec<ExternalWrite>,
    /// How it ends, where it fails.
    pub fault: Option<Fault>,
}

impl Interruptions {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has a foreign program come first.
    pub(super) fn add_external_write(&mut self, before: StoreCall, external_write: ExternalWrite) {
        self.0.push((before, Waiting::ExternalWrites(external_write)));
    }

    /// Has the call fail.
    pub(super) fn add_fault(&mut self, of: StoreCall, fault: Fault) {
        self.0.push((of, Waiting::Fault(fault)));
    }

    /// What happens at this call: all deeds that wait for it, and the first fault.
    pub fn take(&mut self, call: StoreCall) -> Interruption {
        let mut taken = Interruption::default();
        self.0.retain(|(of, waiting)| match waiting {
            Waiting::ExternalWrites(external_write) if *of == call => {
                taken.deeds.push(external_write.clone());
                false
            }
            Waiting::Fault(fault) if *of == call && taken.fault.is_none() => {
                taken.fault = Some(*fault);
                false
            }
            Waiting::ExternalWrites(_) | Waiting::Fault(_) => true,
        });
        taken
    }
}
