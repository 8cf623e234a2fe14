//! The store in one SQLite file, which several processes may use at once.
//!
//! The file is in WAL mode with `synchronous=NORMAL`: an acknowledged change survives kill -9. A power cut may lose the
//! last changes, but does not damage the file.
//!
//! | file | what it does |
//! |---|---|
//! | `store` | [`SqliteStore`]: hands each call to the thread of the file |
//! | `worker` | what this thread does: one transaction per change |
//! | `rows` | an entry as rows |
//! | `file_time` | which time deadlines are counted from if a clock is wrong |
//! | `cleanup` | deleting what has expired |
//! | `open`, `errors`, `health` | opening a file, what SQLite's errors mean, what an operator must know |
//! | [`database`] | a file for another purpose than tickets |

mod cleanup;
pub mod database;
mod errors;
mod file_time;
mod health;
mod open;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod worker;

pub use store::SqliteStore;
