//! The Wasmtime engines of workflows, apart from that of the ticket engine: other limits, and interruption.

use std::sync::OnceLock;

use wasmtime::component::Component;
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig};

use super::limits::{MEMORY_BYTES_CEILING, TABLE_ELEMENTS_MAX};
use super::ticker;
use crate::image_folder::{self, ImageFolder};

/// Small workflows that run at once; further ones wait.
pub(super) const SLOTS_MAX: u32 = 128;
/// Core instances of a small workflow: its module, and what the component model puts around it.
const CORE_INSTANCES_MAX: u32 = 8;
/// Tables of a small workflow.
const TABLES_MAX: u32 = 4;
/// Bytes of an instance that are kept for the next; as for the ticket engine.
const RESIDENT_BYTES: usize = 256 * 1024;

/// A component that is compiled, and how much room its instances need.
pub(super) struct Compiled {
    pub(super) component: Component,
    /// Whether its instances are of the pool.
    pub(super) is_small: bool,
}

/// Compiles a component, whose instructions are counted if it is `metered`.
pub(super) fn compile(bytes: &[u8], metered: bool) -> wasmtime::Result<Compiled> {
    let image = image(bytes, metered)?;
    // SAFETY: the image was made by this process just now, by an engine of the same settings.
    #[expect(unsafe_code, reason = "an image is native code, which Wasmtime cannot verify")]
    let load = |engine| unsafe { Component::deserialize(engine, &image) };
    // The pool refuses what its slots have no room for.
    Ok(match load(engine(metered, true)?) {
        Ok(component) => Compiled { component, is_small: true },
        Err(_) => Compiled { component: load(engine(metered, false)?)?, is_small: false },
    })
}

/// The native code of a component, for both engines of this kind.
pub(super) fn image(bytes: &[u8], metered: bool) -> wasmtime::Result<Vec<u8>> {
    engine(metered, false)?.precompile_component(bytes)
}

/// What the name of an image must end with.
pub(super) fn compatibility(metered: bool) -> wasmtime::Result<String> {
    Ok(image_folder::compatibility(engine(metered, false)?))
}

/// The component of an image that was kept, if it is there and undamaged.
pub(super) fn kept(folder: &ImageFolder, name: &str, metered: bool) -> wasmtime::Result<Option<Compiled>> {
    if let Some(component) = folder.read(name, engine(metered, true)?) {
        return Ok(Some(Compiled { component, is_small: true }));
    }
    let large = folder.read(name, engine(metered, false)?);
    Ok(large.map(|component| Compiled { component, is_small: false }))
}

fn engine(metered: bool, pooled: bool) -> wasmtime::Result<&'static Engine> {
    static ENGINES: [OnceLock<Engine>; 4] = [const { OnceLock::new() }; 4];
    let slot = &ENGINES[usize::from(metered) * 2 + usize::from(pooled)];
    if let Some(engine) = slot.get() {
        return Ok(engine);
    }
    let engine = Engine::new(&config(metered, pooled))?;
    Ok(slot.get_or_init(|| {
        ticker::add(&engine);
        engine
    }))
}

fn config(metered: bool, pooled: bool) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .consume_fuel(metered)
        // As for fresh instances of the ticket engine: the code checks bounds, and no protection changes.
        .signals_based_traps(false)
        .memory_guard_size(0)
        .memory_reservation(MEMORY_BYTES_CEILING as u64)
        .memory_may_move(false);
    if pooled {
        config.allocation_strategy(slots());
    }
    config
}

fn slots() -> PoolingAllocationConfig {
    let mut slots = PoolingAllocationConfig::new();
    slots
        .total_component_instances(SLOTS_MAX)
        .total_core_instances(SLOTS_MAX * CORE_INSTANCES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_memories(SLOTS_MAX)
        .max_memories_per_component(1)
        .max_memory_size(MEMORY_BYTES_CEILING)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .total_tables(SLOTS_MAX * TABLES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .table_keep_resident(RESIDENT_BYTES)
        .total_stacks(SLOTS_MAX)
        .pagemap_scan(Enabled::Auto);
    slots
}
