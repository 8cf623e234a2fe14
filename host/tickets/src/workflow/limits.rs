//! What one run of a workflow may use.

use std::time::Duration;

use super::error::LoadError;

const MIB: usize = 1024 * 1024;

/// What one run may use. Start from [`RunLimits::default`].
///
/// Each limit has a floor and a ceiling, which [`Workflow::load`](super::Workflow::load) checks: a limit of zero is a
/// mistake, and not "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunLimits {
    /// Memory in bytes: 1 MiB to 64 MiB, 16 MiB by default.
    pub memory_bytes_max: usize,
    /// Time, calls of the host included: 1 ms to 5 s, 250 ms by default.
    pub time_max: Duration,
    /// Instructions, about, where they are counted: 10,000 to 1,000 million, 50 million by default.
    pub fuel_max: u64,
    /// Whether instructions are counted in every run, and not in dry runs and replays alone: it takes a few percent.
    pub counts_fuel: bool,
    /// Bytes of the output: 16 to 1 MiB, 64 KiB by default.
    pub output_bytes_max: usize,
    /// Bytes of the log: up to 1 MiB, 16 KiB by default.
    pub log_bytes_max: usize,
    /// Lines of the log: up to 10,000, 64 by default.
    pub log_lines_max: usize,
    /// How often a run is repeated after a lost race: up to 10, 3 by default.
    pub repeats_max: u32,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 16 * MIB,
            time_max: Duration::from_millis(250),
            fuel_max: 50_000_000,
            counts_fuel: false,
            output_bytes_max: 64 * 1024,
            log_bytes_max: 16 * 1024,
            log_lines_max: 64,
            repeats_max: 3,
        }
    }
}

impl RunLimits {
    /// The ceiling of every limit.
    #[must_use]
    pub fn ceiling() -> Self {
        Self {
            memory_bytes_max: MEMORY_BYTES_CEILING,
            time_max: TIME_CEILING,
            fuel_max: 1_000_000_000,
            counts_fuel: false,
            output_bytes_max: MIB,
            log_bytes_max: MIB,
            log_lines_max: 10_000,
            repeats_max: 10,
        }
    }

    /// Memory in bytes.
    #[must_use]
    pub fn memory_bytes_max(mut self, bytes: usize) -> Self {
        self.memory_bytes_max = bytes;
        self
    }

    /// Time, calls of the host included.
    #[must_use]
    pub fn time_max(mut self, time: Duration) -> Self {
        self.time_max = time;
        self
    }

    /// Instructions, about; they are counted in every run then.
    #[must_use]
    pub fn fuel_max(mut self, fuel: u64) -> Self {
        (self.fuel_max, self.counts_fuel) = (fuel, true);
        self
    }

    /// How often a run is repeated after a lost race.
    #[must_use]
    pub fn repeats_max(mut self, repeats: u32) -> Self {
        self.repeats_max = repeats;
        self
    }

    /// Bytes of the output.
    #[must_use]
    pub fn output_bytes_max(mut self, bytes: usize) -> Self {
        self.output_bytes_max = bytes;
        self
    }

    /// Lines of the log, and their bytes.
    #[must_use]
    pub fn log_max(mut self, lines: usize, bytes: usize) -> Self {
        (self.log_lines_max, self.log_bytes_max) = (lines, bytes);
        self
    }

    /// The smaller of each limit.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            memory_bytes_max: self.memory_bytes_max.min(other.memory_bytes_max),
            time_max: self.time_max.min(other.time_max),
            fuel_max: self.fuel_max.min(other.fuel_max),
            counts_fuel: self.counts_fuel || other.counts_fuel,
            output_bytes_max: self.output_bytes_max.min(other.output_bytes_max),
            log_bytes_max: self.log_bytes_max.min(other.log_bytes_max),
            log_lines_max: self.log_lines_max.min(other.log_lines_max),
            repeats_max: self.repeats_max.min(other.repeats_max),
        }
    }

    /// Refuses limits below their floor or above their ceiling.
    ///
    /// # Errors
    /// [`LoadError::Limit`] names the limit.
    pub fn check(&self) -> Result<(), LoadError> {
        let ceiling = Self::ceiling();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        for (name, value, min, max) in [
            ("memory_bytes", wide(self.memory_bytes_max), wide(MIB), wide(ceiling.memory_bytes_max)),
            ("time_ms", ms(self.time_max), 1, ms(ceiling.time_max)),
            ("fuel", self.fuel_max, 10_000, ceiling.fuel_max),
            ("output_bytes", wide(self.output_bytes_max), 16, wide(ceiling.output_bytes_max)),
            ("log_bytes", wide(self.log_bytes_max), 0, wide(ceiling.log_bytes_max)),
            ("log_lines", wide(self.log_lines_max), 0, wide(ceiling.log_lines_max)),
            ("repeats", self.repeats_max.into(), 0, ceiling.repeats_max.into()),
        ] {
            if !(min..=max).contains(&value) {
                return Err(LoadError::Limit { name, value, min, max });
            }
        }
        Ok(())
    }
}

/// Longest time of any run.
const TIME_CEILING: Duration = Duration::from_secs(5);
/// Most memory of any run: Python has 12 MiB before it begins.
pub(super) const MEMORY_BYTES_CEILING: usize = 64 * MIB;
/// Most bytes of the arguments of one call of the host.
pub(super) const CALL_BYTES_MAX: usize = MIB;
/// Most elements of a table: Python and JavaScript have some thousands.
pub(super) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Most bytes of a component's file: Python takes 18 MB.
pub(super) const COMPONENT_BYTES_MAX: usize = 32 * MIB;
