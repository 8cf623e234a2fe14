//! [`Workflows`]: the workflows of a folder.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ticket_host::Tickets;
use ticket_host::workflow::{Grant, Images, Run, RunError, Workflow};

use super::audit::{Audit, Event, Line};
use super::compile::Compiler;
use super::effective::Effective;
use super::entry::Entry;
use super::error::Error;
use super::files;
use super::grants::{Granted, Grants};
use super::manifest::{self, Limits, Manifest};
use super::operator::Operator;
use super::package::Package;

/// The folder of compiled components.
const IMAGES: &str = ".images";
/// Locked by whoever changes the folder.
const LOCK: &str = ".lock";

/// The workflows of a folder, and what each may do.
#[derive(Debug)]
pub struct Workflows {
    folder: PathBuf,
    images: Images,
    compiler: Compiler,
    audit: Audit,
    slots: RwLock<BTreeMap<String, Slot>>,
}

/// A workflow that serves, and what is wrong with the files that should replace it.
#[derive(Clone, Debug, Default)]
struct Slot {
    entry: Option<Arc<Entry>>,
    problem: Option<Arc<Error>>,
}

/// A workflow as it is listed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its manifest; none if it cannot be read.
    pub manifest: Option<Manifest>,
    /// What it may do; none if it cannot be read.
    pub effective: Option<Effective>,
    /// What is wrong with its files. What was read before serves.
    pub problem: Option<Arc<Error>>,
    /// Defective runs in a row, and how long it is still suspended.
    pub suspended: Option<(u32, Duration)>,
}

impl Listed {
    /// A package that is not in the registry.
    #[must_use]
    pub fn of(package: &Package) -> Self {
        let mut manifest = package.manifest.clone();
        manifest.sha256 = Some(package.digest.clone());
        let name = manifest.name.clone();
        Self { name, manifest: Some(manifest), effective: None, problem: None, suspended: None }
    }
}

impl Workflows {
    /// Opens a folder, which is made if it is not there, and compiles what is not compiled for this version of the host.
    /// A workflow that is damaged does not keep the others from serving: [`Workflows::list`] says what is wrong.
    ///
    /// # Errors
    /// If the folder, `operator.toml` or `grants.toml` is wrong.
    pub async fn open(folder: impl Into<PathBuf>, compiler: Compiler) -> Result<Self, Error> {
        let folder = folder.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(Error::io("make", &folder))?;
        let images = Images::open(folder.join(IMAGES)).map_err(|source| Error::Load { name: IMAGES.into(), source })?;
        let (audit, slots) = (Audit::new(&folder), RwLock::default());
        let workflows = Self { folder, images, compiler, audit, slots };
        workflows.reload().await?;
        Ok(workflows)
    }

    /// Reads the folder again. A workflow whose files have changed is replaced when the new ones are checked and compiled;
    /// if they are wrong, the old one serves on.
    ///
    /// # Errors
    /// If `operator.toml` or `grants.toml` is wrong: then nothing is replaced.
    pub async fn reload(&self) -> Result<(), Error> {
        let operator = Operator::read(&self.folder)?;
        let grants = Grants::read(&self.folder)?;
        let mut slots = BTreeMap::new();
        for name in self.names()? {
            let old = self.slot(&name).and_then(|slot| slot.entry);
            let read = match Entry::read(&self.folder, &name, &grants, &operator) {
                Ok(entry) => self.ready(entry, old.as_ref()).await,
                Err(error) => Err(error),
            };
            let slot = match read {
                Ok(entry) => Slot { entry: Some(entry), problem: None },
                Err(error) => {
                    self.audit.refused(&name, &error);
                    Slot { entry: old, problem: Some(Arc::new(error)) }
                }
            };
            slots.insert(name, slot);
        }
        *self.slots.write().unwrap_or_else(PoisonError::into_inner) = slots;
        Ok(())
    }

    /// Adds the workflow of a package, in place of another of its name. `grants` are what it may import; without them, those
    /// that were given to the same component before. `limits` are what it may take, where that is less than its manifest says.
    ///
    /// # Errors
    /// Everything that is wrong with the package, the grants and the limits; then nothing is changed.
    pub async fn add(&self, package: &Package, grants: Option<Vec<String>>, limits: Limits) -> Result<(), Error> {
        let (manifest, digest) = (&package.manifest, &package.digest);
        let granted = match self.checked(package, grants, limits).await {
            Ok(granted) => granted,
            Err(error) => {
                self.audit.refused(&manifest.name, &error);
                self.drop_images(digest)?;
                return Err(error);
            }
        };
        let lock = self.lock()?;
        let folder = self.folder.join(&manifest.name);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(Error::io("make", &folder))?;
        let old = Manifest::read(&folder.join(manifest::FILE)).ok();
        let component = format!("{digest}.wasm");
        files::replace(&folder.join(&component), &package.component)?;
        Grants::read(&self.folder)?.set(digest, granted.clone())?;
        // From here on it is the new one.
        let installed = Manifest { component: component.clone(), sha256: Some(digest.clone()), ..manifest.clone() };
        let text = toml::to_string(&installed);
        let text = text.map_err(|error| Error::file(&folder.join(manifest::FILE), error.to_string()))?;
        files::replace(&folder.join(manifest::FILE), text.as_bytes())?;
        // Whoever has just read the old manifest still finds its component.
        remove_all_but(&folder, &[manifest::FILE, &component, old.as_ref().map_or("", |old| &old.component)])?;
        drop(lock);
        self.note(Event::Added, &manifest.name, digest, granted.grants);
        self.reload().await?;
        old.and_then(|old| old.sha256).map_or(Ok(()), |digest| self.drop_images(&digest))
    }

    /// Checks a package as [`Workflows::add`] does, and adds nothing.
    ///
    /// # Errors
    /// As [`Workflows::add`].
    pub async fn check(&self, package: &Package, grants: Option<Vec<String>>, limits: Limits) -> Result<(), Error> {
        self.checked(package, grants, limits).await.map(drop)
    }

    /// Removes a workflow and what was granted to it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if the folder cannot be changed.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        let slot = self.slot(name).ok_or_else(|| self.not_found(name))?;
        let lock = self.lock()?;
        let folder = self.folder.join(name);
        fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        let digest = slot.entry.map(|entry| entry.digest.clone()).unwrap_or_default();
        Grants::read(&self.folder)?.remove(name)?;
        drop(lock);
        self.note(Event::Removed, name, &digest, Vec::new());
        self.reload().await?;
        if digest.is_empty() { Ok(()) } else { self.drop_images(&digest) }
    }

    /// All workflows, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let listed = |(name, slot): (&String, &Slot)| Listed {
            name: name.clone(),
            manifest: slot.entry.as_ref().map(|entry| entry.manifest.clone()),
            effective: slot.entry.as_ref().map(|entry| entry.effective.clone()),
            problem: slot.problem.clone(),
            suspended: slot.entry.as_ref().and_then(|entry| entry.backoff.suspended()),
        };
        slots.iter().map(listed).collect()
    }

    /// The workflow of this name, ready to run by [`Tickets::run`]: without the back-off and the audit log.
    ///
    /// # Errors
    /// [`Error::NotFound`], or what is wrong with its files.
    pub fn workflow(&self, name: &str) -> Result<Workflow, Error> {
        self.entry(name)?.workflow(&self.images)
    }

    /// Runs the workflow of this name on a ticket, as [`Tickets::run`] does.
    ///
    /// # Errors
    /// [`Error::Run`], [`Error::Suspended`] after several defective runs in a row, [`Error::NotFound`], or what is wrong with
    /// its files.
    pub async fn run(&self, tickets: &Tickets, id: &str, name: &str, input: &str) -> Result<Run, Error> {
        let entry = self.entry(name)?;
        if let Some((defects, for_)) = entry.backoff.suspended() {
            return Err(Error::Suspended { name: name.to_owned(), defects, for_ });
        }
        let ran = tickets.run(id, &entry.loaded(&self.images).await?, input).await;
        self.ended(&entry, id, &ran);
        Ok(ran?)
    }

    /// The same, and nothing is written; see [`Tickets::dry_run`].
    ///
    /// # Errors
    /// As [`Workflows::run`], without the back-off.
    pub async fn dry_run(&self, tickets: &Tickets, id: &str, name: &str, input: &str) -> Result<Run, Error> {
        let workflow = self.entry(name)?.loaded(&self.images).await?;
        Ok(tickets.dry_run(id, &workflow, input).await?)
    }

    /// What the workflow of this name may import besides its ticket.
    #[must_use]
    pub fn granted(&self, name: &str) -> Vec<String> {
        let entry = self.slot(name).and_then(|slot| slot.entry);
        entry.map(|entry| entry.effective.grants.iter().map(Grant::to_string).collect()).unwrap_or_default()
    }

    /// Checks a package with all that `add` would be told, and compiles it. Returns what is granted.
    async fn checked(&self, package: &Package, grants: Option<Vec<String>>, limits: Limits) -> Result<Granted, Error> {
        let operator = Operator::read(&self.folder)?;
        let granted = match grants {
            Some(grants) => Granted { workflow: package.manifest.name.clone(), grants, limits },
            None => Grants::read(&self.folder)?.to(&package.digest),
        };
        let granted = Granted { workflow: package.manifest.name.clone(), ..granted };
        let entry = Entry::of(package, granted.clone(), &operator)?;
        self.ready(entry, None).await?.workflow(&self.images)?;
        Ok(granted)
    }

    /// An entry that is compiled, and checked if it replaces another: the old one if nothing has changed.
    async fn ready(&self, entry: Entry, old: Option<&Arc<Entry>>) -> Result<Arc<Entry>, Error> {
        let load = |source| Error::Load { name: entry.manifest.name.clone(), source };
        let is_compiled = self.images.contains(&entry.digest).map_err(load)?;
        if let Some(old) = old.filter(|old| is_compiled && old.is_same(&entry)) {
            return Ok(Arc::clone(old));
        }
        if !is_compiled {
            let bytes = files::component(&entry.component)?;
            self.compiler.compile(&entry.component, &bytes, &self.folder.join(IMAGES)).await?;
        }
        // What was added was checked then: at the start it is loaded when it is first asked for.
        if old.is_some() || !is_compiled {
            entry.workflow(&self.images)?;
        }
        Ok(Arc::new(entry))
    }

    /// Takes note of how a run ended.
    fn ended(&self, entry: &Entry, id: &str, ran: &Result<Run, RunError>) {
        let (name, digest) = (&entry.manifest.name, &entry.digest);
        self.audit.ran(name, digest, id, ran);
        let defect = match ran {
            Ok(_) => None,
            Err(RunError::Aborted(aborted)) => Some(&aborted.cause).filter(|cause| cause.is_defect()),
            Err(_) => return,
        };
        if let Some(suspension) = entry.backoff.ended(defect.is_some()) {
            let reason = defect.map(|defect| format!("for {} ms: {defect}", suspension.as_millis()));
            tracing::warn!(workflow = name, ?reason, "a workflow is suspended");
            let (event, grants) = (Event::Suspended, Vec::new());
            self.audit.note(&Line { event, workflow: name, sha256: digest, ticket: Some(id), grants, reason });
        }
    }

    fn note(&self, event: Event, workflow: &str, sha256: &str, grants: Vec<String>) {
        self.audit.note(&Line { event, workflow, sha256, ticket: None, grants, reason: None });
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn entry(&self, name: &str) -> Result<Arc<Entry>, Error> {
        let Slot { entry, problem } = self.slot(name).ok_or_else(|| self.not_found(name))?;
        match (entry, problem) {
            (Some(entry), _) => Ok(entry),
            (None, Some(problem)) => Err(Error::Damaged { name: name.to_owned(), source: problem }),
            (None, None) => Err(self.not_found(name)),
        }
    }

    /// That there is no workflow of this name.
    #[must_use]
    pub fn not_found(&self, name: &str) -> Error {
        Error::NotFound { name: name.to_owned(), folder: self.folder.clone() }
    }

    /// The names of the folders that can be workflows.
    fn names(&self) -> Result<Vec<String>, Error> {
        let read = || -> std::io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                let name = entry.file_name().into_string().unwrap_or_default();
                if entry.file_type()?.is_dir() && manifest::check_name(&name).is_ok() {
                    names.push(name);
                }
            }
            Ok(names)
        };
        read().map_err(Error::io("read", &self.folder))
    }

    /// Waits until no other process changes the folder, and keeps others from it until it is dropped.
    fn lock(&self) -> Result<File, Error> {
        let path = self.folder.join(LOCK);
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }

    /// Removes what is compiled of a component that no workflow has any more.
    fn drop_images(&self, digest: &str) -> Result<(), Error> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let mut entries = slots.values().filter_map(|slot| slot.entry.as_ref());
        if entries.any(|entry| entry.digest == digest) {
            return Ok(());
        }
        self.images.remove(digest).map_err(Error::io("clean", &self.folder.join(IMAGES)))
    }
}

fn remove_all_but(folder: &Path, kept: &[&str]) -> Result<(), Error> {
    let remove = || -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !kept.iter().any(|name| entry.file_name() == *name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().map_err(Error::io("clean", folder))
}
