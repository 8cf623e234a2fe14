//! [`Workflow`]: a component that was checked, compiled and linked.

use std::fmt;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::WorkflowPre;
use super::bindings::agent::workflow::{log, ticket};
use super::error::LoadError;
use super::host_ctx::HostCtx;
use super::limits::{COMPONENT_BYTES_MAX, RunLimits};
use super::machine::{self, Compiled, SLOTS_MAX};

const TICKET: &str = "agent:workflow/ticket@0.1.0";
const LOG: &str = "agent:workflow/log@0.1.0";
const HANDLER: &str = "agent:workflow/handler@0.1.0";
/// What all interfaces of workflows begin with.
const PACKAGE: &str = "agent:workflow/";

/// What an operator lets a workflow import besides its ticket. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grants {
    /// The interface `log`.
    pub log: bool,
    /// Imports of WASI, each as a function that traps: compilers add some that are never called.
    pub wasi_stubs: bool,
}

impl Grants {
    /// Grants the interface `log`.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Grants imports of WASI that trap.
    #[must_use]
    pub fn wasi_stubs(mut self) -> Self {
        self.wasi_stubs = true;
        self
    }
}

/// A component that acts on one ticket. A clone is another handle to the same.
#[derive(Clone)]
pub struct Workflow(Arc<Loaded>);

struct Loaded {
    digest: String,
    bytes: Vec<u8>,
    grants: Grants,
    limits: RunLimits,
    plain: Runnable,
    /// The same with its instructions counted; compiled when it is first asked for.
    metered: OnceLock<Runnable>,
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
        limits.check()?;
        check_form(&bytes)?;
        let plain = runnable(&bytes, grants, false)?;
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(Arc::new(Loaded { digest, bytes, grants, limits, plain, metered: OnceLock::new() })))
    }

    /// The SHA-256 of the component, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// What one run may use.
    #[must_use]
    pub fn limits(&self) -> &RunLimits {
        &self.0.limits
    }

    pub(super) fn runnable(&self, metered: bool) -> Result<&Runnable, LoadError> {
        let loaded = &*self.0;
        if !metered {
            return Ok(&loaded.plain);
        }
        if let Some(metered) = loaded.metered.get() {
            return Ok(metered);
        }
        let compiled = runnable(&loaded.bytes, loaded.grants, true)?;
        Ok(loaded.metered.get_or_init(|| compiled))
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow")
            .field("digest", &self.0.digest)
            .field("grants", &self.0.grants)
            .finish_non_exhaustive()
    }
}

fn runnable(bytes: &[u8], grants: Grants, is_metered: bool) -> Result<Runnable, LoadError> {
    static SLOTS: Semaphore = Semaphore::const_new(SLOTS_MAX as usize);
    let Compiled { component, is_small } = machine::compile(bytes, is_metered).map_err(compile_error)?;
    check_borders(&component, grants)?;
    let pre = link(&component, grants).map_err(compile_error)?;
    Ok(Runnable { pre, slots: is_small.then_some(&SLOTS), is_metered })
}

fn compile_error(error: wasmtime::Error) -> LoadError {
    LoadError::Compile(error.into())
}

fn link(component: &Component, grants: Grants) -> wasmtime::Result<WorkflowPre<HostCtx>> {
    let mut linker = Linker::new(component.engine());
    ticket::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx: &mut HostCtx| ctx)?;
    if grants.log {
        log::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx: &mut HostCtx| ctx)?;
    }
    if grants.wasi_stubs {
        linker.define_unknown_imports_as_traps(component)?;
    }
    WorkflowPre::new(linker.instantiate_pre(component)?)
}

/// Whether the bytes begin as a component does, and are not too many.
fn check_form(bytes: &[u8]) -> Result<(), LoadError> {
    const MAGIC: &[u8] = b"\0asm";
    const MODULE: &[u8] = &[1, 0, 0, 0];
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: bytes.len(), max: COMPONENT_BYTES_MAX });
    }
    match bytes.strip_prefix(MAGIC) {
        Some(rest) if rest.starts_with(MODULE) => Err(LoadError::NotAComponent(
            "it is a core module, not a component: `wasm-tools component new` makes one of it",
        )),
        Some(_) => Ok(()),
        None => Err(LoadError::NotAComponent("it is not WebAssembly")),
    }
}

/// Whether it imports nothing but what was granted, and exports the handler.
fn check_borders(component: &Component, grants: Grants) -> Result<(), LoadError> {
    let (ty, engine) = (component.component_type(), component.engine());
    for (import, _) in ty.imports(engine) {
        match import {
            TICKET => {}
            LOG if grants.log => {}
            LOG => return Err(LoadError::NotGranted { import: import.to_owned(), grant: "log" }),
            wasi if wasi.starts_with("wasi:") && grants.wasi_stubs => {}
            other => return Err(refused(other)),
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

fn refused(import: &str) -> LoadError {
    let asked = import.to_owned();
    if let Some(here) = [TICKET, LOG].into_iter().find(|ours| is_version_of(import, ours)) {
        return LoadError::OtherVersion { asked, here };
    }
    let hint = match import {
        wasi if wasi.starts_with("wasi:") => ": build it without WASI, or grant `wasi-stubs` if it never calls that",
        ours if ours.starts_with(PACKAGE) => ": it may be of a newer version",
        _ => "",
    };
    LoadError::NoSuchImport { import: asked, hint }
}

/// Whether both name the same interface, but for the version.
fn is_version_of(name: &str, ours: &str) -> bool {
    let interface = |name: &str| name.split('@').next().map(str::to_owned);
    interface(name) == interface(ours)
}
