//! What an operator granted to which component.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::files;
use super::manifest::Limits;

/// The name of the file.
const FILE: &str = "grants.toml";

/// What is granted to one component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// The workflow that it was granted to, for people.
    pub workflow: String,
    /// `log`, `clock`, `random`, `wasi-stubs`, `tool:NAME`.
    #[serde(default)]
    pub grants: Vec<String>,
    /// Limits below those of the manifest.
    #[serde(default)]
    pub limits: Limits,
}

/// All that was granted, by the SHA-256 of the component: the file `grants.toml`.
#[derive(Clone, Debug)]
pub struct Grants {
    path: PathBuf,
    by_digest: BTreeMap<String, Granted>,
}

impl Grants {
    /// Reads the file of a folder; nothing is granted if there is none.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::File`], with the line where it is known.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let by_digest = if path.exists() { files::parse(&files::text(&path)?, &path)? } else { BTreeMap::new() };
        Ok(Self { path, by_digest })
    }

    /// What is granted to a component.
    #[must_use]
    pub fn to(&self, digest: &str) -> Granted {
        self.by_digest.get(digest).cloned().unwrap_or_default()
    }

    /// Replaces what is granted to a component.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub(crate) fn set(&mut self, digest: &str, granted: Granted) -> Result<(), Error> {
        self.by_digest.insert(digest.to_owned(), granted);
        self.write()
    }

    /// Removes what was granted to all builds of a workflow.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub(crate) fn remove(&mut self, workflow: &str) -> Result<(), Error> {
        self.by_digest.retain(|_, granted| granted.workflow != workflow);
        self.write()
    }

    fn write(&self) -> Result<(), Error> {
        let text = toml::to_string(&self.by_digest).map_err(|error| Error::file(&self.path, error.to_string()))?;
        files::replace(&self.path, text.as_bytes())
    }
}
