//! Finds compilers that can build for WebAssembly: the usual ones, else Debian's with its own standard library.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// What all components are compiled for: plain WebAssembly without WASI.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Compilers that can build components.
#[derive(Debug)]
pub struct Toolchain {
    /// The `cargo` to call.
    pub cargo: OsString,
    /// The `rustc` that it must use.
    pub rustc: OsString,
    /// First line of `rustc -V`.
    pub version: String,
    /// The platform that the compiler runs on. Cargo derives names from it, so it may show in the bytes.
    pub host: String,
    /// Where the sources of the standard library are, or would be.
    pub library: PathBuf,
    /// Where the standard library for the target comes from.
    pub standard: Standard,
}

/// Where the standard library for the target comes from.
#[derive(Debug)]
pub enum Standard {
    /// It came with the toolchain.
    Prebuilt,
    /// It is compiled from source, and linked by this linker, because the toolchain has none for the target.
    FromSource {
        /// Path of `wasm-ld`.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The toolchain in use if it has the target, else Debian's.
    ///
    /// # Errors
    /// Where there is neither; the text says how to get each.
    pub fn find() -> Result<Self> {
        let variable = |name: &str| env::var_os(name).unwrap_or_else(|| name.to_lowercase().into());
        let in_use = Self::ask(variable("CARGO"), variable("RUSTC")).filter(Self::has_target);
        let debian = || Self::ask("/usr/bin/cargo".into(), "/usr/bin/rustc".into()).and_then(Self::with_library);
        let Some(found) = in_use.or_else(debian) else {
            bail!(
                "no compiler for {TARGET} found. Either add the target to a toolchain of rustup:\n    \
                 rustup target add {TARGET}\n\
                 or, where rustup cannot fetch it, install Debian's compiler with the library's sources:\n    \
                 apt-get install rustc-web cargo-web rust-web-src lld-22"
            );
        };
        Ok(found)
    }

    /// What these two programs are; none where either does not run.
    fn ask(cargo: OsString, rustc: OsString) -> Option<Self> {
        answer(&cargo, &["-V"])?;
        let version = answer(&rustc, &["-V"])?.lines().next()?.to_owned();
        let host = detail(&rustc, "host")?;
        let sysroot = PathBuf::from(answer(&rustc, &["--print", "sysroot"])?.trim());
        let library = sysroot.join("lib/rustlib/src/rust");
        Some(Self { cargo, rustc, version, host, library, standard: Standard::Prebuilt })
    }

    fn has_target(&self) -> bool {
        // library = SYSROOT/lib/rustlib/src/rust
        self.library.ancestors().nth(2).is_some_and(|rustlib| rustlib.join(TARGET).join("lib").is_dir())
    }

    /// The same toolchain, its standard library compiled from source if it has no other.
    fn with_library(self) -> Option<Self> {
        if self.has_target() {
            return Some(self);
        }
        let linker = linker(&detail(&self.rustc, "LLVM version")?)?;
        let complete = self.library.join("library/Cargo.lock").is_file();
        complete.then_some(Self { standard: Standard::FromSource { linker }, ..self })
    }
}

/// The linker of the compiler's own version of LLVM, else the one without a version in its name.
fn linker(llvm: &str) -> Option<PathBuf> {
    let major = llvm.split('.').next().unwrap_or_default();
    let names = [format!("wasm-ld-{major}"), "wasm-ld".to_owned()];
    names.iter().map(|name| Path::new("/usr/bin").join(name)).find(|path| path.is_file())
}

/// One line of `rustc -vV`.
fn detail(rustc: &OsString, name: &str) -> Option<String> {
    let answer = answer(rustc, &["-vV"])?;
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.map(|value| value.trim().to_owned())
}

fn answer(program: &OsString, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
