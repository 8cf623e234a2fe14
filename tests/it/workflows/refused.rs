//! Components that are not workflows are refused before anything runs, with what is wrong and what to do.

use ticket_host::workflow::{Grants, LoadError, RunError, RunLimits, Workflow};

use super::modules::{component, encode, module};
use super::{load, open};

const REPLY: &str = "(call $reply (i32.const 16) (i32.const 4) (i32.const 0))";

fn refusal(component: Vec<u8>, grants: Grants) -> String {
    Workflow::load(component, grants, RunLimits::default()).expect_err("refused").to_string()
}

/// A component of text, not of a module.
fn by_hand(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn what_is_wrong_with_a_component_is_named() {
    let import = |name: &str| by_hand(&format!("(component (import \"{name}\" (instance)))"));
    let wasi = "it imports `wasi:clocks/monotonic-clock@0.2.0`, which is not granted; `wasi-stubs` would grant it, as a \
                function that traps";
    for (component, expected) in [
        (b"#!/bin/sh".to_vec(), "it is not WebAssembly"),
        (Vec::new(), "it is not WebAssembly"),
        (module("", REPLY, ""), "it is a core module, not a component: `wasm-tools component new` makes one of it"),
        (by_hand("(component)"), "it does not export `agent:workflow/handler@0.1.0`"),
        (
            import("agent:workflow/ticket@0.2.0"),
            "it is made for `agent:workflow/ticket@0.2.0`, and this host has `agent:workflow/ticket@0.1.0`: build it again \
             with the interfaces of this host",
        ),
        (
            import("agent:workflow/log@0.1.0"),
            "it imports `agent:workflow/log@0.1.0`, which is not granted; `log` would grant it",
        ),
        (
            import("agent:workflow/tools@0.1.0"),
            "it imports `agent:workflow/tools@0.1.0`, which is not granted; `tool:NAME` would grant it",
        ),
        (import("wasi:clocks/monotonic-clock@0.2.0"), wasi),
        (import("acme:mail/send"), "it imports `acme:mail/send`, which no workflow can have"),
        (
            by_hand("(component (instance $i) (export \"agent:workflow/handler@0.3.0\" (instance $i)))"),
            "it is made for `agent:workflow/handler@0.3.0`, and this host has `agent:workflow/handler@0.1.0`: build it again \
             with the interfaces of this host",
        ),
    ] {
        assert_eq!(refusal(component, Grants::default()), expected);
    }
    let damaged = component("", "").iter().rev().skip(40).rev().copied().collect();
    assert_eq!(refusal(damaged, Grants::default()), "it cannot be compiled");
    let large = [b"\0asm".to_vec(), vec![0; 33 << 20]].concat();
    assert_eq!(refusal(large, Grants::default()), "the component has 34603012 bytes, more than 33554432");
}

#[test]
fn a_handler_of_another_type_is_refused() {
    let other = "(component (core module $m) (core instance (instantiate $m))
        (instance $i) (export \"agent:workflow/handler@0.1.0\" (instance $i)))";
    assert_eq!(refusal(by_hand(other), Grants::default()), "it cannot be compiled");
    assert!(encode(&module("", REPLY, ""), "workflow").is_ok());
}

#[test]
fn limits_have_a_floor_and_a_ceiling() {
    let load = |limits| Workflow::load(component("", ""), Grants::default(), limits).map(drop);
    let (default, ms) = (RunLimits::default(), std::time::Duration::from_millis);
    for limits in [
        default.memory_bytes_max(0),
        default.memory_bytes_max(65 << 20),
        default.time_max(ms(0)),
        default.time_max(ms(5_001)),
        default.fuel_max(0),
        default.fuel_max(u64::MAX),
        default.repeats_max(11),
    ] {
        assert!(matches!(load(limits), Err(LoadError::Limit { .. })), "{limits:?}");
    }
    let error = load(default.time_max(ms(0))).unwrap_err().to_string();
    assert_eq!(error, "the limit `time_ms` is 0, which is not between 1 and 5000");
}

#[tokio::test]
async fn input_that_is_not_json_runs_nothing() {
    let tickets = open("memory:").await;
    tickets.create(Some("t"), &[]).await.unwrap();
    for input in ["{", "", "{} {}", "nul"] {
        let run = tickets.run("t", &load(component("", "")), input).await;
        assert!(matches!(run, Err(RunError::Input(_))), "{input}: {run:?}");
    }
}
