//! When the next attempt to connect may begin: soon at first, then with growing pauses. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The pause after the first failed attempt; it doubles with each.
const PAUSE_MS_MIN: u64 = 50;
/// The longest pause, and so the longest wait of a server that has recovered.
const PAUSE_MS_MAX: u64 = 1_000;
/// Most attempts within [`WINDOW`]: two a second.
const ATTEMPTS_MAX: usize = 20;
const WINDOW: Duration = Duration::from_secs(10);
/// A connection that lasted so long is healthy: after it pauses start again from the shortest.
const HEALTHY: Duration = Duration::from_secs(5);

/// The times of the last attempts.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    attempts: VecDeque<Instant>,
    failures: u32,
    up_since: Option<Instant>,
}

impl Pacer {
    /// When an attempt may begin, `now` or later.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let Some(&last) = self.attempts.back() else { return now };
        let pause_ms = match self.failures {
            0 => 0,
            failures => {
                let pause_ms = PAUSE_MS_MIN.saturating_mul(1 << (failures - 1).min(16)).min(PAUSE_MS_MAX);
                fastrand::u64(pause_ms / 2..=pause_ms)
            }
        };
        let paused = last + Duration::from_millis(pause_ms);
        let in_window = match self.attempts.len().checked_sub(ATTEMPTS_MAX).and_then(|at| self.attempts.get(at)) {
            Some(&oldest) => oldest + WINDOW + Duration::from_millis(1),
            None => now,
        };
        now.max(paused).max(in_window)
    }

    /// An attempt begins.
    pub(super) fn began(&mut self, now: Instant) {
        if self.up_since.take().is_some_and(|since| now.duration_since(since) >= HEALTHY) {
            self.failures = 0;
        }
        self.attempts.push_back(now);
        if self.attempts.len() > ATTEMPTS_MAX {
            self.attempts.pop_front();
        }
        // A connection that does not last counts as a failure.
        self.failures += 1;
    }

    /// The last attempt led to a connection.
    pub(super) fn succeeded(&mut self, now: Instant) {
        self.up_since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_slow_down_to_at_most_two_a_second() {
        let mut pacer = Pacer::default();
        let mut attempts = Vec::new();
        for _ in 0..200 {
            let next = pacer.next(Instant::now());
            tokio::time::sleep_until(next).await;
            let now = Instant::now();
            pacer.began(now);
            attempts.push(now);
            if fastrand::bool() {
                pacer.succeeded(now);
            }
        }
        assert!(attempts[4] - attempts[0] < Duration::from_secs(1));
        for (earlier, later) in attempts.iter().zip(attempts.iter().skip(ATTEMPTS_MAX)) {
            assert!(*later - *earlier > WINDOW);
        }
        let longest = attempts.windows(2).map(|pair| pair[1] - pair[0]).skip(ATTEMPTS_MAX).max();
        assert!(longest <= Some(Duration::from_millis(PAUSE_MS_MAX + 500)), "{longest:?}");
    }
}
