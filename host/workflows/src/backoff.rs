//! Suspends a workflow for a while after several defective runs in a row.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Defective runs in a row after which a workflow is suspended.
const DEFECTS: u32 = 3;
/// Those that are further apart do not count as in a row.
const WITHIN: Duration = Duration::from_secs(60);
/// How long it is suspended at first; twice as long after each further defective run.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct State {
    defects: u32,
    last: Option<Instant>,
    until: Option<Instant>,
}

/// How the last runs of a workflow ended.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Mutex<State>);

impl Backoff {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The defective runs in a row and the time that is left, while the workflow is suspended.
    pub(crate) fn suspended(&self) -> Option<(u32, Duration)> {
        let state = self.state();
        let left = state.until?.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some((state.defects, left))
    }

    /// Takes note of how a run ended. Returns for how long the workflow is suspended now, if it is.
    pub(crate) fn ended(&self, is_defective: bool) -> Option<Duration> {
        let (mut state, now) = (self.state(), Instant::now());
        if !is_defective {
            *state = State::default();
            return None;
        }
        let is_in_a_row = state.last.is_some_and(|last| now - last <= WITHIN + LONGEST);
        state.defects = if is_in_a_row { state.defects.saturating_add(1) } else { 1 };
        state.last = Some(now);
        let more = state.defects.checked_sub(DEFECTS)?;
        let suspension = FIRST.saturating_mul(2_u32.saturating_pow(more)).min(LONGEST);
        state.until = Some(now + suspension);
        Some(suspension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_workflow_is_suspended_after_three_defects_in_a_row() {
        let backoff = Backoff::default();
        assert_eq!((backoff.ended(true), backoff.ended(true), backoff.suspended()), (None, None, None));
        assert_eq!(backoff.ended(true), Some(S));
        assert_eq!(backoff.suspended(), Some((3, S)));
        tokio::time::advance(S).await;
        assert_eq!(backoff.suspended(), None);
        assert_eq!(backoff.ended(true), Some(S * 2));
        for _ in 0..50 {
            backoff.ended(true);
        }
        assert_eq!(backoff.suspended(), Some((54, LONGEST)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_run_or_a_long_time_begins_anew() {
        let backoff = Backoff::default();
        for between in [Duration::ZERO, Duration::from_secs(300)] {
            backoff.ended(true);
            backoff.ended(true);
            if between.is_zero() {
                backoff.ended(false);
            }
            tokio::time::advance(between).await;
            assert_eq!(backoff.ended(true), None);
            backoff.ended(false);
        }
    }
}
