//! One workflow of a registry: what was read of it, and its component once it is asked for.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ticket_host::workflow::{Images, Workflow};

use super::backoff::Backoff;
use super::effective::Effective;
use super::error::Error;
use super::files;
use super::grants::{Granted, Grants};
use super::manifest::{self, Manifest};
use super::operator::Operator;
use super::package::Package;
use super::schema::Schemas;

/// What was read of a workflow.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) manifest: Manifest,
    /// The SHA-256 of the component.
    pub(crate) digest: String,
    pub(crate) effective: Effective,
    pub(crate) backoff: Backoff,
    /// The file of the component.
    pub(crate) component: PathBuf,
    granted: Granted,
    operator: Operator,
    loaded: Mutex<Option<Workflow>>,
}

impl Entry {
    /// Reads a workflow of a registry, without its component.
    pub(crate) fn read(folder: &Path, name: &str, grants: &Grants, operator: &Operator) -> Result<Self, Error> {
        let folder = folder.join(name);
        let path = folder.join(manifest::FILE);
        let manifest = Manifest::read(&path)?;
        if manifest.name != name {
            return Err(Error::file(&path, format!("name is `{}`, not `{name}` as its folder", manifest.name)));
        }
        let Some(digest) = manifest.sha256.clone() else {
            return Err(Error::file(&path, "it has no sha256: `ticket workflow add` writes it"));
        };
        let granted = grants.to(&digest);
        Self::new(manifest, digest, &folder, granted, operator)
    }

    /// A package that is to be added.
    pub(crate) fn of(package: &Package, granted: Granted, operator: &Operator) -> Result<Self, Error> {
        Self::new(package.manifest.clone(), package.digest.clone(), &package.folder, granted, operator)
    }

    fn new(
        manifest: Manifest,
        digest: String,
        folder: &Path,
        granted: Granted,
        operator: &Operator,
    ) -> Result<Self, Error> {
        let effective = Effective::of(&manifest, &granted, operator)?;
        Ok(Self {
            component: folder.join(&manifest.component),
            manifest,
            digest,
            effective,
            backoff: Backoff::default(),
            granted,
            operator: operator.clone(),
            loaded: Mutex::new(None),
        })
    }

    /// Whether both were read from the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.manifest == other.manifest && self.granted == other.granted && self.operator == other.operator
    }

    /// The same, loaded on a thread that may block: an interpreter takes a tenth of a second.
    pub(crate) async fn loaded(self: &Arc<Self>, images: &Images) -> Result<Workflow, Error> {
        if let Some(workflow) = &*self.loaded.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(workflow.clone());
        }
        let (entry, images) = (Arc::clone(self), images.clone());
        let loaded = tokio::task::spawn_blocking(move || entry.workflow(&images)).await;
        loaded.unwrap_or_else(|error| Err(Error::Compile(error.to_string())))
    }

    /// The workflow, whose component is compiled: it is loaded when it is first asked for.
    pub(crate) fn workflow(&self, images: &Images) -> Result<Workflow, Error> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workflow) = &*loaded {
            return Ok(workflow.clone());
        }
        let bytes = files::component(&self.component)?;
        let (name, Effective { limits, run_grants, .. }) = (self.manifest.name.clone(), &self.effective);
        let schemas = Schemas::of(&self.manifest).map_err(|reason| Error::file(&self.component, reason))?;
        let workflow = Workflow::load_compiled(bytes, run_grants.clone(), *limits, images.clone())
            .map_err(|source| Error::Load { name: name.clone(), source })?
            .with_contract(schemas);
        if workflow.digest() != self.digest {
            let (expected, found) = (self.digest.clone(), workflow.digest().to_owned());
            return Err(Error::Digest { name, expected, found });
        }
        Ok(loaded.insert(workflow).clone())
    }
}
