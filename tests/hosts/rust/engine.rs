//! Runs the engine in a host of one's own: all that it takes with Wasmtime.
//!
//! The component imports two interfaces and nothing of WASI. Whoever implements the two traits below can run it.

use std::path::Path;

use wasmtime::component::{Component, HasSelf, Linker};

wasmtime::component::bindgen!({
    path: "../wit",
    world: "agent:tickets/engine",
    exports: { default: async },
});

use agent::tickets::{environment, key_value};

/// Loads the component of a file, to be lent what it imports: a store, and a clock, ids and settings.
///
/// `instantiate_async` on a `Store` of the two makes an instance, whose `agent_tickets_tickets()` has the functions. An
/// instance may serve any number of calls; one that trapped must be thrown away.
pub(crate) fn load<L>(path: &Path) -> wasmtime::Result<EnginePre<L>>
where
    L: key_value::Host + environment::Host + Send + 'static,
{
    let engine = wasmtime::Engine::default();
    let component = Component::from_file(&engine, path)?;
    let mut linker = Linker::new(&engine);
    Engine::add_to_linker::<_, HasSelf<L>>(&mut linker, |lent| lent)?;
    EnginePre::new(linker.instantiate_pre(&component)?)
}
