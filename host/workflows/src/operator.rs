//! What an operator decides for all workflows of a folder: the ceiling of their limits, and the tools that there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use ticket_host::workflow::{Grant, Grants, RunLimits, is_tool_name};

use super::error::Error;
use super::files;
use super::manifest::Limits;
use super::tool::CommandTool;

/// The name of the file.
pub(crate) const FILE: &str = "operator.toml";
/// How long a tool may take where nothing else is said.
const TOOL_TIME_MS: u64 = 1_000;
/// Longer than any run.
const TOOL_TIME_MS_MAX: u64 = 5_000;

/// What an operator decides for all workflows: the file `operator.toml`. It is written by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// No workflow gets more, whatever its manifest says.
    #[serde(default)]
    ceiling: Limits,
    /// Tools by name.
    #[serde(default)]
    tools: BTreeMap<String, ToolEntry>,
}

/// A tool: a command that is told JSON on stdin and answers JSON on stdout.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolEntry {
    /// The program and its arguments.
    command: Vec<String>,
    /// How long it may take.
    #[serde(default = "tool_time_ms")]
    time_ms: u64,
    /// Whether it changes nothing, so that a dry run may call it.
    #[serde(default)]
    read_only: bool,
    /// The variables of the environment that it gets besides `PATH` and `HOME`.
    #[serde(default)]
    environment: Vec<String>,
}

fn tool_time_ms() -> u64 {
    TOOL_TIME_MS
}

impl Operator {
    /// Reads the file of a folder; the defaults if there is none.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::File`], with the line where it is known; [`Error::File`] too if other users can write it.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        files::check_owner(folder)?;
        files::check_owner(&path)?;
        let operator: Self = files::parse(&files::text(&path)?, &path)?;
        operator.check().map_err(|reason| Error::file(&path, reason))?;
        Ok(operator)
    }

    /// The ceiling of all limits.
    #[must_use]
    pub fn ceiling(&self) -> RunLimits {
        self.ceiling.over(&RunLimits::ceiling())
    }

    /// Grants with the tools that they name.
    ///
    /// # Errors
    /// The first tool that there is not.
    pub fn grants<'a>(&self, grants: impl IntoIterator<Item = &'a Grant>) -> Result<Grants, String> {
        grants.into_iter().try_fold(Grants::default(), |all, grant| {
            Ok(match grant {
                Grant::Log => all.log(),
                Grant::Clock => all.clock(),
                Grant::Random => all.random(),
                Grant::WasiStubs => all.wasi_stubs(),
                Grant::Tool(name) => match self.tool(name) {
                    Some((tool, true)) => all.read_only_tool(name, tool),
                    Some((tool, false)) => all.tool(name, tool),
                    None => return Err(name.clone()),
                },
            })
        })
    }

    /// The tool of this name, and whether it is read-only.
    fn tool(&self, name: &str) -> Option<(CommandTool, bool)> {
        let ToolEntry { command, time_ms, read_only, environment } = self.tools.get(name)?.clone();
        let tool =
            CommandTool { name: name.to_owned(), command, time_max: Duration::from_millis(time_ms), environment };
        Some((tool, read_only))
    }

    fn check(&self) -> Result<(), String> {
        self.ceiling().check().map_err(|error| format!("ceiling: {error}"))?;
        for (name, tool) in &self.tools {
            if !is_tool_name(name) {
                return Err(format!("the tool `{name}` is not 1 to 64 characters of a-z 0-9 . _ -"));
            }
            if tool.command.first().is_none_or(String::is_empty) {
                return Err(format!("the tool `{name}` has no command: write `command = [\"PROGRAM\"]`"));
            }
            if !(1..=TOOL_TIME_MS_MAX).contains(&tool.time_ms) {
                let ms = tool.time_ms;
                return Err(format!(
                    "time_ms of the tool `{name}` is {ms}, which is not between 1 and {TOOL_TIME_MS_MAX}"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Operator, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), text).expect("written");
        Operator::read(folder.path())
    }

    #[test]
    fn a_ceiling_is_below_the_highest() {
        assert_eq!(Operator::default().ceiling(), RunLimits::ceiling());
        let operator = read("[ceiling]\ntime_ms = 100\n").expect("an operator");
        assert_eq!(operator.ceiling(), RunLimits::ceiling().time_max(Duration::from_millis(100)));
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "").expect("written");
        for path in [folder.path(), &file] {
            let mode = |mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("permitted");
            mode(0o777);
            let error = Operator::read(folder.path()).expect_err("refused").to_string();
            assert!(error.contains("other users can write to it"), "{error}");
            mode(0o755);
        }
        Operator::read(folder.path()).expect("an operator");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("[ceiling]\ntime_ms = 9000\n", "ceiling: the limit `time_ms` is 9000"),
            ("[ceiling]\ntime_ms = 0\n", "ceiling: the limit `time_ms` is 0"),
            ("[tools.a]\ncommand = []\n", "the tool `a` has no command"),
            ("[tools.a]\ncommand = [\"x\"]\ntime_ms = 0\n", "time_ms of the tool `a` is 0"),
            ("[tools.\"A b\"]\ncommand = [\"x\"]\n", "the tool `A b` is not"),
            ("[tool.a]\n", "line 1: unknown field `tool`"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
