//! One promise and its test.

use std::pin::Pin;

use ticket_tests::{Fixture, StoreKind};

/// A test of a promise over an empty store; it panics where the promise is broken.
pub(crate) type Check = fn(Fixture) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A promise, by the name of its test: `p07_…` is P7 of `host/src/store.rs`, `e03_…` is E3 of `engine.rs`.
#[derive(Clone, Copy)]
pub(crate) struct Promise {
    pub(crate) name: &'static str,
    pub(crate) check: Check,
}

impl Promise {
    /// Its number as it stands in the table: `P7`, `E3`.
    pub(crate) fn number(&self) -> String {
        let (letter, rest) = self.name.split_at(1);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        format!("{}{}", letter.to_uppercase(), digits.parse::<u32>().expect("the number of a promise"))
    }

    /// Why it says nothing about a store of this kind.
    pub(crate) fn exemption(&self, kind: StoreKind) -> Option<&'static str> {
        const UNREACHABLE: &str = "no foreign hand reaches the memory of a process";
        match (self.number().as_str(), kind) {
            ("P18" | "E24", StoreKind::Memory | StoreKind::Down | StoreKind::Flapping) => Some(UNREACHABLE),
            _ => None,
        }
    }
}

/// Makes `promises()` of the tests in a module.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        /// The promises that this module tests.
        pub(crate) fn promises() -> Vec<$crate::promise::Promise> {
            vec![$($crate::promise::Promise {
                name: stringify!($name),
                check: |fixture| Box::pin($name(fixture)),
            }),*]
        }
    };
}
pub(crate) use promises;
