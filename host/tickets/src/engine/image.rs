//! The component as machine code: compiled once in a process, and kept between processes where allowed.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::component::Component;
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig};

use super::host_ctx::{MEMORY_BYTES_MAX, TABLE_ELEMENTS_MAX};
use crate::image_folder::{self, ImageFolder};

/// The engine as `guest/builder` made it.
const COMPONENT: &[u8] = include_bytes!("../../engine.wasm");
/// Most calls in the engine at once, for each core; further callers wait. A call spends nearly all of
/// its time in the store: so many keep a core busy where a store takes a millisecond and the engine 8 µs.
const INSTANCES_PER_CORE: usize = 128;
/// Most fresh instances at once: each slot takes 4 GiB of addresses, of which there are 128 TiB.
const SLOTS_MAX: u16 = 1_024;
/// Most core instances that the component is made of: the engine, and what the component model puts around it.
const CORE_INSTANCES_MAX: u32 = 4;
/// Bytes of an instance that are kept for the next: what a usual call writes to, many times over. All that was ever
/// written to among them is wiped after every call, so a slot that once had a large ticket must not keep all of it.
const RESIDENT_BYTES: usize = 256 * 1024;

/// A component that is ready to run.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) engine: Engine,
    pub(super) component: Component,
    /// Permits for fresh instances, whose slots are those of the whole process.
    slots: Option<Arc<Semaphore>>,
}

impl Image {
    /// One permit for each instance that may exist at once: for one store, or for the process if instances are fresh.
    pub(super) fn permits(&self) -> Arc<Semaphore> {
        self.slots.clone().unwrap_or_else(|| Arc::new(Semaphore::new(usize::from(instances_max()))))
    }
}

fn instances_max() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores * INSTANCES_PER_CORE).unwrap_or(u16::MAX)
}

/// The image of this process, for instances that are `fresh` for every call or for those that are kept; `folder` is
/// where it is kept for the next process.
pub(super) fn load(folder: Option<&Path>, fresh: bool) -> wasmtime::Result<Image> {
    static LOADED: Mutex<[Option<Image>; 2]> = Mutex::new([const { None }; 2]);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = &mut loaded[usize::from(fresh)];
    if let Some(image) = loaded {
        return Ok(image.clone());
    }
    let mut config = config();
    let slots_max = fresh.then(|| instances_max().min(SLOTS_MAX));
    if let Some(count) = slots_max {
        // The code checks the bounds of memory itself, so that pages which an instance grew need not be protected from
        // the next one: changing the protection twice takes longer than the checks.
        config.signals_based_traps(false).memory_guard_size(0).allocation_strategy(slots(count.into()));
    }
    let engine = Engine::new(&config)?;
    let folder = folder.and_then(|folder| {
        let opened = ImageFolder::open(folder);
        opened
            .inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "compiled images are not kept"))
            .ok()
    });
    let name = name(&engine);
    let kept = folder.as_ref().map(|folder| (folder, &*name));
    let component = match kept.and_then(|(folder, name)| folder.read(name, &[&engine])) {
        Some((component, _)) => component,
        None => compile(&engine, kept)?,
    };
    let slots = slots_max.map(|count| Arc::new(Semaphore::new(count.into())));
    Ok(loaded.insert(Image { engine, component, slots }).clone())
}

/// Memory that fresh instances take and return: its pages stay mapped, and only those that were written to are wiped.
/// Mapping and unmapping memory for each instance costs four times as much.
fn slots(count: u32) -> PoolingAllocationConfig {
    let mut slots = PoolingAllocationConfig::new();
    slots
        .total_component_instances(count)
        .total_core_instances(count * CORE_INSTANCES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_memories(count)
        .max_memories_per_component(1)
        .max_memory_size(MEMORY_BYTES_MAX)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .total_tables(count * CORE_INSTANCES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .table_keep_resident(RESIDENT_BYTES)
        .total_stacks(count)
        .pagemap_scan(Enabled::Auto);
    slots
}

/// What the engine needs of Wasmtime, and nothing else.
fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true);
    config
}

fn compile(engine: &Engine, kept: Option<(&ImageFolder, &str)>) -> wasmtime::Result<Component> {
    let component = Component::from_binary(engine, COMPONENT)?;
    if let Some((folder, name)) = kept
        && let Err(error) = component.serialize().map_err(io::Error::other).and_then(|image| folder.write(name, &image))
    {
        tracing::warn!(folder = %folder.path().display(), %error, "the compiled image cannot be kept");
    }
    Ok(component)
}

fn name(engine: &Engine) -> String {
    let component = Sha256::digest(COMPONENT);
    let component = u64::from_be_bytes(std::array::from_fn(|index| component[index]));
    format!("engine-{component:016x}-{}", image_folder::compatibility(engine))
}
