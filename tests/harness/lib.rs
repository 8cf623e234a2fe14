//! For authors of tests: private Redis servers, a fake one, a store of each kind, and the model.

pub mod appending;
pub mod broken;
pub mod fake_redis;
pub mod fixture;
pub mod flaky;
pub mod javascript;
pub mod memory_usage;
pub mod model;
pub mod ports;
pub mod program;
pub mod proxy;
pub mod python;
pub mod redis_server;
pub mod seed;
pub mod sole_user;
pub mod workflows;

pub use fixture::{StoreKind, TestStore};
pub use proxy::Proxy;
pub use redis_server::RedisServer;
pub use ticket_conformance::ErrorKind;
