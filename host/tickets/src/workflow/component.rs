//! [`Workflow`]: a component that was checked, compiled and linked.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;
use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::{self, WorkflowPre};
use super::error::LoadError;
use super::form::{check_form, digest};
use super::grants::Grants;
use super::host_ctx::HostCtx;
use super::images::Images;
use super::limits::RunLimits;
use super::machine::{self, Compiled, SLOTS_MAX};
use crate::error::Error;

const TICKET: &str = "agent:workflow/ticket@0.1.0";
const LOG: &str = "agent:workflow/log@0.1.0";
const CLOCK: &str = "agent:workflow/clock@0.1.0";
const RANDOM: &str = "agent:workflow/random@0.1.0";
const TOOLS: &str = "agent:workflow/tools@0.1.0";
const HANDLER: &str = "agent:workflow/handler@0.1.0";
/// What all interfaces of workflows begin with.
const PACKAGE: &str = "agent:workflow/";
const WASI: &str = "wasi:";

/// A component that acts on one ticket. A clone is another handle to the same.
#[derive(Clone)]
pub struct Workflow {
    loaded: Arc<Loaded>,
    contract: Option<Arc<dyn Contract>>,
}

struct Loaded {
    digest: String,
    bytes: Vec<u8>,
    grants: Grants,
    limits: RunLimits,
    images: Option<Images>,
    plain: Runnable,
    /// The same with its instructions counted; compiled when it is first asked for.
    metered: OnceLock<Runnable>,
}

/// What input and output must be, besides JSON.
pub trait Contract: Send + Sync {
    /// Checks the input, which is JSON.
    ///
    /// # Errors
    /// What is wrong, as it goes on after "the input".
    fn check_input(&self, input: &str) -> Result<(), String>;

    /// Checks the output, which is JSON, before anything is written.
    ///
    /// # Errors
    /// What is wrong, as it goes on after "the output of the workflow".
    fn check_output(&self, output: &str) -> Result<(), String>;
}

/// A component that is ready to run.
pub(super) struct Runnable {
    pub(super) pre: WorkflowPre<HostCtx>,
    /// Permits for instances of the pool; a large component has none.
    pub(super) slots: Option<&'static Semaphore>,
    pub(super) is_metered: bool,
}

impl Workflow {
    /// Checks and compiles a component. That takes from some ten milliseconds (Rust) to half a minute (Python).
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the component, or with the limits.
    pub fn load(bytes: Vec<u8>, grants: Grants, limits: RunLimits) -> Result<Self, LoadError> {
        Self::load_from(bytes, grants, limits, None)
    }

    /// The same with what [`Images::add`] compiled before, where it did.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the component, the limits or the folder.
    pub fn load_compiled(bytes: Vec<u8>, grants: Grants, limits: RunLimits, images: Images) -> Result<Self, LoadError> {
        Self::load_from(bytes, grants, limits, Some(images))
    }

    fn load_from(bytes: Vec<u8>, grants: Grants, limits: RunLimits, images: Option<Images>) -> Result<Self, LoadError> {
        limits.check()?;
        check_form(&bytes)?;
        let digest = digest(&bytes);
        let plain = runnable(&bytes, &digest, images.as_ref(), &grants, false)?;
        let metered = OnceLock::new();
        let loaded = Loaded { digest, bytes, grants, limits, images, plain, metered };
        Ok(Self { loaded: Arc::new(loaded), contract: None })
    }

    /// The same with a contract of its input and output.
    #[must_use]
    pub fn with_contract(self, contract: impl Contract + 'static) -> Self {
        Self { contract: Some(Arc::new(contract)), ..self }
    }

    /// The SHA-256 of the component, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.loaded.digest
    }

    /// What one run may use.
    #[must_use]
    pub fn limits(&self) -> &RunLimits {
        &self.loaded.limits
    }

    /// Whether its instances are of a pool that is kept ready. Components of interpreters are too large for it.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.loaded.plain.slots.is_some()
    }

    pub(super) fn grants(&self) -> &Grants {
        &self.loaded.grants
    }

    pub(super) fn contract(&self) -> Option<&dyn Contract> {
        self.contract.as_deref()
    }

    /// Loads or compiles what is not there yet, on a thread that may block.
    pub(super) async fn make_ready(&self, metered: bool) -> Result<(), Error> {
        if !metered || self.loaded.metered.get().is_some() {
            return Ok(());
        }
        let workflow = self.clone();
        let compiled = tokio::task::spawn_blocking(move || workflow.runnable(true).map(drop)).await;
        compiled.map_err(Error::internal)?.map_err(Error::internal)
    }

    pub(super) fn runnable(&self, metered: bool) -> Result<&Runnable, LoadError> {
        let loaded = &*self.loaded;
        if !metered {
            return Ok(&loaded.plain);
        }
        if let Some(metered) = loaded.metered.get() {
            return Ok(metered);
        }
        let compiled = runnable(&loaded.bytes, &loaded.digest, loaded.images.as_ref(), &loaded.grants, true)?;
        Ok(loaded.metered.get_or_init(|| compiled))
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow")
            .field("digest", &self.loaded.digest)
            .field("grants", &self.loaded.grants)
            .finish_non_exhaustive()
    }
}

/// Takes a component from its image, or compiles it.
fn runnable(
    bytes: &[u8],
    digest: &str,
    images: Option<&Images>,
    grants: &Grants,
    is_metered: bool,
) -> Result<Runnable, LoadError> {
    static SLOTS: Semaphore = Semaphore::const_new(SLOTS_MAX as usize);
    let kept = images.map(|images| images.get(digest, is_metered)).transpose()?.flatten();
    let compiled = kept.map_or_else(|| machine::compile(bytes, is_metered).map_err(LoadError::compile), Ok);
    let Compiled { component, is_small } = compiled?;
    check_borders(&component, grants)?;
    let pre = link(&component, grants).map_err(LoadError::compile)?;
    Ok(Runnable { pre, slots: is_small.then_some(&SLOTS), is_metered })
}

fn link(component: &Component, grants: &Grants) -> wasmtime::Result<WorkflowPre<HostCtx>> {
    let mut linker = Linker::new(component.engine());
    // What is not granted was refused before: no component that comes here imports it.
    bindings::Workflow::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx: &mut HostCtx| ctx)?;
    if grants.wasi_stubs {
        linker.define_unknown_imports_as_traps(component)?;
    }
    WorkflowPre::new(linker.instantiate_pre(component)?)
}

/// Whether it imports nothing but what was granted, and exports the handler.
fn check_borders(component: &Component, grants: &Grants) -> Result<(), LoadError> {
    let (ty, engine) = (component.component_type(), component.engine());
    for (import, _) in ty.imports(engine) {
        let (granted, grant) = match import {
            TICKET => continue,
            LOG => (grants.log, "log"),
            CLOCK => (grants.clock, "clock"),
            RANDOM => (grants.random, "random"),
            TOOLS => (!grants.tools.is_empty(), "tool:NAME"),
            wasi if wasi.starts_with(WASI) => (grants.wasi_stubs, "wasi-stubs"),
            other => return Err(no_such_import(other)),
        };
        if !granted {
            return Err(LoadError::NotGranted { import: import.to_owned(), grant });
        }
    }
    let mut exports = ty.exports(engine).map(|(name, _)| name);
    if component.get_export_index(None, HANDLER).is_some() {
        return Ok(());
    }
    match exports.find(|name| is_version_of(name, HANDLER)) {
        Some(other) => Err(LoadError::OtherVersion { asked: other.to_owned(), here: HANDLER }),
        None => Err(LoadError::NoHandler(HANDLER)),
    }
}

fn no_such_import(import: &str) -> LoadError {
    let asked = import.to_owned();
    if let Some(here) = [TICKET, LOG, CLOCK, RANDOM, TOOLS].into_iter().find(|ours| is_version_of(import, ours)) {
        return LoadError::OtherVersion { asked, here };
    }
    let hint = if import.starts_with(PACKAGE) { ": it may be of a newer version" } else { "" };
    LoadError::NoSuchImport { import: asked, hint }
}

/// Whether both name the same interface, but for the version.
fn is_version_of(name: &str, ours: &str) -> bool {
    let interface = |name: &str| name.split('@').next().map(str::to_owned);
    interface(name) == interface(ours)
}
