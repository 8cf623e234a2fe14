//! What agents use today: Python with redis-py and hiredis, or a dict of tickets that are copied in and out.

use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;
use ticket_tests::RedisServer;
use ticket_tests::python::Agent;

use super::Contender;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/contenders/lifecycle.py");

pub(crate) struct Python {
    agent: Mutex<Agent>,
    name: &'static str,
}

impl Python {
    pub(crate) fn on_redis(server: &RedisServer) -> Self {
        Self::start(&server.url(), "Python, redis-py with hiredis")
    }

    pub(crate) fn in_memory() -> Self {
        Self::start("memory:", "Python, dict with deepcopy")
    }

    fn start(url: &str, name: &'static str) -> Self {
        let agent = tokio::task::block_in_place(|| Agent::start(Path::new(SCRIPT), &[url]));
        Self { agent: Mutex::new(agent), name }
    }
}

#[async_trait]
impl Contender for Python {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn prepare(&self, _ids: &[String], _history: usize) {}

    async fn interact(&self, _id: &str, _number: usize) {
        unreachable!("it runs in a process of its own");
    }

    async fn run_apart(&self, interactions: usize, history: usize) -> Option<f64> {
        let step = json!({ "interactions": interactions, "history": history });
        tokio::task::block_in_place(|| self.agent.lock().expect("lock").step(&step)["seconds"].as_f64())
    }
}
