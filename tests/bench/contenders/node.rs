//! What web agents in Node.js use today: the session store of Express on Redis.

use std::process::Command;

use ticket_tests::RedisServer;

use super::driver::{Driver, NotInstalled};
use super::installed;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/contenders/lifecycle.mjs");

pub(crate) fn connect_redis(server: &RedisServer) -> Result<Driver, NotInstalled> {
    let mut command = Command::new("node");
    command.arg(SCRIPT).arg(installed("connect-redis")).arg(server.url());
    Driver::start("Node.js, connect-redis", &mut command)
}
