//! Whether the primary evicts entries: tickets that end before their deadline without a trace on this host.

use std::time::Duration;

use tokio::time::Instant;

use super::link::PrimaryLink;

/// How often the primary is asked: a usual eviction goes on for longer, and the question costs a round trip.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// What the supervisor knows of evictions.
#[derive(Debug)]
pub(super) struct EvictionWatch {
    asked_at: Instant,
    /// The connection on which so many were reported.
    link: u64,
    reported: u64,
}

impl EvictionWatch {
    pub(super) fn new() -> Self {
        Self { asked_at: Instant::now(), link: 0, reported: 0 }
    }

    /// When the primary is asked next.
    pub(super) fn due(&self) -> Instant {
        self.asked_at + ASK_EVERY
    }

    /// Asks the primary and reports what is new. No answer means nothing: the ping finds out whether the primary is up.
    pub(super) async fn ask(&mut self, link: &PrimaryLink) {
        self.asked_at = Instant::now();
        let Some(number) = link.number() else { return };
        match link.primary.evictions(Instant::now() + link.call_time).await {
            Ok(Some(evictions)) => {
                let entries = self.count_new(number, evictions.entries);
                if entries > 0 {
                    link.reporter.evicted(entries, &evictions.policy);
                }
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(error = %error.chain(), "the primary does not tell its evictions"),
        }
    }

    /// How many of the evictions on a connection are not reported yet.
    fn count_new(&mut self, link: u64, entries: u64) -> u64 {
        let reported = if link == self.link { self.reported } else { 0 };
        (self.link, self.reported) = (link, entries);
        entries.saturating_sub(reported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_eviction_is_reported_once_on_each_connection() {
        let mut watch = EvictionWatch::new();
        assert_eq!(watch.due() - Instant::now(), ASK_EVERY);
        assert_eq!(
            [(1, 0), (1, 5), (1, 5), (1, 7)].map(|(link, entries)| watch.count_new(link, entries)),
            [0, 5, 0, 2]
        );
        assert_eq!([(2, 3), (2, 3), (3, 0)].map(|(link, entries)| watch.count_new(link, entries)), [3, 0, 0]);
    }
}
