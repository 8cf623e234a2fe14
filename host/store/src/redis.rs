//! The store in a Redis or Valkey server, 7.0 or newer: one HASH per entry. A read is plain commands, the usual write a
//! transaction if it is large, every other operation one script.
//!
//! The host chooses the deadline of each write by the server's clock, and the deadline identifies the write. If the
//! answer of a write is lost, the same write is sent again, and the script recognizes what it has applied already.
//!
//! | file | what it does |
//! |---|---|
//! | `open` | [`RedisStore`]: the primary with retries and last known entries |
//! | `primary` | [`RedisPrimary`]: each call is sent once |
//! | `change`, `scripts`, `*.lua`, `command` | what is sent: arguments, scripts and plain commands |
//! | `usual`, `is_at.lua` | the usual write: from a known revision to a later deadline |
//! | `in_place`, `in_place.lua` | the same for little text: a script sets the fields |
//! | `staged`, `staging`, `replace.lua` | the same for much text: staged under another name, and renamed over the entry |
//! | `read`, `scan` | reads and lists by plain commands, without a script |
//! | `reply`, `errors` | what the server answers, and what its errors mean |
//! | `link`, `connection`, `server_clock`, `target` | the connection, the server's clock, and where the server is |
//! | `tls`, `certificate` | which certificates are trusted, and what is wrong with that of a server |
//! | `login`, `progress` | the login and which setting of it is refused; how far an attempt to connect came |
//! | `handshake`, `info`, `health`, `evictions` | whether the server is compatible, and what an operator must know |

mod certificate;
mod change;
mod command;
mod connection;
mod errors;
mod evictions;
mod handshake;
mod health;
mod in_place;
mod info;
mod link;
mod login;
mod open;
mod primary;
mod progress;
mod read;
mod reply;
mod scan;
mod scripts;
mod server_clock;
mod staged;
mod staging;
mod target;
mod tls;
mod usual;

pub use open::RedisStore;
pub use primary::RedisPrimary;
pub use target::{Connector, Stream};
