//! Workflows written by hand: what no compiler would make, what is hostile, and those of the conformance kit.

pub mod hostile;
pub mod kit;
pub mod modules;
