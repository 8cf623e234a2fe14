//! The checks, by topic.

use crate::promise::Promise;

mod cancellation;
mod conditions;
mod content;
mod deadlines;
mod engine;
mod listing;
mod refusals;
pub mod steps;
pub(crate) mod workflows;

/// All promises in order: those of a store, of the engine over it, and of the host of workflows over both.
#[must_use]
pub fn promises() -> Vec<Promise> {
    let mut of_store = [
        content::promises(),
        conditions::promises(),
        deadlines::promises(),
        listing::promises(),
        refusals::promises(),
        cancellation::promises(),
    ]
    .concat();
    of_store.sort_by_key(|promise| promise.name);
    [of_store, engine::promises(), workflows::promises()].concat()
}

#[cfg(test)]
mod tests {
    use super::promises;
    use crate::promise::sentences;

    #[test]
    fn promises_and_checks_match_one_to_one() {
        let documented: Vec<&str> = sentences().map(|(number, _)| number).collect();
        let checked: Vec<String> = promises().iter().map(super::Promise::number).collect();
        assert_eq!(checked, documented);
        assert!(documented.len() > 40, "{documented:?}");
    }
}
