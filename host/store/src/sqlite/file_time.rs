//! The time of a file: why a clock that is wrong for a while neither ends entries early nor deletes those of others.
//!
//! The file keeps the time of its last change. What a process does with its own clock follows from both:
//!
//! | its clock shows | what follows |
//! |---|---|
//! | the file's time or later | deadlines are counted from this clock, as usual |
//! | an earlier time | deadlines are counted from the file's time, which runs on with this clock; logged |
//! | an earlier time, an hour after that | a clock was ahead before: deadlines are counted from this clock; logged |
//!
//! Whether the early clock is behind or the late one was ahead cannot be told when it happens. Counting from the later
//! time ends no entry too early in either case; the hour bounds how long entries can get too much time.
//!
//! An entry past its deadline is hidden by the clock of the process alone, so a clock that was ahead hides nothing from
//! others. It is deleted by a later change, once clocks have run for a day without being set back: what had expired when
//! that day began, and nothing else. A leap counts as a part of the day only, so that a few commands with clocks that are
//! ahead do not make up a day.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Result as SqlResult, params};

/// Steps of the clock below this do not count, and the time is stored no more often: small enough that two deadlines of
/// one TTL stay within the second that [`deadline::choose`](crate::deadline::choose) allows between them.
const STEP_MS: u64 = 250;
/// After so long a clock behind the file's time is believed. A machine that starts with a wrong clock has it set within
/// minutes; an hour too much time for an entry loses nothing.
const BELIEVED_AFTER_MS: u64 = 3_600_000;
/// Clocks must run so long before what had expired is deleted: enough for an operator to see a wrong clock and to set it.
const KEPT_MS: u64 = 24 * 3_600_000;
/// The most that counts of the time between two changes. Whether time passed or a clock is ahead cannot be told.
const LEAP_MS_MAX: u64 = 6 * 3_600_000;

/// The row of the table `field` with the time. No entry has this key, because theirs contain a colon; so the file needs
/// no other schema, and programs that do not know the row leave it.
const KEY: &str = "time";

/// What the file keeps, in milliseconds, times since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileTime {
    /// What the clock of the last change showed.
    clock_ms: u64,
    /// How far the file's time is ahead of that clock; 0 unless the clock was set back.
    ahead_ms: u64,
    /// When the day began at whose end what had expired is deleted.
    pub(super) since_ms: u64,
    /// How long clocks have run since then.
    ran_ms: u64,
}

impl FileTime {
    /// The time of a file that keeps none yet.
    fn first(clock_ms: u64) -> Self {
        Self { clock_ms, ahead_ms: 0, since_ms: clock_ms, ran_ms: 0 }
    }

    /// The time from which deadlines are counted.
    fn now_ms(self) -> u64 {
        self.clock_ms.saturating_add(self.ahead_ms)
    }

    /// How far the file's time is ahead of a clock that shows `clock_ms`.
    pub(super) fn ahead_of(self, clock_ms: u64) -> u64 {
        self.step(clock_ms).ahead_ms
    }

    /// Whether what had expired when the day began may be deleted.
    pub(super) fn is_day_over(self) -> bool {
        self.ran_ms >= KEPT_MS
    }

    /// The time after a change by a clock that shows `clock_ms`.
    fn step(self, clock_ms: u64) -> Self {
        if clock_ms.saturating_add(STEP_MS) < self.clock_ms {
            let ahead_ms = self.now_ms() - clock_ms;
            return Self { clock_ms, ahead_ms, since_ms: clock_ms, ran_ms: 0 };
        }
        let passed_ms = clock_ms.saturating_sub(self.clock_ms).min(LEAP_MS_MAX);
        let ran_ms = self.ran_ms.saturating_add(passed_ms);
        if self.ahead_ms == 0 || clock_ms >= self.now_ms() || ran_ms >= BELIEVED_AFTER_MS {
            return Self { clock_ms, ahead_ms: 0, ran_ms, ..self };
        }
        Self { clock_ms: clock_ms.max(self.clock_ms), ran_ms, ..self }
    }

    /// Whether this must be stored in place of `stored`: not every change writes the row.
    fn differs(self, stored: Self) -> bool {
        let same = Self { clock_ms: stored.clock_ms, ran_ms: stored.ran_ms, ..self } == stored;
        !same || self.clock_ms.abs_diff(stored.clock_ms) > STEP_MS
    }
}

/// The time of the file; none if no change has stored one, or another program has changed it.
pub(super) fn load(connection: &Connection) -> SqlResult<Option<FileTime>> {
    let mut select =
        connection.prepare_cached("SELECT value FROM field WHERE key = ?1 AND name = 'clock ahead since ran'")?;
    let text: Option<String> = select.query_row([KEY], |row| row.get(0)).optional()?;
    Ok(text.as_deref().and_then(parse))
}

fn parse(text: &str) -> Option<FileTime> {
    let mut numbers = text.split(' ').map(|number| number.parse().ok());
    let [clock_ms, ahead_ms] = [numbers.next()??, numbers.next()??];
    let time = FileTime { clock_ms, ahead_ms, since_ms: numbers.next()??, ran_ms: numbers.next()?? };
    numbers.next().is_none().then_some(time)
}

fn store(connection: &Connection, time: FileTime) -> SqlResult<()> {
    let mut put = connection
        .prepare_cached("INSERT OR REPLACE INTO field (key, name, value) VALUES (?1, 'clock ahead since ran', ?2)")?;
    let FileTime { clock_ms, ahead_ms, since_ms, ran_ms } = time;
    put.execute(params![KEY, format!("{clock_ms} {ahead_ms} {since_ms} {ran_ms}")])?;
    Ok(())
}

/// In a change: the time from which its deadline is counted, by a clock that shows `clock_ms`.
pub(super) fn advance(connection: &Connection, clock_ms: u64, path: &Path) -> SqlResult<u64> {
    let Some(stored) = load(connection)? else {
        store(connection, FileTime::first(clock_ms))?;
        return Ok(clock_ms);
    };
    let time = stored.step(clock_ms);
    if time.differs(stored) {
        store(connection, time)?;
        log(stored, time, path);
    }
    Ok(time.now_ms())
}

/// In a change: notes that what had expired when the day began is deleted, and begins the next one.
pub(super) fn begin_day(connection: &Connection, time: FileTime) -> SqlResult<()> {
    store(connection, FileTime { since_ms: time.clock_ms, ran_ms: 0, ..time })
}

fn log(stored: FileTime, time: FileTime, path: &Path) {
    let path = path.display();
    if time.ahead_ms > stored.ahead_ms {
        let behind_ms = time.ahead_ms;
        tracing::warn!(
            %path,
            behind_ms,
            "the clock is behind the last change of the file: it is wrong, or another process had a clock ahead; \
             deadlines are counted from the file's time"
        );
    } else if time.now_ms() < stored.now_ms() {
        let behind_ms = stored.ahead_ms;
        tracing::warn!(%path, behind_ms, "the clock has been behind the file for an hour: deadlines are counted from it");
    } else if stored.ahead_ms > 0 && time.ahead_ms == 0 {
        tracing::info!(%path, "the clock is no longer behind the file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const DAY_MS: u64 = 24 * HOUR_MS;
    const START_MS: u64 = 100 * DAY_MS;

    /// The times from which deadlines are counted when clocks show these, one after the other.
    fn counted(clocks: &[u64]) -> Vec<u64> {
        let mut time = FileTime::first(clocks[0]);
        clocks
            .iter()
            .map(|clock_ms| {
                time = time.step(*clock_ms);
                time.now_ms()
            })
            .collect()
    }

    #[test]
    fn a_clock_that_runs_is_the_time_of_the_file() {
        let clocks = [START_MS, START_MS, START_MS + 1, START_MS + 500, START_MS + 400 * DAY_MS];
        assert_eq!(counted(&clocks), clocks);
    }

    #[test]
    fn a_clock_behind_does_not_set_the_time_back() {
        for behind_ms in [HOUR_MS, DAY_MS, START_MS] {
            let behind = START_MS - behind_ms;
            let clocks = [START_MS, behind, behind + 2_000, behind + HOUR_MS - 1, START_MS + HOUR_MS];
            let expected = [START_MS, START_MS, START_MS + 2_000, START_MS + HOUR_MS - 1, START_MS + HOUR_MS];
            let counted = counted(&clocks);
            // A clock that catches up is the time again.
            let expected: Vec<u64> = expected.iter().zip(clocks).map(|(time, clock)| *time.max(&clock)).collect();
            assert_eq!(counted, expected, "behind by {behind_ms} ms");
        }
    }

    #[test]
    fn a_clock_is_behind_by_turns_without_effect() {
        let clocks = [START_MS, START_MS - DAY_MS, START_MS + 10, START_MS - DAY_MS + 20, START_MS + 30];
        let latest = START_MS + 10;
        assert_eq!(counted(&clocks), [START_MS, START_MS, latest, latest, START_MS + 30]);
    }

    #[test]
    fn a_clock_that_was_ahead_counts_for_an_hour() {
        for ahead_ms in [2 * HOUR_MS, DAY_MS, 3_650 * DAY_MS] {
            let wrong = START_MS + ahead_ms;
            let clocks = [START_MS, wrong, START_MS + 1, START_MS + HOUR_MS, START_MS + HOUR_MS + 1, START_MS + DAY_MS];
            let counted = counted(&clocks);
            assert_eq!(counted[..4], [START_MS, wrong, wrong, wrong + HOUR_MS - 1], "ahead by {ahead_ms} ms");
            assert_eq!(counted[4..], clocks[4..], "ahead by {ahead_ms} ms");
        }
    }

    #[test]
    fn small_steps_back_do_not_count() {
        let clocks = [START_MS, START_MS - STEP_MS, START_MS + 5];
        assert_eq!(counted(&clocks), clocks);
    }

    #[test]
    fn the_time_is_stored_at_most_every_quarter_of_a_second() {
        let stored = FileTime::first(START_MS);
        for clock_ms in [START_MS - STEP_MS, START_MS, START_MS + STEP_MS] {
            assert!(!stored.step(clock_ms).differs(stored), "{clock_ms}");
        }
        for clock_ms in [START_MS - DAY_MS, START_MS - STEP_MS - 1, START_MS + STEP_MS + 1] {
            assert!(stored.step(clock_ms).differs(stored), "{clock_ms}");
        }
    }

    /// Whether the day is over after clocks that show these.
    fn is_day_over(clocks: &[u64]) -> bool {
        clocks.iter().fold(FileTime::first(clocks[0]), |time, clock_ms| time.step(*clock_ms)).is_day_over()
    }

    #[test]
    fn a_day_is_over_when_clocks_have_run_through_it() {
        let hours: Vec<u64> = (0..=24).map(|hour| START_MS + hour * HOUR_MS).collect();
        assert!(is_day_over(&hours) && !is_day_over(&hours[..24]));
        let days: Vec<u64> = (0..=4).map(|day| START_MS + day * DAY_MS).collect();
        assert!(is_day_over(&days) && !is_day_over(&days[..4]), "a leap is a part of a day");
    }

    #[test]
    fn the_day_begins_again_when_the_clock_is_set_back() {
        let mut clocks: Vec<u64> = (0..=23).map(|hour| START_MS + hour * HOUR_MS).collect();
        clocks.extend([START_MS + 365 * DAY_MS, START_MS + 23 * HOUR_MS, START_MS + 24 * HOUR_MS]);
        assert!(!is_day_over(&clocks));
        let back = FileTime::first(START_MS).step(START_MS - DAY_MS);
        assert_eq!((back.since_ms, back.ran_ms), (START_MS - DAY_MS, 0));
    }

    #[test]
    fn a_damaged_time_is_none() {
        let time = FileTime { clock_ms: 4, ahead_ms: 3, since_ms: 2, ran_ms: 1 };
        assert_eq!(parse("4 3 2 1"), Some(time));
        for text in ["", "4", "4 3 2", "4 3 2 1 0", "4 3 2 x", "-4 3 2 1", "99999999999999999999999 3 2 1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
