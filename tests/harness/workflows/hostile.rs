//! Hostile workflows of many kinds, and how each must end.

use ticket_host::workflow::Cause;

use super::modules::{answering, component, in_utf16, with_memory};

/// How a run of a hostile workflow ends.
pub type Ends = fn(&Cause) -> bool;

/// A kind of hostile workflow.
pub struct Kind {
    /// What it does.
    pub name: &'static str,
    /// Its component.
    pub component: Vec<u8>,
    /// How it must end.
    pub ends: Ends,
    /// Whether it goes on until it is interrupted.
    pub is_endless: bool,
}

/// Records a message.
pub const SAY: &str = "(call $say (i32.const 32) (i32.const 6) (i32.const 512))";
/// Asks for all messages.
const ALL: &str = "(call $messages (i32.const -1) (i32.const 512))";
const FACTS: &str = "(call $facts (i32.const 512))";

fn kind(name: &'static str, component: Vec<u8>, ends: Ends) -> Kind {
    Kind { name, component, ends, is_endless: false }
}

fn endless(name: &'static str, component: Vec<u8>, ends: Ends) -> Kind {
    Kind { is_endless: true, ..kind(name, component, ends) }
}

/// Whether it was interrupted.
#[must_use]
pub fn over_time(cause: &Cause) -> bool {
    matches!(cause, Cause::OverTime { .. })
}

fn over_memory(cause: &Cause) -> bool {
    matches!(cause, Cause::OverMemory { .. })
}

fn trapped(cause: &Cause) -> bool {
    matches!(cause, Cause::Trapped(_))
}

fn bad_output(cause: &Cause) -> bool {
    matches!(cause, Cause::Output(_))
}

/// All kinds.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    [without_end(), too_much(), answers()].into_iter().flatten().collect()
}

/// Those that go on until they are interrupted.
fn without_end() -> Vec<Kind> {
    let forever = "(loop $again (br $again))";
    let recursion = "(func $deeper (param i64) (result i64)
        (i64.add (i64.const 1) (call $deeper (i64.add (local.get 0) (i64.const 1)))))";
    let many = format!("(loop $again {SAY} (br $again))");
    let ten_thousand = format!(
        "(local $i i32) (loop $again {SAY}
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))
        unreachable"
    );
    vec![
        endless("a loop without end", component(forever, ""), over_time),
        endless(
            "a loop in a start function",
            component("", &format!("(func $begin {forever}) (start $begin)")),
            over_time,
        ),
        endless("a loop of calls of the host", component(&format!("(loop $again {FACTS} (br $again))"), ""), |error| {
            over_time(error) || over_memory(error) || trapped(error)
        }),
        endless("changes without end", component(&many, ""), over_time),
        endless("ten thousand changes, and a trap", component(&ten_thousand, ""), |cause| {
            over_time(cause) || trapped(cause)
        }),
        endless(
            "all messages without end",
            component(&format!("{SAY} (loop $again {ALL} (br $again))"), ""),
            |cause| over_time(cause) || over_memory(cause) || trapped(cause),
        ),
        kind("deep recursion", component("(drop (call $deeper (i64.const 0)))", recursion), trapped),
    ]
}

/// Those that ask for too much, or go wrong in the middle.
fn too_much() -> Vec<Kind> {
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let table = "(loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 4096)) (i32.const -1)))) unreachable";
    let huge = "(call $say (i32.const 0) (i32.const 0x7ffffff0) (i32.const 512))";
    let large = "(memory.fill (i32.const 16384) (i32.const 32) (i32.const 1200000)) (call $say (i32.const 16384) (i32.const 1200000) (i32.const 512))";
    vec![
        kind("memory without end", component(grow, ""), over_memory),
        kind("a table without end", component(table, "(table $t 1 funcref)"), over_memory),
        kind("too much memory to begin with", with_memory(512), over_memory),
        kind("a trap in the middle of changes", component(&format!("{SAY} {SAY} unreachable"), ""), trapped),
        kind("a text out of its memory", component(huge, ""), trapped),
        kind(
            "a text that is too long",
            component(
                large,
                "(data (i32.const 0) \"\") (func $more (drop (memory.grow (i32.const 24)))) (start $more)",
            ),
            trapped,
        ),
        kind(
            "a text that is not UTF-8",
            component("(call $say (i32.const 112) (i32.const 2) (i32.const 512))", ""),
            trapped,
        ),
        kind(
            "messages until the ticket is full, and a trap",
            component(
                "(memory.fill (i32.const 16384) (i32.const 49) (i32.const 40000))
                (loop $again (call $say (i32.const 16384) (i32.const 40000) (i32.const 512))
                    (br_if $again (i32.eqz (i32.load8_u (i32.const 512)))))
                unreachable",
                "",
            ),
            trapped,
        ),
        kind(
            "a text with half a surrogate pair",
            in_utf16("(call $say (i32.const 128) (i32.const 3) (i32.const 512))"),
            trapped,
        ),
        kind(
            "a division by zero",
            component(&format!("{SAY} (drop (i32.div_u (i32.const 1) (i32.const 0)))"), ""),
            trapped,
        ),
    ]
}

/// Those that answer what they must not.
fn answers() -> Vec<Kind> {
    vec![
        kind(
            "output that is not JSON",
            answering(SAY, "(call $reply (i32.const 64) (i32.const 8) (i32.const 0))", ""),
            bad_output,
        ),
        kind(
            "output that is not JSON, and closes",
            answering(SAY, "(call $reply (i32.const 64) (i32.const 8) (i32.const 1))", ""),
            bad_output,
        ),
        kind(
            "output out of its memory",
            answering(SAY, "(call $reply (i32.const 64) (i32.const 0x7ffffff0) (i32.const 0))", ""),
            trapped,
        ),
        kind(
            "output that is too long",
            answering(
                SAY,
                "(call $reply (i32.const 300) (i32.const 65000) (i32.const 0)) (memory.fill (i32.const 300) (i32.const 49) (i32.const 65000)) (drop (memory.grow (i32.const 2))) (i32.store (i32.const 264) (i32.const 70000))",
                "",
            ),
            |error| bad_output(error) || trapped(error),
        ),
        kind(
            "an answer of no kind",
            answering(SAY, "(i32.store8 (i32.const 256) (i32.const 9)) (i32.const 256)", ""),
            trapped,
        ),
        kind("an answer that is not aligned", answering(SAY, "(i32.const 257)", ""), trapped),
        kind(
            "a failure after changes",
            answering(SAY, "(call $fail (i32.const 96) (i32.const 9))", ""),
            |error| matches!(error, Cause::Failed { code, text, try_again: true } if code == "code" && text == "\x1b[31mred\x07"),
        ),
    ]
}
