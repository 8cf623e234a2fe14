//! One promise and its check.

use std::fmt;
use std::pin::Pin;

use crate::engine_promises::ENGINE_PROMISES;
use crate::fixture::Fixture;
use crate::workflow_promises::WORKFLOW_PROMISES;

/// A check of a promise on an empty store; it panics if the promise is broken.
pub type Check = fn(Fixture) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A promise and its check.
#[derive(Clone, Copy)]
pub struct Promise {
    /// The name of its check: `p07_…` is P7 of a store, `e03_…` is E3 of the engine over it, `w1_…` is W1 of
    /// the host of workflows.
    pub name: &'static str,
    /// Its check.
    pub check: Check,
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Promise {
    /// Its number: `P7`, `E3`.
    #[must_use]
    pub fn number(&self) -> String {
        let mut characters = self.name.chars();
        let letter = characters.next().unwrap_or_default().to_ascii_uppercase();
        let digits: String = characters.take_while(char::is_ascii_digit).collect();
        format!("{letter}{}", digits.trim_start_matches('0'))
    }

    /// Its sentence; empty if no promise has its number.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        let number = self.number();
        sentences().find(|(known, _)| *known == number).map_or("", |(_, sentence)| sentence)
    }

    /// Why it cannot be checked without a raw client; `None` if it can.
    #[must_use]
    pub fn needs_raw_client(&self) -> Option<&'static str> {
        let needs = matches!(self.number().as_str(), "P18" | "E24");
        needs.then_some("only an external write can test it, and the backend has no raw client")
    }
}

/// All promises, number and sentence: those of a store ([`ticket_store::PROMISES`]), then those of the engine over it, then those of workflows.
pub fn sentences() -> impl Iterator<Item = (&'static str, &'static str)> {
    ticket_store::PROMISES.iter().chain(ENGINE_PROMISES).chain(WORKFLOW_PROMISES).copied()
}

/// Makes the function `promises()` from the checks of a module.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        /// The promises that this module checks.
        pub(super) fn promises() -> Vec<$crate::Promise> {
            vec![$($crate::promise::Promise {
                name: stringify!($name),
                check: |fixture| Box::pin($name(fixture)),
            }),*]
        }
    };
}
pub(super) use promises;
