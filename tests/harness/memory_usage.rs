//! The memory of this process as the kernel counts it.

const PAGE_BYTES: u64 = 4_096;

/// Resident bytes.
///
/// # Panics
/// Without `/proc`.
#[must_use]
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc/self/statm");
    let pages: u64 = statm.split_whitespace().nth(1).expect("resident pages").parse().expect("a number");
    pages * PAGE_BYTES
}
