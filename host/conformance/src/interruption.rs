//! What a scenario lets happen between engine and store during one operation.

use crate::external_write::ExternalWrite;
use crate::scenario::{StoreCall, StoreError};

/// Interruptions that are due at calls of the store; each happens once, at the first such call.
#[derive(Clone, Debug, Default)]
pub struct Interruptions(Vec<(StoreCall, Due)>);

#[derive(Clone, Debug)]
enum Due {
    ExternalWrite(ExternalWrite),
    Fault(Fault),
}

/// A call of the store that ends with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is answered.
    pub error: StoreError,
    /// Whether the call is executed nevertheless, and only its answer is lost.
    pub made: bool,
}

/// What happens at one call of the store.
#[derive(Clone, Debug, Default)]
pub struct Interruption {
    /// What other clients write just before the call, in this order.
    pub external_writes: Vec<ExternalWrite>,
    /// How the call fails, if it does.
    pub fault: Option<Fault>,
}

impl Interruptions {
    /// Whether nothing is due.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Another client writes before the next such call.
    pub(super) fn add_external_write(&mut self, before: StoreCall, write: ExternalWrite) {
        self.0.push((before, Due::ExternalWrite(write)));
    }

    /// The next such call fails.
    pub(super) fn add_fault(&mut self, of: StoreCall, fault: Fault) {
        self.0.push((of, Due::Fault(fault)));
    }

    /// Takes what happens at this call: all external writes that are due at it, and the first fault.
    pub fn take(&mut self, call: StoreCall) -> Interruption {
        let mut taken = Interruption::default();
        self.0.retain(|(of, due)| match due {
            Due::ExternalWrite(write) if *of == call => {
                taken.external_writes.push(write.clone());
                false
            }
            Due::Fault(fault) if *of == call && taken.fault.is_none() => {
                taken.fault = Some(*fault);
                false
            }
            Due::ExternalWrite(_) | Due::Fault(_) => true,
        });
        taken
    }
}
