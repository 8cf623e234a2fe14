//! Instances of the engine, kept and used again: a call into one costs 0.2 µs, a new instance 6 µs or more.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wasmtime::component::{HasSelf, InstancePre, Linker};

use super::bindings::agent::tickets0_1_0::environment;
use super::host_ctx::HostCtx;
use super::image::Image;
use super::instance::{Exports, Instance};
use super::key_value;
use crate::error::Error;
use crate::settings::Settings;
use ticket_store::SharedStore;

/// An instance whose memory has grown past this after a large ticket is not kept. A usual one has 1.1 MiB.
const KEPT_MEMORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Instances of the engine. Each call provides the store.
pub(super) struct Pool {
    component: InstancePre<HostCtx>,
    exports: Arc<Exports>,
    settings: Arc<Settings>,
    idle: Mutex<Vec<Instance>>,
    permits: Arc<Semaphore>,
}

/// An instance for one call. If it is dropped without being given back, it ends: after a trap, or if the caller drops
/// the future of the call.
pub(super) struct Borrowed {
    instance: Instance,
    _permit: OwnedSemaphorePermit,
}

impl Deref for Borrowed {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Instance {
        &mut self.instance
    }
}

impl Pool {
    pub(super) fn new(image: &Image, settings: Arc<Settings>) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&image.engine);
        key_value::add_to_linker(&mut linker)?;
        environment::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx: &mut HostCtx| ctx)?;
        let component = linker.instantiate_pre(&image.component)?;
        let exports = Arc::new(Exports::of(&image.component)?);
        Ok(Self { component, exports, settings, idle: Mutex::default(), permits: image.permits() })
    }

    /// An instance of its own for one call on a store, whose time begins now.
    pub(super) async fn borrow(&self, store: &SharedStore) -> Result<Borrowed, Error> {
        let deadline = Instant::now() + self.settings.deadline;
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(Error::internal)?;
        let idle = self.idle().pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.instance(store).await.map_err(Error::internal)?,
        };
        instance.ctx_mut().begin_call(store, deadline);
        Ok(Borrowed { instance, _permit: permit })
    }

    /// Takes an instance back after a call that did not trap.
    pub(super) fn give_back(&self, borrowed: Borrowed) {
        let is_small = borrowed.ctx().memory_bytes() <= KEPT_MEMORY_BYTES_MAX;
        if is_small && !self.settings.fresh_instances {
            self.idle().push(borrowed.instance);
        }
    }

    async fn instance(&self, store: &SharedStore) -> wasmtime::Result<Instance> {
        let ctx = HostCtx::new(Arc::clone(store), Arc::clone(&self.settings));
        Instance::new(&self.component, &self.exports, ctx).await
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("settings", &self.settings).finish_non_exhaustive()
    }
}
