//! How many entries a server has evicted since a connection was opened.

use std::sync::{Mutex, PoisonError};

/// Counts evictions from the server's counter, which starts again from 0 when its statistics are reset.
#[derive(Default)]
pub(super) struct EvictionCounter(Mutex<Readings>);

#[derive(Default)]
struct Readings {
    /// The server's counter, when it was read last.
    last: Option<u64>,
    /// Evictions since the first reading.
    total: u64,
}

impl EvictionCounter {
    /// Takes note of the server's counter; evictions since the first time.
    pub(super) fn observe(&self, counter: u64) -> u64 {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.total += match readings.last.replace(counter) {
            None => 0,
            Some(last) => counter.checked_sub(last).unwrap_or(counter),
        };
        readings.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evictions_count_from_the_first_reading_and_over_a_reset() {
        let counter = EvictionCounter::default();
        assert_eq!([100, 130, 5, 5].map(|count| counter.observe(count)), [0, 30, 35, 35], "reset after the second");
    }
}
