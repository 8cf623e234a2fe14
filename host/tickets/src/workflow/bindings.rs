//! Generated from `wit/workflow`; nothing handwritten.

wasmtime::component::bindgen!({
    path: "wit/workflow",
    world: "agent:workflow/workflow",
    imports: { default: async | trappable },
    exports: { default: async },
});
