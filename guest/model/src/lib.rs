//! What the engine, its hosts and its adapters share: names, limits, plain types, and JSON as text.
//!
//! | module | holds |
//! |---|---|
//! | [`id`] | ticket ids, the keys made of them, untrusted text in errors |
//! | [`field`] | the names of the six stored fields |
//! | [`limits`] | the limits of a ticket and their defaults |
//! | [`ticket`] | plain types: a ticket, its state, the changes to it, merges |
//! | [`written`] | changes as programs write them in JSON |
//! | [`port`] | the interface between the engine and its host |
//! | [`json`] | JSON as text: checked, taken apart and compared without being rebuilt |

pub mod field;
pub mod id;
pub mod json;
pub mod limits;
pub mod port;
pub mod ticket;
pub mod written;
