//! Generated bindings of a composed component.

wasmtime::component::bindgen!({
    path: ["../wit", "../wit/adapters"],
    inline: "
        package agent:hosts;
        world composed {
            import agent:adapters/interposition@0.1.0;
            export agent:tickets/tickets@0.2.0;
            export agent:tickets/key-value@0.1.0;
        }
    ",
    world: "agent:hosts/composed",
    exports: { default: async },
});

crate::exported::exported!(crate::bindings::exports::agent::tickets0_2_0::tickets);
