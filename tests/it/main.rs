//! The integration tests, in one binary.

mod certificates;
mod cluster;
mod command;
mod conform;
mod crash;
mod documents;
mod equivalence;
mod fake_redis;
mod fallback;
mod fallback_command;
mod fallback_file;
mod field_deadlines;
mod foreign_race;
mod incompatible_stores;
mod interop;
mod misconfigured;
mod python_host;
mod races;
mod real_faults;
mod refused_writes;
mod sandbox;
mod simulation;
mod tidy;
mod transcripts;
mod wasi_keyvalue;
mod wit;
