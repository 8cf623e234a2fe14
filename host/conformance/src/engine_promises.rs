//! The promises of the ticket engine over a store, written once. Those of a store are [`ticket_store::PROMISES`].

/// What the ticket engine guarantees: number and sentence, in order.
pub const ENGINE_PROMISES: &[(&str, &str)] = &[
    (
        "E1",
        "`create` makes an empty ticket, dated now, with all given changes applied, under the given id or a fresh one.",
    ),
    ("E2", "`create` with an id that exists answers `exists` and changes nothing."),
    ("E3", "Without a ticket, every operation on it but `ensure` and `exists` answers `not-found` and creates none."),
    ("E4", "`apply` makes all its changes in order in one write, or none of them."),
    (
        "E5",
        "`say` appends, `learn` is a merge patch (RFC 7396), `decide` replaces; new JSON is stored in compact form.",
    ),
    ("E6", "JSON that an operation does not touch keeps every byte."),
    (
        "E7",
        "A ticket is stored as exactly six fields under one key, with a time to live of at most the TTL and 250 ms.",
    ),
    ("E8", "`updated_at` never decreases, and `created_at` never changes."),
    (
        "E9",
        "A message id is stored once: the same message again is skipped, a different one is `invalid`; a rollback frees the id.",
    ),
    (
        "E10",
        "With `at`, another revision is a `conflict` that returns the current ticket; at the current revision the change is applied.",
    ),
    (
        "E11",
        "Without `at`, changes of other writers are kept; if the time runs out, the `conflict` returns the ticket.",
    ),
    ("E12", "A change to a ticket that ended between read and write answers `not-found` and does not create it again."),
    (
        "E13",
        "`apply`, `touch` and `rollback` set the deadline to the TTL from now; `get`, `snapshot` and `list` do not move it.",
    ),
    ("E14", "Every operation returns the ticket as the next `get` returns it."),
    ("E15", "`rollback` restores all six fields of the snapshot byte for byte."),
    (
        "E16",
        "`rollback` refuses a snapshot that is damaged, of another ticket or of another incarnation, and changes nothing.",
    ),
    ("E17", "`restore` creates a ticket that is gone, with a full TTL, and answers `exists` if the id exists."),
    ("E18", "`close` deletes the ticket, and the id can be created again."),
    ("E19", "`list` returns every ticket, page by page, and no name that is not a ticket id."),
    ("E20", "A record of version 0 reads as version 1; the next change stores it so, and nothing else does."),
    ("E21", "A record of a newer version answers `unsupported-version` to every operation and is never overwritten."),
    ("E22", "A damaged record answers `corrupt`, naming key and field; only `rollback` and `close` overwrite it."),
    ("E23", "`rollback` and `close` replace a damaged record completely."),
    ("E24", "A ticket without a deadline reads with deadline 0, and the next write or touch gives it one."),
    (
        "E25",
        "Above a limit, in the input or in the store, the answer is `too-large` or `invalid` and nothing is written; the limit itself is allowed.",
    ),
    ("E26", "JSON that is not strict or not of the requested kind is `invalid`, before anything is written."),
    ("E27", "`merge` is three-way, reports the side whose state does not fit, and calls no store."),
    (
        "E28",
        "Errors of the store reach the caller as they are: `denied`, `unavailable`, `uncertain`, `too-large`, `corrupt`.",
    ),
    (
        "E29",
        "`retract` takes back the newest messages, as many as there are, returns them as stored, and frees their ids.",
    ),
    ("E30", "`trim` drops the oldest messages, no more than the bounds ask for, and returns how many."),
    (
        "E31",
        "`put` sets one member of an object, also to `null`, and keeps all other bytes; `only-if-absent` keeps the member.",
    ),
    (
        "E32",
        "`ensure` creates an absent ticket and changes a present one; of many writers one creates, and none is lost.",
    ),
    ("E33", "`exists`, `get-summary`, `get-messages` and `get-fact` agree with `get`, and do not move the deadline."),
    ("E34", "A listing with a prefix returns the tickets of that prefix alone, and names those that cannot be read."),
    (
        "E35",
        "A write with a time to live of its own sets the deadline by it, longer or shorter; outside the limits it is `invalid`.",
    ),
    ("E36", "With bounds of the operator every change trims in the same write, and the answer says how many."),
];
