//! Sends one command.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value};

/// The answer to a command; an error of the server is an error.
pub(super) async fn send(multiplexed: &MultiplexedConnection, command: &Cmd) -> Result<Value, RedisError> {
    multiplexed.clone().send_packed_command(command).await.and_then(Value::extract_error)
}
