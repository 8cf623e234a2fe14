//! Reproducible randomness: one seed for a run, from `TICKET_SEED` or random, and printed.

use std::sync::OnceLock;

use fastrand::Rng;

/// The seed of this process: `TICKET_SEED` if set, else a random number; printed at the first use.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let seed = match std::env::var("TICKET_SEED") {
            Ok(text) => text.parse().expect("TICKET_SEED is a number"),
            Err(_) => fastrand::u64(..),
        };
        println!("TICKET_SEED={seed}");
        seed
    })
}

/// A random number generator for one purpose: the same numbers for the same seed and name.
#[must_use]
pub fn rng(name: &str) -> Rng {
    let of_name = name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Rng::with_seed(seed() ^ of_name)
}
