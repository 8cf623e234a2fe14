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
            output_bytes_max: 64 * 1024,
            log_bytes_max: 16 * 1024,
            log_lines_max: 64,
            repeats_max: 3,
        }
    }
}

impl RunLimits {
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

    /// Instructions, about, where they are counted.
    #[must_use]
    pub fn fuel_max(mut self, fuel: u64) -> Self {
        self.fuel_max = fuel;
        self
    }

    /// How often a run is repeated after a lost race.
    #[must_use]
    pub fn repeats_max(mut self, repeats: u32) -> Self {
        self.repeats_max = repeats;
        self
    }

    /// Refuses limits below their floor or above their ceiling.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let time_ms = u64::try_from(self.time_max.as_millis()).unwrap_or(u64::MAX);
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        for (name, value, min, max) in [
            ("memory in bytes", wide(self.memory_bytes_max), wide(MIB), wide(MEMORY_BYTES_CEILING)),
            ("time in ms", time_ms, 1, 5_000),
            ("fuel", self.fuel_max, 10_000, 1_000_000_000),
            ("output in bytes", wide(self.output_bytes_max), 16, wide(MIB)),
            ("log in bytes", wide(self.log_bytes_max), 0, wide(MIB)),
            ("log in lines", wide(self.log_lines_max), 0, 10_000),
            ("repeats", self.repeats_max.into(), 0, 10),
        ] {
            if !(min..=max).contains(&value) {
                return Err(LoadError::Limit { name, value, min, max });
            }
        }
        Ok(())
    }
}

/// Most memory of any run: Python has 12 MiB before it begins.
pub(super) const MEMORY_BYTES_CEILING: usize = 64 * MIB;
/// Most bytes of the arguments of one call of the host.
pub(super) const CALL_BYTES_MAX: usize = MIB;
/// Most elements of a table: Python and JavaScript have some thousands.
pub(super) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Most bytes of a component's file: Python takes 18 MB.
pub(super) const COMPONENT_BYTES_MAX: usize = 32 * MIB;
