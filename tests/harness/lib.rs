//! What a test author needs: private Redis servers, a fixture of each store, foreign hands, and the model.

pub mod alone;
pub mod appending;
mod error_kind;
pub mod fixture;
pub mod flaky;
pub mod foreign;
pub mod interposed;
pub mod model;
pub mod ports;
pub mod program;
pub mod proxy;
pub mod python;
pub mod redis_server;
pub mod resident;
pub mod seed;
pub mod stand_in;

pub use error_kind::ErrorKind;
pub use fixture::{Fixture, Home, StoreKind};
pub use proxy::Proxy;
pub use redis_server::RedisServer;
