//! The checks, by what they are about.

use super::promise::Promise;

mod conditions;
mod content;
mod deadlines;
mod engine;
mod leaving;
mod listing;
mod refusals;
pub mod steps;

/// All promises, in the order of the contracts: those of a store, then those of the engine over it.
#[must_use]
pub fn promises() -> Vec<Promise> {
    let mut of_store = [
        content::promises(),
        conditions::promises(),
        deadlines::promises(),
        listing::promises(),
        refusals::promises(),
        leaving::promises(),
    ]
    .concat();
    of_store.sort_by_key(|promise| promise.name);
    [of_store, engine::promises()].concat()
}

#[cfg(test)]
mod tests {
    use super::promises;
    use crate::promise::sentences;

    #[test]
    fn every_promise_has_one_check_and_every_check_a_promise() {
        let promised: Vec<&str> = sentences().map(|(number, _)| number).collect();
        let checked: Vec<String> = promises().iter().map(super::Promise::number).collect();
        assert_eq!(checked, promised);
        assert!(promised.len() > 40, "{promised:?}");
    }
}
