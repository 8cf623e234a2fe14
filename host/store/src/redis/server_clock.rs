//! The server's clock, as this process follows it between two answers.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// The server's time, advanced by the local monotonic clock: a step in the wall time of either side moves no deadline
/// unnoticed.
#[derive(Debug)]
pub(super) struct ServerClock(Mutex<Sample>);

/// What the server's clock showed at one time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    server_ms: u64,
}

impl ServerClock {
    /// A clock whose server showed `server_ms` between `sent_at` and now.
    pub(super) fn sampled(sent_at: Instant, server_ms: u64) -> Self {
        Self(Mutex::new(Sample::between(sent_at, Instant::now(), server_ms)))
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).at_instant(Instant::now())
    }

    /// Takes a new sample if the old one no longer explains what the server showed between `sent_at` and now:
    /// clocks drift apart by seconds a week, and a server's clock may be set.
    pub(super) fn observe(&self, sent_at: Instant, server_ms: u64) {
        let now = Instant::now();
        let mut sample = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (earliest, latest) = (sample.at_instant(sent_at), sample.at_instant(now));
        // One millisecond for each rounding.
        if server_ms.saturating_add(1) < earliest || server_ms > latest.saturating_add(1) {
            *sample = Sample::between(sent_at, now, server_ms);
        }
    }
}

impl Sample {
    fn between(sent_at: Instant, received: Instant, server_ms: u64) -> Self {
        Self { at: sent_at + (received - sent_at) / 2, server_ms }
    }

    fn at_instant(self, instant: Instant) -> u64 {
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match instant.checked_duration_since(self.at) {
            Some(since) => self.server_ms.saturating_add(ms(since)),
            None => self.server_ms.saturating_sub(ms(self.at - instant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_server_clock_advances_and_follows_a_step() {
        let clock = ServerClock::sampled(Instant::now(), 5_000);
        tokio::time::advance(Duration::from_millis(70)).await;
        assert_eq!(clock.now_ms(), 5_070);
        let sent_at = Instant::now();
        tokio::time::advance(Duration::from_millis(10)).await;
        clock.observe(sent_at, 5_071);
        assert_eq!(clock.now_ms(), 5_080, "an answer that the sample explains changes nothing");
        clock.observe(sent_at, 9_000);
        assert_eq!(clock.now_ms(), 9_005);
    }
}
