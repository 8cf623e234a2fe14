//! One promise, where it stands, and its check.

use std::fmt;
use std::pin::Pin;

use super::engine_promises::ENGINE_PROMISES;
use super::fixture::Fixture;

/// A check of a promise over an empty store; it panics where the promise is broken.
pub type Check = fn(Fixture) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A promise and its check.
#[derive(Clone, Copy)]
pub struct Promise {
    /// The name of its check: `p07_…` is P7 of a store, `e03_…` is E3 of the engine over it.
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
    /// Its number as it stands in the contracts: `P7`, `E3`.
    #[must_use]
    pub fn number(&self) -> String {
        let mut characters = self.name.chars();
        let letter = characters.next().unwrap_or_default().to_ascii_uppercase();
        let digits: String = characters.take_while(char::is_ascii_digit).collect();
        format!("{letter}{}", digits.trim_start_matches('0'))
    }

    /// What it says; empty where no contract has its number.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        let number = self.number();
        sentences().find(|(promised, _)| *promised == number).map_or("", |(_, sentence)| sentence)
    }

    /// Why it cannot be checked where no hand reaches the entries behind the store's back; none where it can.
    #[must_use]
    pub fn needs_raw_client(&self) -> Option<&'static str> {
        let only_by_others = matches!(self.number().as_str(), "P18" | "E24");
        only_by_others.then_some("what it speaks of can only be made by other programs, and none reaches the entries")
    }
}

/// All promises, number and sentence: those of a store ([`ticket_store::PROMISES`]), then those of the engine over it.
pub fn sentences() -> impl Iterator<Item = (&'static str, &'static str)> {
    ticket_store::PROMISES.iter().chain(ENGINE_PROMISES).copied()
}

/// Makes `promises()` of the checks in a module.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        /// The promises that this module checks.
        pub(super) fn promises() -> Vec<$crate::Promise> {
            vec![$($crate::Promise {
                name: stringify!($name),
                check: |fixture| Box::pin($name(fixture)),
            }),*]
        }
    };
}
pub(super) use promises;
