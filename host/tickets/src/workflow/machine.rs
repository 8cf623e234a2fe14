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
/// Larger components are taken for interpreters: QuickJS has 1 MB, a workflow in Rust some hundred KB.
const SMALL_BYTES_MAX: usize = 1_000_000;
/// Bytes of an instance that are kept for the next; as for the ticket engine.
const RESIDENT_BYTES: usize = 256 * 1024;

/// A component that is compiled, and how much room its instances need.
pub(super) struct Compiled {
    pub(super) component: Component,
    /// Whether its instances are of the pool.
    pub(super) is_small: bool,
}

/// Where the memory of instances comes from, and so how the code checks its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allocation {
    /// The pool: the code checks bounds, and memory is kept for the next instance.
    Pool,
    /// Memory of its own, for code of the pool whose component does not fit into a slot.
    OnDemand,
    /// Memory of its own among pages that cannot be read, so that the code needs no checks: for interpreters, which run
    /// long and take much memory.
    Guarded,
}

/// How a component of so many bytes is compiled; where its instances go is known when it is.
fn allocation(bytes: usize) -> Allocation {
    if bytes > SMALL_BYTES_MAX { Allocation::Guarded } else { Allocation::OnDemand }
}

/// Compiles a component, whose instructions are counted if it is `metered`.
pub(super) fn compile(bytes: &[u8], metered: bool) -> wasmtime::Result<Compiled> {
    let image = image(bytes, metered)?;
    // SAFETY: the image was made by this process just now, by an engine of the same settings.
    #[expect(unsafe_code, reason = "an image is native code, which Wasmtime cannot verify")]
    let load = |engine| unsafe { Component::deserialize(engine, &image) };
    let own = allocation(bytes.len());
    if own == Allocation::OnDemand
        && let Ok(component) = load(engine(metered, Allocation::Pool)?)
    {
        return Ok(Compiled { component, is_small: true });
    }
    Ok(Compiled { component: load(engine(metered, own)?)?, is_small: false })
}

/// The native code of a component, for its allocation and, if it is small, for the pool.
pub(super) fn image(bytes: &[u8], metered: bool) -> wasmtime::Result<Vec<u8>> {
    engine(metered, allocation(bytes.len()))?.precompile_component(bytes)
}

/// What the name of an image must end with.
pub(super) fn compatibility(metered: bool) -> wasmtime::Result<String> {
    Ok(image_folder::compatibility(engine(metered, Allocation::OnDemand)?))
}

/// The component of an image that was kept, if it is there and undamaged.
pub(super) fn kept(folder: &ImageFolder, name: &str, metered: bool) -> wasmtime::Result<Option<Compiled>> {
    let engines = [Allocation::Pool, Allocation::OnDemand, Allocation::Guarded];
    let [pool, on_demand, guarded] = engines.map(|allocation| engine(metered, allocation));
    let read = folder.read(name, &[pool?, on_demand?, guarded?]);
    Ok(read.map(|(component, place)| Compiled { component, is_small: engines[place] == Allocation::Pool }))
}

fn engine(metered: bool, allocation: Allocation) -> wasmtime::Result<&'static Engine> {
    static ENGINES: [OnceLock<Engine>; 6] = [const { OnceLock::new() }; 6];
    let slot = &ENGINES[allocation as usize * 2 + usize::from(metered)];
    if let Some(engine) = slot.get() {
        return Ok(engine);
    }
    let engine = Engine::new(&config(metered, allocation))?;
    Ok(slot.get_or_init(|| {
        ticker::add(&engine);
        engine
    }))
}

fn config(metered: bool, allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .consume_fuel(metered);
    if allocation != Allocation::Guarded {
        // As for fresh instances of the ticket engine: the code checks bounds, and no protection changes.
        config
            .signals_based_traps(false)
            .memory_guard_size(0)
            .memory_reservation(MEMORY_BYTES_CEILING as u64)
            .memory_may_move(false);
    }
    if allocation == Allocation::Pool {
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
