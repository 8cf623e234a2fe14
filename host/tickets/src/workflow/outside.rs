//! What a run can see besides its ticket, where it is granted: the time, random bytes, tools; live, or from a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use ticket_store::clock::{Clock, SystemClock};

use super::bindings::agent::workflow::tools::Refusal;
use super::grants::{Grant, Granted, Grants, Tool, ToolAnswer, is_tool_name};
use super::trace::{ToolCall, Trace};
use crate::error::Error;

/// Most random bytes of one call.
pub(super) const RANDOM_BYTES_MAX: u32 = 65_536;
/// Most bytes of inputs and answers of tools in one run: they are kept until it ends.
const TOOL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most tools that a run asked for in vain whose names are kept.
const REFUSED_MAX: usize = 16;

/// A dry run would have called a tool that may change something.
#[derive(Debug, thiserror::Error)]
#[error("a dry run does not call the tool `{0}`")]
pub(super) struct ToolInDryRun(pub(super) String);

/// What answers calls of tools.
enum Tools {
    Live(BTreeMap<String, Granted>),
    /// The calls of a trace that were not repeated yet.
    Replayed(Vec<ToolCall>),
}

/// What one run can see besides its ticket.
pub(super) struct Outside {
    pub(super) clock_ms: u64,
    pub(super) random_seed: [u8; 32],
    pub(super) tool_calls: Vec<ToolCall>,
    /// The grants that the run made use of.
    pub(super) used: BTreeSet<Grant>,
    /// The tools that it asked for and was not granted.
    pub(super) refused: BTreeSet<Grant>,
    /// Blocks of random bytes that were given out.
    random_blocks: u64,
    tools: Tools,
    tool_bytes: usize,
    is_dry: bool,
}

impl Outside {
    /// As it is now.
    pub(super) fn live(grants: &Grants, is_dry: bool) -> Result<Self, Error> {
        let mut random_seed = [0; 32];
        if grants.random {
            getrandom::fill(&mut random_seed).map_err(|error| Error::internal(error.to_string()))?;
        }
        Ok(Self::new(SystemClock.now_ms(), random_seed, Tools::Live(grants.tools.clone()), is_dry))
    }

    /// As a run before saw it.
    pub(super) fn replayed(trace: &Trace) -> Self {
        Self::new(trace.clock_ms, trace.random_seed, Tools::Replayed(trace.tool_calls.clone()), true)
    }

    fn new(clock_ms: u64, random_seed: [u8; 32], tools: Tools, is_dry: bool) -> Self {
        let (tool_calls, used, refused) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        Self { clock_ms, random_seed, tool_calls, used, refused, random_blocks: 0, tools, tool_bytes: 0, is_dry }
    }

    /// The next random bytes: hashes of the seed and a counter.
    pub(super) fn random(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let block = Sha256::new().chain_update(self.random_seed).chain_update(self.random_blocks.to_le_bytes());
            let block = block.finalize();
            let missing = count - bytes.len();
            bytes.extend(block.iter().take(missing));
            self.random_blocks += 1;
        }
        bytes
    }

    /// Calls a tool.
    pub(super) async fn call(&mut self, name: String, input: String) -> Result<Result<String, Refusal>, ToolInDryRun> {
        if let Err(error) = serde_json::from_str::<&RawValue>(&input) {
            return Ok(Err(Refusal::Invalid(format!("the input is not JSON: {error}"))));
        }
        if self.tool_bytes.saturating_add(input.len()) > TOOL_BYTES_MAX {
            return Ok(Err(Refusal::Failed(format!("the calls of one run have more than {TOOL_BYTES_MAX} bytes"))));
        }
        let answer = match &mut self.tools {
            Tools::Replayed(calls) => repeated(calls, &name, &input),
            Tools::Live(tools) => match tools.get(&name) {
                None => {
                    if self.refused.len() < REFUSED_MAX && is_tool_name(&name) {
                        self.refused.insert(Grant::Tool(name));
                    }
                    return Ok(Err(Refusal::NotGranted));
                }
                Some(Granted { is_read_only: false, .. }) if self.is_dry => return Err(ToolInDryRun(name)),
                Some(Granted { tool, .. }) => answered(Arc::clone(tool), input.clone()).await,
            },
        };
        self.used.insert(Grant::Tool(name.clone()));
        self.tool_bytes += input.len() + answer.as_ref().map_or_else(String::len, String::len);
        self.tool_calls.push(ToolCall { name, input, answer: answer.clone() });
        Ok(answer.map_err(Refusal::Failed))
    }
}

/// The answer of a tool, checked.
async fn answered(tool: Arc<dyn Tool>, input: String) -> ToolAnswer {
    let answer = tool.call(input).await?;
    if answer.len() > TOOL_BYTES_MAX {
        return Err(format!("its answer has {} bytes, more than {TOOL_BYTES_MAX}", answer.len()));
    }
    match serde_json::from_str::<&RawValue>(&answer) {
        Ok(_) => Ok(answer),
        Err(error) => Err(format!("its answer is not JSON: {error}")),
    }
}

/// What an equal call answered in the run before.
fn repeated(calls: &mut Vec<ToolCall>, name: &str, input: &str) -> ToolAnswer {
    match calls.iter().position(|call| call.name == name && call.input == input) {
        Some(place) => calls.remove(place).answer,
        None => Err("the run that is replayed did not make this call".to_owned()),
    }
}
