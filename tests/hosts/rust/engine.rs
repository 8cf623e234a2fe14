//! The ticket engine in a host of your own, with Wasmtime.
//!
//! The component imports two interfaces and nothing of WASI: implement `key_value::Host` and `environment::Host`.

use std::path::Path;

use wasmtime::component::{Component, HasSelf, Linker};

wasmtime::component::bindgen!({
    path: "../wit",
    world: "agent:tickets/engine@0.2.0",
    exports: { default: async },
});

use agent::tickets0_1_0::{environment, key_value};

/// Loads the component of a file. `T` is the host context: it implements the two interfaces.
///
/// `instantiate_async` on a `Store<T>` creates an instance; its `agent_tickets0_2_0_tickets()` has the functions. An
/// instance serves any number of calls. Discard one that trapped.
pub(crate) fn load<T>(path: &Path) -> wasmtime::Result<EnginePre<T>>
where
    T: key_value::Host + environment::Host + Send + 'static,
{
    let engine = wasmtime::Engine::default();
    let component = Component::from_file(&engine, path)?;
    let mut linker = Linker::new(&engine);
    Engine::add_to_linker::<_, HasSelf<T>>(&mut linker, |host_ctx| host_ctx)?;
    EnginePre::new(linker.instantiate_pre(&component)?)
}
