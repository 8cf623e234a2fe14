//! Generated from `wit/`; nothing handwritten but the world: without the former `tickets`, which this host does not call.
//! Only its types are used of `tickets` (see `instance`) and of `key-value` (see `key_value`).

wasmtime::component::bindgen!({
    path: "wit",
    inline: "
        package ticket:host;
        world engine {
            import agent:tickets/key-value@0.1.0;
            import agent:tickets/environment@0.1.0;
            export agent:tickets/tickets@0.2.0;
        }
    ",
    world: "ticket:host/engine",
    imports: { default: async },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
});
