//! `build-components`: builds every component under `guest/` into `guest/dist`, or checks what is there.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use component_builder::build;
use component_builder::product::{self, Product};
use component_builder::record::{self, COMMAND, Record};
use component_builder::sources::workspace;
use component_builder::toolchain::Toolchain;

const HELP: &str = "\
Builds every component under guest/ into guest/dist, alone or composed with others, with a record of what it
was built from.

Usage: cargo run --release -p component-builder [-- --check]

Options:
      --check  Build, then compare with what guest/dist had: its record must match the sources and the
               bytes, which must be identical if the compiler is. The fresh build stays in guest/dist either way.
  -h, --help   Print this help

Exit status: 0 done, 1 the build failed or differs from what guest/dist had, 2 wrong usage.";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => run(false),
        [only] if only == "--check" => run(true),
        [only] if only == "--help" || only == "-h" => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            tell(&format!("wrong usage\n\n{HELP}"));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes an error; if stderr is closed, the exit status remains.
fn tell(error: &str) {
    let _ = writeln!(io::stderr(), "error: {error}");
}

/// Builds all products; with `check`, fails if a kept one does not follow from its sources.
fn run(check: bool) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let mut failures = Vec::new();
    for product in product::products(&workspace())? {
        let kept = record::verified(&workspace(), &product);
        let fresh = make(&product, &toolchain)?;
        if check && let Err(error) = kept.and_then(|kept| compare(&product, &kept, &fresh)) {
            failures.push(format!("{error:#}"));
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    bail!("{}\nthe fresh build is in guest/dist now", failures.join("\n"))
}

/// Builds and saves one product.
fn make(product: &Product, toolchain: &Toolchain) -> Result<Record> {
    let begin = Instant::now();
    let (bytes, record) = build::build(&workspace(), product, toolchain)?;
    record.save(&workspace(), product, &bytes)?;
    let (size, seconds) = (bytes.len().div_ceil(1024), begin.elapsed().as_secs_f64());
    println!("built guest/dist/{}.wasm: {size} KiB by {} in {seconds:.1} s", product.name, record.compiler);
    Ok(record)
}

/// Compares a fresh build with the kept one of the same sources.
fn compare(product: &Product, kept: &Record, fresh: &Record) -> Result<()> {
    let name = &product.name;
    if (&kept.compiler, &kept.host) != (&fresh.compiler, &fresh.host) {
        println!("{name}: same sources; bytes not compared, the kept ones are by {} on {}", kept.compiler, kept.host);
        return Ok(());
    }
    if kept.component != fresh.component {
        bail!(
            "guest/dist/{name}.wasm does not follow from its sources: {} was kept, {} came out of the same \
             compiler; build it again and commit it: {COMMAND}",
            kept.component,
            fresh.component
        );
    }
    println!("{name}: same sources, same bytes as were kept ({})", fresh.component);
    Ok(())
}
