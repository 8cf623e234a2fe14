//! What agents in Python use today: redis-py with hiredis, sessions of agent frameworks, or a dict of tickets that are
//! copied in and out.

use std::path::Path;
use std::process::Command;

use ticket_tests::RedisServer;
use ticket_tests::python::python;

use super::driver::{Driver, NotInstalled};
use super::installed;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/contenders/lifecycle.py");

pub(crate) fn redis_py(server: &RedisServer) -> Driver {
    with_test_packages("Python, redis-py with hiredis", ["redis-py", &server.url()])
}

pub(crate) fn dict() -> Driver {
    with_test_packages("Python, dict with deepcopy", ["dict", "memory:"])
}

pub(crate) fn openai_agents(server: &RedisServer) -> Result<Driver, NotInstalled> {
    with_own_packages("OpenAI Agents, RedisSession", "openai-agents", server)
}

pub(crate) fn google_adk(server: &RedisServer) -> Result<Driver, NotInstalled> {
    with_own_packages("Google ADK, RedisSessionService", "google-adk", server)
}

fn with_test_packages(name: &'static str, arguments: [&str; 2]) -> Driver {
    let mut command = tokio::task::block_in_place(|| python(Path::new(SCRIPT)));
    Driver::start(name, command.args(arguments)).expect("packages of the tests")
}

/// In an environment of its own, because the frameworks need different versions of redis-py; else with the user's Python.
fn with_own_packages(name: &'static str, store: &str, server: &RedisServer) -> Result<Driver, NotInstalled> {
    let own = installed(store).join("bin/python");
    let mut command = if own.exists() { Command::new(own) } else { Command::new("python3") };
    command.env("PYTHONDONTWRITEBYTECODE", "1").args([SCRIPT, store, &server.url()]);
    Driver::start(name, &mut command)
}
