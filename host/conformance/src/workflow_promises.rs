//! The promises of a host of workflows, written once, and the components that check them.

/// What a host of workflows guarantees: number and sentence, in order.
pub const WORKFLOW_PROMISES: &[(&str, &str)] = &[
    ("W1", "A run that succeeds writes all that it recorded in one change; any other end of a run writes nothing."),
    ("W2", "A run reads its own ticket with what it recorded, and no other ticket is changed."),
    ("W3", "Of runs at once on one ticket each is written once, on the state that it read, or ends with a lost race."),
    ("W4", "A run that exceeds time or memory is interrupted, also in a start function, and the next run works."),
    ("W5", "A dry run answers as the run would, and changes neither the ticket nor its deadline."),
    ("W6", "A component that imports what is not granted is refused, and nothing of it runs."),
    ("W7", "A run that closes deletes the ticket; a run without a ticket answers `not-found` and creates none."),
];

/// Components that do one thing each; `tests/it/workflows/kit.rs` makes them.
pub mod components {
    macro_rules! component {
        ($name:ident, $file:literal, $what:literal) => {
            #[doc = $what]
            pub const $name: &[u8] = include_bytes!(concat!("../workflows/", $file, ".wasm"));
        };
    }

    component!(SAY, "say", "Records the message `\"said\"` and answers `null`.");
    component!(SAY_TWICE, "say-twice", "Records a message twice, and traps unless it then reads two more than before.");
    component!(TRAP, "trap", "Records a message and traps.");
    component!(FAIL, "fail", "Records a message and fails with the code `code`.");
    component!(NOT_JSON, "not-json", "Records a message and answers what is not JSON.");
    component!(LOOP, "loop", "Records a message and loops without end.");
    component!(START_LOOP, "start-loop", "Loops without end in its start function.");
    component!(MEMORY, "memory", "Records a message and grows its memory until it is refused; then it traps.");
    component!(LOG, "log", "Imports the interface `log`.");
    component!(CLOSE, "close", "Answers `null` and closes the ticket.");
}
