//! The components of the conformance kit, from their sources.

use super::hostile::SAY;
use super::modules::{answering, component};

/// Name and bytes of each.
#[must_use]
pub fn components() -> Vec<(&'static str, Vec<u8>)> {
    let say = |more: &str| component(&format!("{SAY} {more}"), "");
    let forever = "(loop $again (br $again))";
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let twice = format!(
        "(local $before i32) (local.set $before (call $count)) {SAY} {SAY}
        (if (i32.ne (call $count) (i32.add (local.get $before) (i32.const 2))) (then unreachable))"
    );
    vec![
        ("say", say("")),
        ("say-twice", component(&twice, "")),
        ("trap", say("unreachable")),
        ("fail", answering(SAY, "(call $fail (i32.const 16) (i32.const 4))", "")),
        ("not-json", answering(SAY, "(call $reply (i32.const 64) (i32.const 8) (i32.const 0))", "")),
        ("loop", say(forever)),
        ("start-loop", component("", &format!("(func $begin {forever}) (start $begin)"))),
        ("memory", say(grow)),
        ("log", component("(call $log (i32.const 96) (i32.const 9))", "")),
        ("close", answering("", "(call $reply (i32.const 16) (i32.const 4) (i32.const 1))", "")),
    ]
}
