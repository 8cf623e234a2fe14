//! The fake Redis is held against a real server, and its ways of failing are shown.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisResult, Value, cmd};
use ticket_tests::fake_redis::{FakeRedis, Kind, Script};

mod differential;
mod faults;
mod pair;

async fn client(fake_redis: &FakeRedis) -> MultiplexedConnection {
    client_with(fake_redis, login(None)).await.expect("connection to the fake Redis")
}

async fn client_with(fake_redis: &FakeRedis, login: RedisConnectionInfo) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let stream = fake_redis.connect().await?;
    let (connection, driver) = MultiplexedConnection::new_with_config(&login, stream, config).await?;
    tokio::spawn(driver);
    Ok(connection)
}

/// The login of the host: without CLIENT SETINFO.
fn login(password: Option<&str>) -> RedisConnectionInfo {
    let login = RedisConnectionInfo::default().set_skip_set_lib_name();
    match password {
        Some(password) => login.set_password(password),
        None => login,
    }
}

/// A command of words that are text.
fn words(words: &[&str]) -> Cmd {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command
}

fn eval(kind: Kind, by_name: bool, key: &str, arguments: &[Vec<u8>]) -> Cmd {
    let script = Script::of(kind);
    let mut command = if by_name { cmd("EVALSHA") } else { cmd("EVAL") };
    command.arg(if by_name { &script.sha1 } else { script.text }).arg(1).arg(key).arg(arguments);
    command
}

async fn ask(connection: &MultiplexedConnection, command: &Cmd) -> RedisResult<Value> {
    connection.clone().send_packed_command(command).await
}
