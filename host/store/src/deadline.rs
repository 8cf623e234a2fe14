//! How a write names its deadline, which is also its identity.

use super::error::{Error, Kind};

/// Shortest TTL: below a second an agent cannot keep a conversation, and clocks differ by more.
pub const TTL_MS_MIN: u64 = 1_000;
/// Longest TTL, 366 days; a deadline further ahead than that is taken for a mistake.
pub const TTL_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;
/// The jitter is at most the TTL divided by this.
const JITTER_DIVISOR: u64 = 2_000;
/// Most that a deadline goes past the one after the previous.
const STEP_MS_MAX: u64 = 63;
/// How far such steps may lead past the full TTL: `TTL` rounds to seconds, and shall not show one more.
const AHEAD_MS_MAX: u64 = 250;
/// How far a deadline that was named before may lie ahead and still count as one of the same TTL.
///
/// More than hosts of one TTL differ by (jitter and the error of a measured clock offset), and far more
/// than the writes of one ticket within a millisecond.
const SAME_TTL_SLACK_MS: u64 = 1_000;

/// Refuses a TTL that no deadline can be named for.
pub fn check_ttl(ttl_ms: u64) -> Result<(), Error> {
    if (TTL_MS_MIN..=TTL_MS_MAX).contains(&ttl_ms) {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("ttl of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms")))
}

/// The deadline of a write at `now_ms`: its TTL from now less a jitter, or past the previous deadline where
/// that was of the same TTL.
///
/// The jitter is random, so that two hosts do not name the same. Deadlines of one entry rise with every write,
/// and the last writer's TTL counts all the same: a previous deadline that only a longer TTL explains is not kept.
pub fn name(now_ms: u64, ttl_ms: u64, previous_ms: u64) -> u64 {
    let full_ms = now_ms.saturating_add(ttl_ms);
    let wanted_ms = full_ms - fastrand::u64(0..=jitter_ms_max(ttl_ms));
    if previous_ms < wanted_ms || previous_ms - wanted_ms > slack_ms(ttl_ms) {
        return wanted_ms;
    }
    // A foreign client that edits again gives the full TTL from then, a few milliseconds past its last deadline;
    // one step at random is rarely the same.
    let next_ms = previous_ms.saturating_add(1);
    let room_ms = full_ms.saturating_add(AHEAD_MS_MAX).saturating_sub(next_ms);
    next_ms.saturating_add(fastrand::u64(0..=room_ms.min(STEP_MS_MAX)))
}

/// How far ahead of the wanted deadline a previous one of the same TTL may lie.
pub fn slack_ms(ttl_ms: u64) -> u64 {
    jitter_ms_max(ttl_ms) + SAME_TTL_SLACK_MS
}

fn jitter_ms_max(ttl_ms: u64) -> u64 {
    ttl_ms / JITTER_DIVISOR
}

/// Whether an entry with this deadline is gone: past it, to the millisecond, as Redis has it.
pub fn is_over(expires_at_ms: u64, now_ms: u64) -> bool {
    expires_at_ms != 0 && now_ms > expires_at_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL_MS: u64 = 1_800_000;

    #[test]
    fn a_deadline_is_past_every_deadline_of_the_same_ttl_and_near_the_full_ttl() {
        let mut previous_ms = 0;
        for now_ms in (5_000_000..5_200_000).step_by(25) {
            for _ in 0..3 {
                let named_ms = name(now_ms, TTL_MS, previous_ms);
                assert!(named_ms > previous_ms);
                assert!(
                    named_ms >= now_ms + TTL_MS - TTL_MS / 2_000 && named_ms <= now_ms + TTL_MS + 260,
                    "{named_ms}"
                );
                previous_ms = named_ms;
            }
        }
    }

    #[test]
    fn a_longer_ttl_of_an_earlier_writer_does_not_stay() {
        for previous_ms in [5_000_000 + 2 * TTL_MS, u64::MAX] {
            assert!(name(5_000_000, TTL_MS, previous_ms) <= 5_000_000 + TTL_MS);
        }
    }

    #[test]
    fn a_deadline_is_below_the_full_ttl_by_a_two_thousandth_at_most() {
        for ttl_ms in [TTL_MS_MIN, TTL_MS, TTL_MS_MAX] {
            for _ in 0..1_000 {
                let named_ms = name(7, ttl_ms, 0);
                assert!(named_ms <= 7 + ttl_ms && named_ms >= 7 + ttl_ms - ttl_ms / 2_000);
            }
        }
    }

    #[test]
    fn an_entry_is_there_up_to_its_deadline_and_gone_after() {
        assert!(!is_over(10, 10));
        assert!(is_over(10, 11));
        assert!(!is_over(0, u64::MAX), "no deadline");
    }
}
