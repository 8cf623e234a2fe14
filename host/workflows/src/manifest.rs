//! The manifest of a workflow: what its author says about it.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ticket_host::workflow::{Grant, RunLimits};

use super::error::Error;
use super::files;

/// The name of a manifest's file.
pub(crate) const FILE: &str = "workflow.toml";
/// Longest name of a workflow.
const NAME_CHARS_MAX: usize = 64;
const SHA256_DIGITS: usize = 64;

/// What the author of a workflow says about it: the file `workflow.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name: 1 to 64 characters of `a-z 0-9 -`, the first a letter.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// What it does, in a sentence.
    #[serde(default)]
    pub description: String,
    /// The file of the component, beside the manifest.
    pub component: String,
    /// The SHA-256 of the component, 64 hexadecimal digits. Whoever adds it to a registry may leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What it wants to import besides its ticket: `log`, `clock`, `random`, `wasi-stubs`, `tool:NAME`.
    #[serde(default)]
    pub grants: Vec<String>,
    /// What a run takes, where it is not the default.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// A JSON Schema of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// A JSON Schema of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::File`], with the line where it is known.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(&files::text(path)?, path)
    }

    /// Checks the text of a manifest; `path` is where it came from.
    ///
    /// # Errors
    /// [`Error::File`], with the line where it is known.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let manifest: Self = files::parse(text, path)?;
        manifest.check().map_err(|reason| Error::file(path, reason))?;
        Ok(manifest)
    }

    /// What it wants to import.
    pub(crate) fn wanted(&self) -> Result<Vec<Grant>, String> {
        self.grants.iter().map(|text| text.parse().map_err(|error| format!("{error}"))).collect()
    }

    fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        let is_plain = !self.component.is_empty() && !self.component.contains(['/', '\\']) && self.component != "..";
        if !is_plain {
            return Err(format!("component is `{}`, not the name of a file beside the manifest", self.component));
        }
        if let Some(digest) = &self.sha256 {
            let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if digest.len() != SHA256_DIGITS || !digest.bytes().all(is_digit) {
                return Err(format!("sha256 is `{digest}`, not {SHA256_DIGITS} digits of 0-9 a-f"));
            }
        }
        self.wanted()?;
        self.limits.over(&RunLimits::default()).check().map_err(|error| error.to_string())
    }
}

/// Whether a workflow can have this name.
///
/// # Errors
/// What it must be.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if begins && name.len() <= NAME_CHARS_MAX && name.bytes().all(is_char) {
        return Ok(());
    }
    Err(format!("name is `{name}`, not 1 to {NAME_CHARS_MAX} characters of a-z 0-9 - that begin with a letter"))
}

/// Limits as they are written in a file: those that are not there are the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<usize>,
    /// Time, calls of the host included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// Instructions, about. Where it is said they are counted in every run, else in dry runs and replays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// The output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<usize>,
    /// The log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<usize>,
    /// Lines of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_lines: Option<usize>,
    /// Repeats after a lost race.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u32>,
}

impl Limits {
    /// Reads `NAME = VALUE` lines.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let limits: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        limits.over(&RunLimits::default()).check().map_err(|error| error.to_string())?;
        Ok(limits)
    }

    /// These limits, and for the rest those of `base`.
    #[must_use]
    pub fn over(&self, base: &RunLimits) -> RunLimits {
        let time = self.time_ms.map_or(base.time_max, Duration::from_millis);
        let limits = self.fuel.map_or(*base, |fuel| base.fuel_max(fuel));
        limits
            .memory_bytes_max(self.memory_bytes.unwrap_or(base.memory_bytes_max))
            .time_max(time)
            .output_bytes_max(self.output_bytes.unwrap_or(base.output_bytes_max))
            .log_max(self.log_lines.unwrap_or(base.log_lines_max), self.log_bytes.unwrap_or(base.log_bytes_max))
            .repeats_max(self.repeats.unwrap_or(base.repeats_max))
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&RunLimits> for Limits {
    fn from(limits: &RunLimits) -> Self {
        Self {
            memory_bytes: Some(limits.memory_bytes_max),
            time_ms: u64::try_from(limits.time_max.as_millis()).ok(),
            fuel: Some(limits.fuel_max),
            output_bytes: Some(limits.output_bytes_max),
            log_bytes: Some(limits.log_bytes_max),
            log_lines: Some(limits.log_lines_max),
            repeats: Some(limits.repeats_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"refund\"\nversion = \"1.0\"\ncomponent = \"refund.wasm\"\n";

    fn refusal(text: &str) -> String {
        Manifest::parse(text, Path::new("workflow.toml")).expect_err(text).to_string()
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let manifest = Manifest::parse(GOOD, Path::new("workflow.toml")).expect("a manifest");
        assert_eq!(manifest.limits.over(&RunLimits::default()), RunLimits::default());
        assert_eq!((manifest.sha256, manifest.input, manifest.grants.len()), (None, None, 0));
    }

    #[test]
    fn a_wrong_manifest_is_refused_with_what_is_wrong() {
        for (text, expected) in [
            ("name = \"refund\"\n", "missing field `version`"),
            (&format!("{GOOD}colour = 1\n"), "workflow.toml: line 4: unknown field `colour`"),
            (&GOOD.replace("refund.wasm", "../refund.wasm"), "component is `../refund.wasm`, not the name of a file"),
            (&GOOD.replace("\"refund\"", "\"Re fund\""), "name is `Re fund`, not 1 to 64 characters"),
            (&GOOD.replace("\"refund\"", "\"\""), "name is ``"),
            (&format!("{GOOD}sha256 = \"12\"\n"), "sha256 is `12`, not 64 digits"),
            (&format!("{GOOD}grants = [\"network\"]\n"), "unknown grant `network`"),
            (&format!("{GOOD}[limits]\ntime_ms = 0\n"), "the limit `time_ms` is 0, which is not between 1 and 5000"),
            (&format!("{GOOD}[limits]\nmemory_bytes = 99999999\n"), "the limit `memory_bytes` is 99999999"),
            (&format!("{GOOD}[limits]\nfuel = -1\n"), "workflow.toml: line 5: invalid value: integer `-1`"),
            ("name = ", "workflow.toml: line 1:"),
        ] {
            assert!(refusal(text).contains(expected), "{}", refusal(text));
        }
    }

    #[test]
    fn a_manifest_is_written_as_it_is_read() {
        let text = format!("{GOOD}grants = [\"log\"]\n[limits]\ntime_ms = 9\n[input]\ntype = \"object\"\n");
        let manifest = Manifest::parse(&text, Path::new("a")).expect("a manifest");
        let written = toml::to_string(&manifest).expect("toml");
        assert_eq!(Manifest::parse(&written, Path::new("b")).expect("a manifest"), manifest, "{written}");
    }
}
