//! The breaker: whether calls go to the primary. Pure: time and outcomes come in as arguments.
//!
//! | state | event | next |
//! |---|---|---|
//! | closed | a call succeeds, fails because of its data alone, or is a change and only changes are refused | closed |
//! | closed | the connection is refused or lost | open |
//! | closed | the third failure in a row | open |
//! | closed | half of at least ten calls within two seconds failed | open |
//! | closed | an outcome of an earlier connection | closed |
//! | open | any outcome of a call | open |
//! | open | a new connection is ready | closed |

use std::collections::VecDeque;

use ticket_store::Cause;

/// Failures in a row that open it: one or two may be chance.
const FAILURES_MAX: u32 = 3;
/// How far back calls count for the share of failures, in milliseconds.
const WINDOW_MS: u64 = 2_000;
/// Fewest calls that a share of failures is computed from.
const WINDOW_CALLS_MIN: usize = 10;
/// Most calls that are remembered: more would not change the share much.
const WINDOW_CALLS_MAX: usize = 1_000;

/// Whether calls go to the primary.
#[derive(Debug)]
pub(super) struct Breaker {
    open: bool,
    /// The number of the connection. A late outcome of an earlier one is recognized by it.
    link: u64,
    failures_in_a_row: u32,
    /// The calls of the window: when they ended, and whether they failed.
    window: VecDeque<(u64, bool)>,
    failed: usize,
}

impl Breaker {
    /// Open: there is no connection yet.
    pub(super) fn new() -> Self {
        Self { open: true, link: 0, failures_in_a_row: 0, window: VecDeque::new(), failed: 0 }
    }

    /// The number of the connection that calls may use; none while the breaker is open.
    pub(super) fn link(&self) -> Option<u64> {
        (!self.open).then_some(self.link)
    }

    /// A new connection is ready.
    pub(super) fn close(&mut self) {
        *self = Self { open: false, link: self.link + 1, ..Self::new() };
    }

    /// Notes how a call over a connection ended, without `failure` if it succeeded; whether this opens the breaker.
    pub(super) fn note(&mut self, link: u64, failure: Option<Cause>, now_ms: u64) -> bool {
        if self.open || link != self.link {
            return false;
        }
        let failed = match failure {
            None | Some(Cause::Data | Cause::Unwritable) => false,
            Some(Cause::Link | Cause::Reconnect) => {
                self.open = true;
                return true;
            }
            Some(Cause::Time | Cause::Refused) => true,
        };
        self.failures_in_a_row = if failed { self.failures_in_a_row + 1 } else { 0 };
        self.remember(failed, now_ms);
        let half_failed = self.window.len() >= WINDOW_CALLS_MIN && 2 * self.failed >= self.window.len();
        self.open = self.failures_in_a_row >= FAILURES_MAX || half_failed;
        self.open
    }

    fn remember(&mut self, failed: bool, now_ms: u64) {
        self.window.push_back((now_ms, failed));
        self.failed += usize::from(failed);
        while let Some(&(at_ms, failed)) = self.window.front()
            && (at_ms.saturating_add(WINDOW_MS) < now_ms || self.window.len() > WINDOW_CALLS_MAX)
        {
            self.window.pop_front();
            self.failed -= usize::from(failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> Breaker {
        let mut breaker = Breaker::new();
        breaker.close();
        breaker
    }

    #[test]
    fn it_starts_open_and_closes_for_each_new_connection() {
        let mut breaker = Breaker::new();
        assert_eq!(breaker.link(), None);
        breaker.close();
        assert_eq!(breaker.link(), Some(1));
        assert!(breaker.note(1, Some(Cause::Link), 0));
        assert_eq!(breaker.link(), None);
        breaker.close();
        assert_eq!(breaker.link(), Some(2));
        assert!(!breaker.note(1, Some(Cause::Link), 0), "a late outcome of the earlier connection");
        assert_eq!(breaker.link(), Some(2));
    }

    #[test]
    fn three_failures_in_a_row_open_it() {
        let mut breaker = closed();
        for failure in [Some(Cause::Time), Some(Cause::Refused), None, Some(Cause::Time), Some(Cause::Time)] {
            assert!(!breaker.note(1, failure, 0));
        }
        assert!(breaker.note(1, Some(Cause::Refused), 0));
        assert!(!breaker.note(1, Some(Cause::Refused), 0), "it is open already");
    }

    #[test]
    fn half_of_ten_calls_within_two_seconds_open_it() {
        let mut breaker = closed();
        for call in 0..9 {
            let failure = (call % 2 == 1).then_some(Cause::Time);
            assert!(!breaker.note(1, failure, call * 10));
        }
        assert!(breaker.note(1, Some(Cause::Time), 100));

        let mut slow = closed();
        for call in 0..100 {
            let failure = (call % 2 == 1).then_some(Cause::Time);
            assert!(!slow.note(1, failure, call * 250), "never ten within two seconds");
        }
    }

    #[test]
    fn failures_by_data_do_not_open_it() {
        let mut breaker = closed();
        assert!((0..100).all(|call| !breaker.note(1, Some(Cause::Data), call)));
    }

    #[test]
    fn refused_writes_do_not_open_it() {
        let mut breaker = closed();
        assert!((0..100).all(|call| !breaker.note(1, Some(Cause::Unwritable), call)));
    }

    #[test]
    fn the_window_is_bounded_and_forgets() {
        let mut breaker = closed();
        for call in 0..5_000 {
            breaker.note(1, None, call % 3);
        }
        assert!(breaker.window.len() <= WINDOW_CALLS_MAX);
        breaker.note(1, None, 10_000);
        assert_eq!(breaker.window.len(), 1);
    }
}
