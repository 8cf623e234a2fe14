//! How a write chooses its deadline, which also identifies the write.

/// The jitter is at most the TTL divided by this.
const JITTER_DIVISOR: u64 = 2_000;
/// Most that a deadline goes past the one after the previous.
const STEP_MS_MAX: u64 = 63;
/// How far such steps may lead past the full TTL: the `TTL` command rounds to seconds and must not show one more.
const AHEAD_MS_MAX: u64 = 250;
/// How far a previous deadline may be ahead and still count as one of the same TTL.
///
/// More than hosts of one TTL differ by (jitter and the error of a measured clock offset), and far more
/// than the writes of one ticket within a millisecond.
const SAME_TTL_SLACK_MS: u64 = 1_000;

/// The deadline of a write at `now_ms`: its TTL from now less a jitter, or just past the previous deadline if
/// that was of the same TTL.
///
/// The jitter is random, so that two hosts rarely choose the same. Deadlines of one entry rise with every write of
/// one TTL. A previous deadline that only a longer TTL explains is not kept: the last writer's TTL counts.
#[must_use]
pub fn choose(now_ms: u64, ttl_ms: u64, previous_ms: u64) -> u64 {
    let full_ms = now_ms.saturating_add(ttl_ms);
    let wanted_ms = full_ms - fastrand::u64(0..=jitter_ms_max(ttl_ms));
    if previous_ms < wanted_ms || previous_ms - wanted_ms > slack_ms(ttl_ms) {
        return wanted_ms;
    }
    // Another client that edits again sets the full TTL from then, a few milliseconds past its last deadline;
    // a random step is rarely the same.
    let next_ms = previous_ms.saturating_add(1);
    let room_ms = full_ms.saturating_add(AHEAD_MS_MAX).saturating_sub(next_ms);
    next_ms.saturating_add(fastrand::u64(0..=room_ms.min(STEP_MS_MAX)))
}

/// How far ahead of the wanted deadline a previous one of the same TTL may be.
#[must_use]
pub fn slack_ms(ttl_ms: u64) -> u64 {
    jitter_ms_max(ttl_ms) + SAME_TTL_SLACK_MS
}

fn jitter_ms_max(ttl_ms: u64) -> u64 {
    ttl_ms / JITTER_DIVISOR
}

/// Whether an entry with this deadline has expired: past it to the millisecond, as in Redis. 0 means without a deadline.
#[must_use]
pub fn is_over(expires_at_ms: u64, now_ms: u64) -> bool {
    expires_at_ms != 0 && now_ms > expires_at_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{TTL_MS_MAX, TTL_MS_MIN};

    const TTL_MS: u64 = 1_800_000;

    #[test]
    fn deadlines_of_one_ttl_rise_and_stay_near_the_full_ttl() {
        let mut previous_ms = 0;
        for now_ms in (5_000_000..5_200_000).step_by(25) {
            for _ in 0..3 {
                let chosen_ms = choose(now_ms, TTL_MS, previous_ms);
                assert!(chosen_ms > previous_ms);
                assert!(
                    chosen_ms >= now_ms + TTL_MS - TTL_MS / 2_000 && chosen_ms <= now_ms + TTL_MS + 260,
                    "{chosen_ms}"
                );
                previous_ms = chosen_ms;
            }
        }
    }

    #[test]
    fn a_longer_ttl_of_an_earlier_writer_is_dropped() {
        for previous_ms in [5_000_000 + 2 * TTL_MS, u64::MAX] {
            assert!(choose(5_000_000, TTL_MS, previous_ms) <= 5_000_000 + TTL_MS);
        }
    }

    #[test]
    fn the_jitter_is_at_most_a_two_thousandth_of_the_ttl() {
        for ttl_ms in [TTL_MS_MIN, TTL_MS, TTL_MS_MAX] {
            for _ in 0..1_000 {
                let chosen_ms = choose(7, ttl_ms, 0);
                assert!(chosen_ms <= 7 + ttl_ms && chosen_ms >= 7 + ttl_ms - ttl_ms / 2_000);
            }
        }
    }

    #[test]
    fn an_entry_expires_after_its_deadline() {
        assert!(!is_over(10, 10));
        assert!(is_over(10, 11));
        assert!(!is_over(0, u64::MAX), "no deadline");
    }
}
