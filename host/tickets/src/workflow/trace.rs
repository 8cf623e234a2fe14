//! What a run depended on besides the workflow and its input, so that it can be replayed.

use crate::ticket::Ticket;

/// What a run depended on besides the workflow and its input. It holds what users said: protect it like a ticket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Trace {
    /// The ticket that the run read.
    pub ticket: Ticket,
    /// The time of the run, in milliseconds since the Unix epoch.
    pub clock_ms: u64,
    /// What its random bytes came from.
    pub random_seed: [u8; 32],
    /// Calls of tools, in their order.
    pub tool_calls: Vec<ToolCall>,
}

impl Trace {
    /// A trace of a run without calls of tools.
    #[must_use]
    pub fn new(ticket: Ticket, clock_ms: u64, random_seed: [u8; 32]) -> Self {
        Self { ticket, clock_ms, random_seed, tool_calls: Vec::new() }
    }

    /// The same with these calls of tools.
    #[must_use]
    pub fn tool_calls(mut self, calls: Vec<ToolCall>) -> Self {
        self.tool_calls = calls;
        self
    }
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// What it was told: JSON.
    pub input: String,
    /// What it answered.
    pub answer: super::grants::ToolAnswer,
}
