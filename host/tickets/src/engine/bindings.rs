//! Generated from `wit/`; nothing handwritten.

wasmtime::component::bindgen!({
    path: "wit",
    world: "engine",
    imports: { default: async },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
});
