//! Random scenarios of operations, external writes and passing time.

use std::collections::BTreeMap;

use fastrand::Rng;
use ticket_host::store::TTL_MS_MIN;
use ticket_host::{Bounds, Change, Put};

use crate::scenario::{At, Header, Limits, Scenario, Snapshot, Step, StoreCall};

/// Number of steps of one scenario.
const STEPS: std::ops::Range<u64> = 20..80;
const IDS: [&str; 4] = ["a", "b", "c", "a b"];
/// No sum of these is equal to the time to live: a store with a running clock cannot be tested at that very
/// millisecond.
const PASSES_MS: [u64; 4] = [7 * 60_000, 14 * 60_000, 21 * 60_000, 35 * 60_000];
/// Small, so that scenarios reach them.
const LIMITS: Limits =
    Limits { ttl_ms: 1_800_000, message_bytes_max: 200, ticket_bytes_max: 1_500, history_entries_max: 12 };

/// More than a store adds to a time to live by itself.
const EXTERNAL_AHEAD_MS: u64 = 300;
/// More than the number of writes in one step.
const EXTERNAL_STEP_MS: u64 = 5;

const MESSAGES: [&str; 8] = [
    "\"hello\"",
    "\"\"",
    "\"]\\\"[\"",
    " { \"role\" : \"user\", \"text\": \"\\u00e9 é 🎫\" } ",
    "{\"id\":\"m1\",\"n\":1.0}",
    "{ \"n\": 1.0, \"id\": \"m1\" }",
    "{\"id\":\"m1\"}",
    "NaN",
];
const PATCHES: [&str; 8] = [
    "{\"a\":1.0}",
    "{\"a\":null,\"b\":{\"c\":[1,2]}}",
    "{ \"b\" : { \"c\" : null, \"d\" : 123456789012345678901234567890 } }",
    "{\"caf\\u00e9\":\"\\u00e9\"}",
    "{}",
    "[]",
    "{\"a\":1,\"a\":2}",
    "{\"name\":\"Mia\"}",
];
const POINTERS: [&str; 9] = ["/a", "/b/c", "/b", "", "/café", "/name/x", "/b/c/1", "a", "/~1~0"];
const VALUES: [&str; 5] = ["null", "{ \"c\" : 1.0 }", "\"\\u00e9\"", "[]", "nul"];
const DECISIONS: [&str; 6] = ["{}", "null", "{\"tool\":\"search\",\"n\":-1.50e+3}", "[ 1.0 ]", "{'a':1}", "\"x\""];
/// Records of other clients: version 0, a newer version, and damage.
const EXTERNAL: [&[(&str, &str)]; 6] = [
    &[
        ("facts", "{}"),
        ("history", "[]"),
        ("last_decision", "{}"),
        ("updated_at", "1750000000"),
        ("version", "1"),
        ("mood", "good"),
    ],
    &[("facts", "{\"n\": 1.0}"), ("history", "[\"h\\u00e9\", \"x\"]"), ("last_decision", "{ }")],
    &[("facts", "{}"), ("history", "[]"), ("last_decision", "{}"), ("created_at", "1749999990")],
    &[("version", "7"), ("everything", "else")],
    &[("facts", "{\"a\": NaN}"), ("history", "[]"), ("last_decision", "{}"), ("version", "1")],
    &[
        ("facts", "{\"half\": \"\\ud800\"}"),
        ("history", "[1, 2]"),
        ("last_decision", "1"),
        ("created_at", "1749999000"),
        ("updated_at", "1749999500"),
        ("version", "1"),
    ],
];

/// The next random scenario.
pub(super) fn scenario(rng: &mut Rng) -> Scenario {
    let header = Header { about: "random".into(), settings: LIMITS };
    let first = Step::Create { id: Some("a".into()), changes: changes(rng), ttl_ms: None };
    let rest: Vec<Step> = (0..rng.u64(STEPS)).flat_map(|number| group(rng, external_ttl_ms(number))).collect();
    Scenario { header, steps: std::iter::once(first).chain(rest).collect() }
}

/// The time to live of an external write in the step of this number. It is longer than all before, so that two states
/// of the same content differ.
fn external_ttl_ms(number: u64) -> u64 {
    LIMITS.ttl_ms + EXTERNAL_AHEAD_MS + EXTERNAL_STEP_MS * number
}

/// One step, or a group of steps that belong together.
fn group(rng: &mut Rng, external_ttl_ms: u64) -> Vec<Step> {
    match rng.u32(0..16) {
        0 => rolled_back_over_damage(external_ttl_ms),
        1 => lost_race(rng, external_ttl_ms),
        _ => vec![step(rng, external_ttl_ms)],
    }
}

/// A rollback over a record of another client.
fn rolled_back_over_damage(external_ttl_ms: u64) -> Vec<Step> {
    let id = || IDS[0].to_owned();
    let put = Step::Put { id: id(), fields: fields(EXTERNAL[0]), ttl_ms: external_ttl_ms, before: None };
    let rollback = Step::Rollback { id: id(), snapshot: Snapshot::Number(-1), at: None, ttl_ms: None };
    vec![Step::Snapshot { id: id() }, put, rollback, Step::Get { id: id() }]
}

/// Another client writes between the read and the write of an operation. The ticket is read just before, so that every
/// host has the same knowledge of it: whether an operation on a missing ticket reaches the write depends on that.
fn lost_race(rng: &mut Rng, external_ttl_ms: u64) -> Vec<Step> {
    let id = || IDS[0].to_owned();
    let before = Some(StoreCall::Write);
    let first = match rng.u32(0..4) {
        0 => Step::Drop { id: id(), before },
        _ => {
            let fields = fields(EXTERNAL[rng.usize(..EXTERNAL.len())]);
            Step::Put { id: id(), fields, ttl_ms: external_ttl_ms, before }
        }
    };
    let operation = match rng.u32(0..4) {
        0 => Step::Rollback { id: id(), snapshot: snapshot(rng), at: at(rng), ttl_ms: None },
        _ => Step::Apply { id: id(), changes: changes(rng), at: at(rng), ttl_ms: None },
    };
    vec![Step::Get { id: id() }, first, operation, Step::Get { id: id() }]
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn step(rng: &mut Rng, external_ttl_ms: u64) -> Step {
    let id = id(rng);
    match rng.u32(0..100) {
        0..9 => Step::Create { id: Some(id), changes: changes(rng), ttl_ms: ttl_ms(rng) },
        9..11 => Step::Create { id: None, changes: changes(rng), ttl_ms: None },
        11..16 => Step::Ensure { id, changes: changes(rng), ttl_ms: ttl_ms(rng) },
        16..20 => Step::Get { id },
        20..21 => Step::Exists { id },
        21..23 => Step::GetSummary { id },
        23..25 => Step::GetMessages { id, entries_max: rng.u32(0..4), bytes_max: rng.bool().then(|| rng.u32(0..90)) },
        25..27 => Step::GetFact { id, pointer: POINTERS[rng.usize(..POINTERS.len())].into() },
        27..49 => Step::Apply { id, changes: changes(rng), at: at(rng), ttl_ms: ttl_ms(rng) },
        49..53 => Step::Touch { id, ttl_ms: ttl_ms(rng) },
        53..61 => Step::Snapshot { id },
        61..69 => Step::Rollback { id, snapshot: snapshot(rng), at: at(rng), ttl_ms: ttl_ms(rng) },
        69..73 => Step::Restore { snapshot: snapshot(rng), ttl_ms: ttl_ms(rng) },
        73..77 => Step::Close { id, at: at(rng) },
        77..79 => {
            let prefix = ["", "a", "b", "a b"][rng.usize(..4)].to_owned();
            if rng.bool() { Step::List { prefix } } else { Step::ListSummaries { prefix } }
        }
        79..85 => Step::Pass { ms: PASSES_MS[rng.usize(..PASSES_MS.len())] },
        85..88 => Step::Date { ms: rng.i64(-100..100) * 1_000 },
        88..97 => {
            let fields = fields(EXTERNAL[rng.usize(..EXTERNAL.len())]);
            Step::Put { id: stored_id(rng), fields, ttl_ms: external_ttl_ms, before: before(rng) }
        }
        _ => Step::Drop { id: stored_id(rng), before: before(rng) },
    }
}

/// Mostly the first id, so that many steps affect one ticket.
fn id(rng: &mut Rng) -> String {
    let index = if rng.u32(0..4) > 0 { 0 } else { rng.usize(..IDS.len()) };
    IDS[index].into()
}

/// An id that a store accepts.
fn stored_id(rng: &mut Rng) -> String {
    let index = if rng.bool() { 0 } else { rng.usize(..3) };
    IDS[index].into()
}

fn changes(rng: &mut Rng) -> Vec<Change> {
    let one = |rng: &mut Rng| match rng.u32(0..16) {
        0..5 => Change::Say(MESSAGES[rng.usize(..MESSAGES.len())].into()),
        5..9 => Change::Learn(PATCHES[rng.usize(..PATCHES.len())].into()),
        9..11 => Change::Put(Put {
            pointer: POINTERS[rng.usize(..POINTERS.len())].into(),
            value: VALUES[rng.usize(..VALUES.len())].into(),
            only_if_absent: rng.bool(),
        }),
        11 => Change::Retract(rng.u32(0..3)),
        12 => Change::Trim(Bounds {
            entries_max: rng.bool().then(|| rng.u32(0..5)),
            bytes_max: rng.bool().then(|| rng.u32(0..200)),
        }),
        13 => Change::Decide(format!("\"{}\"", "d".repeat(rng.usize(500..1_600)))),
        _ => Change::Decide(DECISIONS[rng.usize(..DECISIONS.len())].into()),
    };
    (0..rng.usize(0..4)).map(|_| one(rng)).collect()
}

/// Mostly that of the settings. Another valid one would let a ticket get a deadline, and so a revision, again.
fn ttl_ms(rng: &mut Rng) -> Option<u64> {
    (rng.u32(0..16) == 0).then_some(TTL_MS_MIN - 1)
}

fn at(rng: &mut Rng) -> Option<At> {
    match rng.u32(0..8) {
        0 | 1 => Some(At::Number(-1)),
        2 => Some(At::Number(-2)),
        3 => Some(At::Number(rng.i64(1..20))),
        4 => Some(At::Text(["", "0", "1.2.3.4.5.6", "no revision"][rng.usize(..4)].into())),
        _ => None,
    }
}

fn snapshot(rng: &mut Rng) -> Snapshot {
    match rng.u32(0..10) {
        0 => Snapshot::Altered { number: -1, from: "1".into(), to: "2".into() },
        1 => Snapshot::Text("{}".into()),
        2..5 => Snapshot::Number(rng.i64(1..8)),
        _ => Snapshot::Number(-1),
    }
}

/// Only [`lost_race`] places an external write before a write.
fn before(rng: &mut Rng) -> Option<StoreCall> {
    (rng.u32(0..4) == 0).then_some(StoreCall::Remove)
}
