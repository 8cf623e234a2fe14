//! Workflows written by hand, as core modules: what no compiler would make.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/workflow");

/// Where the texts and the areas of a module are in its memory.
const LAYOUT: &str = r#"
    (data (i32.const 16) "null")
    (data (i32.const 32) "\22said\22")
    (data (i32.const 48) "{\22a\22:1}")
    (data (i32.const 64) "not JSON")
    (data (i32.const 80) "code")
    (data (i32.const 96) "\1b[31mred\07")
    (data (i32.const 112) "\ff\fe")
    (data (i32.const 120) "look-up")
    (data (i32.const 128) "\22\00\00\d8\22\00")
"#;

/// The component of a module whose `run` does this before it answers `null` and keeps the ticket alive. `more` are further
/// items of the module.
///
/// # Panics
/// If the module is not valid, with its text.
#[must_use]
pub fn component(run: &str, more: &str) -> Vec<u8> {
    answering(run, "(call $reply (i32.const 16) (i32.const 4) (i32.const 0))", more)
}

/// The same with another answer: an expression for the place of the result.
///
/// # Panics
/// If the module is not valid, with its text.
#[must_use]
pub fn answering(run: &str, answer: &str, more: &str) -> Vec<u8> {
    encode(&module(run, answer, more), "workflow").expect("a component")
}

/// A component whose memory begins with so many pages.
///
/// # Panics
/// If the module is not valid, with its text.
#[must_use]
pub fn with_memory(pages: u32) -> Vec<u8> {
    let small = text("", "(call $reply (i32.const 16) (i32.const 4) (i32.const 0))", "");
    let large = small.replace("(memory (export \"memory\") 1)", &format!("(memory (export \"memory\") {pages})"));
    encode(&wat::parse_str(&large).unwrap(), "workflow").expect("a component")
}

/// The core module by itself.
///
/// # Panics
/// If it is not valid, with its text.
#[must_use]
pub fn module(run: &str, answer: &str, more: &str) -> Vec<u8> {
    let text = text(run, answer, more);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn text(run: &str, answer: &str, more: &str) -> String {
    // Imported only where they are called: they must be granted.
    let granted: String = [
        ("$log", r#"(import "agent:workflow/log@0.1.0" "write" (func $log (param i32 i32)))"#),
        ("$now", r#"(import "agent:workflow/clock@0.1.0" "now-ms" (func $now (result i64)))"#),
        ("$random", r#"(import "agent:workflow/random@0.1.0" "bytes" (func $random (param i32 i32)))"#),
        ("$tool", r#"(import "agent:workflow/tools@0.1.0" "call" (func $tool (param i32 i32 i32 i32 i32)))"#),
    ]
    .into_iter()
    .filter(|(name, _)| run.contains(name) || more.contains(name))
    .map(|(_, import)| import)
    .collect();
    format!(
        r#"(module
            (import "agent:workflow/ticket@0.1.0" "say" (func $say (param i32 i32 i32)))
            (import "agent:workflow/ticket@0.1.0" "learn" (func $learn (param i32 i32 i32)))
            (import "agent:workflow/ticket@0.1.0" "facts" (func $facts (param i32)))
            (import "agent:workflow/ticket@0.1.0" "last-messages" (func $messages (param i32 i32)))
            (import "agent:workflow/ticket@0.1.0" "message-count" (func $count (result i32)))
            {granted}
            (memory (export "memory") 1)
            {LAYOUT}
            (global $next (mut i32) (i32.const 8192))
            (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                (global.get $next)
                (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8))))
                (block $enough
                    (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
                    (br_if $enough (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
                    unreachable))
            (func $reply (param $text i32) (param $length i32) (param $afterwards i32) (result i32)
                (i32.store8 (i32.const 256) (i32.const 0))
                (i32.store (i32.const 260) (local.get $text))
                (i32.store (i32.const 264) (local.get $length))
                (i32.store8 (i32.const 268) (local.get $afterwards))
                (i32.const 256))
            (func $fail (param $text i32) (param $length i32) (result i32)
                (i32.store8 (i32.const 256) (i32.const 1))
                (i32.store (i32.const 260) (i32.const 80))
                (i32.store (i32.const 264) (i32.const 4))
                (i32.store (i32.const 268) (local.get $text))
                (i32.store (i32.const 272) (local.get $length))
                (i32.store8 (i32.const 276) (i32.const 1))
                (i32.const 256))
            {more}
            (func (export "agent:workflow/handler@0.1.0#run") (param i32 i32) (result i32)
                {run}
                {answer}))"#
    )
}

/// The component of a module whose texts are UTF-16.
///
/// # Panics
/// If the module is not valid, with its text.
#[must_use]
pub fn in_utf16(run: &str) -> Vec<u8> {
    let module = module(run, "(call $reply (i32.const 16) (i32.const 2) (i32.const 0))", "");
    encoded(&module, "workflow", StringEncoding::UTF16).expect("a component")
}

/// A component of a module, for this world of the package.
///
/// # Errors
/// If the module has not the imports and exports of the world.
pub fn encode(module: &[u8], world: &str) -> anyhow::Result<Vec<u8>> {
    encoded(module, world, StringEncoding::UTF8)
}

fn encoded(module: &[u8], world: &str, encoding: StringEncoding) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(WIT))?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, encoding)?;
    ComponentEncoder::default().module(&module)?.validate(true).encode()
}
