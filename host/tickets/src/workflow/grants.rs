//! What an operator lets a workflow import besides its ticket.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

/// What the names of granted tools begin with.
const TOOL: &str = "tool:";
/// Longest name of a tool.
const TOOL_CHARS_MAX: usize = 64;

/// One thing that can be granted, as it is written in manifests and on the command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// `log`: lines for the operator.
    Log,
    /// `clock`: the time of the run.
    Clock,
    /// `random`: unpredictable bytes.
    Random,
    /// `wasi-stubs`: imports of WASI, each as a function that traps.
    WasiStubs,
    /// `tool:NAME`: a tool of the operator.
    Tool(String),
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log"),
            Self::Clock => f.write_str("clock"),
            Self::Random => f.write_str("random"),
            Self::WasiStubs => f.write_str("wasi-stubs"),
            Self::Tool(name) => write!(f, "{TOOL}{name}"),
        }
    }
}

impl FromStr for Grant {
    type Err = UnknownGrant;

    fn from_str(text: &str) -> Result<Self, UnknownGrant> {
        match text {
            "log" => Ok(Self::Log),
            "clock" => Ok(Self::Clock),
            "random" => Ok(Self::Random),
            "wasi-stubs" => Ok(Self::WasiStubs),
            _ => match text.strip_prefix(TOOL) {
                Some(name) if is_tool_name(name) => Ok(Self::Tool(name.to_owned())),
                _ => Err(UnknownGrant(text.to_owned())),
            },
        }
    }
}

/// Whether a tool can have this name: 1 to 64 characters of `a-z 0-9 . _ -`.
#[must_use]
pub fn is_tool_name(name: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=TOOL_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_char)
}

/// A text that names nothing that can be granted.
#[derive(Debug, thiserror::Error)]
#[error("unknown grant `{0}`: there are log, clock, random, wasi-stubs and tool:NAME")]
pub struct UnknownGrant(String);

/// What a tool answers: JSON, or why it failed.
pub type ToolAnswer = Result<String, String>;

/// A tool under way.
pub type ToolCalling = Pin<Box<dyn Future<Output = ToolAnswer> + Send>>;

/// What a workflow may call: JSON in, JSON out. Any function that returns a future is one.
///
/// The future is dropped when the time of the run is up.
pub trait Tool: Send + Sync {
    /// Calls it with `input`, which is JSON.
    fn call(&self, input: String) -> ToolCalling;
}

impl<F, R> Tool for F
where
    F: Fn(String) -> R + Send + Sync,
    R: Future<Output = ToolAnswer> + Send + 'static,
{
    fn call(&self, input: String) -> ToolCalling {
        Box::pin(self(input))
    }
}

/// A tool, and whether a dry run may call it.
#[derive(Clone)]
pub(super) struct Granted {
    pub(super) tool: Arc<dyn Tool>,
    pub(super) is_read_only: bool,
}

/// What an operator lets a workflow import besides its ticket. Nothing by default.
#[derive(Clone, Default)]
pub struct Grants {
    pub(super) log: bool,
    pub(super) clock: bool,
    pub(super) random: bool,
    pub(super) wasi_stubs: bool,
    pub(super) tools: BTreeMap<String, Granted>,
}

impl Grants {
    /// Grants the interface `log`.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Grants the interface `clock`.
    #[must_use]
    pub fn clock(mut self) -> Self {
        self.clock = true;
        self
    }

    /// Grants the interface `random`.
    #[must_use]
    pub fn random(mut self) -> Self {
        self.random = true;
        self
    }

    /// Grants imports of WASI, each as a function that traps: compilers add some that are never called.
    #[must_use]
    pub fn wasi_stubs(mut self) -> Self {
        self.wasi_stubs = true;
        self
    }

    /// Grants a tool. What it does stays done when the run fails, and is done again when the run is repeated.
    #[must_use]
    pub fn tool(mut self, name: impl Into<String>, tool: impl Tool + 'static) -> Self {
        self.tools.insert(name.into(), Granted { tool: Arc::new(tool), is_read_only: false });
        self
    }

    /// Grants a tool that changes nothing, so that a dry run may call it.
    #[must_use]
    pub fn read_only_tool(mut self, name: impl Into<String>, tool: impl Tool + 'static) -> Self {
        self.tools.insert(name.into(), Granted { tool: Arc::new(tool), is_read_only: true });
        self
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("log", &self.log)
            .field("clock", &self.clock)
            .field("random", &self.random)
            .field("wasi_stubs", &self.wasi_stubs)
            .field("tools", &self.tools.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_as_it_is_written() {
        let grants = [Grant::Log, Grant::Clock, Grant::Random, Grant::WasiStubs, Grant::Tool("look-up".into())];
        for grant in grants {
            assert_eq!(grant.to_string().parse::<Grant>().expect("a grant"), grant);
        }
        for text in ["", "Log", "tool:", "tool:a b", "network"] {
            let error = text.parse::<Grant>().expect_err(text).to_string();
            assert!(error.contains(&format!("unknown grant `{text}`")), "{error}");
        }
    }
}
