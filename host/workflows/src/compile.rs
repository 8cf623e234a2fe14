//! Compiling a component, in a process of its own with caps where there is a program for it: what others wrote can make
//! a compiler take all the time and memory that there is.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use ticket_host::workflow::Images;
use tokio::process::Command;

use super::error::{Error, with_sources};

/// Processor time: Python's interpreter takes a minute on a slow machine, and is compiled twice.
const CPU_S: u64 = 600;
/// Addresses. Compiling Python's interpreter takes a quarter of it.
const MEMORY_BYTES: u64 = 4 << 30;
/// One image. That of Python's interpreter takes a sixth of it.
const FILE_BYTES: u64 = 256 << 20;
/// Time in all.
const TIME_MAX: Duration = Duration::from_secs(900);
/// Longest reason of a compiler that is shown.
const REASON_BYTES_MAX: usize = 2_000;

/// How components are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In this process, without caps: for components that the operator trusts.
    InProcess,
    /// By this program, which is the command `ticket`: in a process with caps of time, memory and file size.
    Program(PathBuf),
}

impl Compiler {
    /// Compiles a component into a folder of images, unless it was before.
    pub(crate) async fn compile(&self, component: &Path, bytes: &[u8], images: &Path) -> Result<(), Error> {
        let program = match self {
            Self::Program(program) => program,
            Self::InProcess => {
                let (bytes, images) = (bytes.to_vec(), images.to_owned());
                let compiled = tokio::task::spawn_blocking(move || Images::open(images)?.add(&bytes)).await;
                return match compiled {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(Error::Compile(with_sources(&error))),
                    Err(error) => Err(Error::Compile(error.to_string())),
                };
            }
        };
        let mut command = Command::new(program);
        command.args(["workflow", "compile"]).arg(component).arg(images).env_clear().kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = tokio::time::timeout(TIME_MAX, command.output()).await;
        let output = output.map_err(|_| Error::Compile(format!("it took longer than {} s", TIME_MAX.as_secs())))?;
        let output = output.map_err(Error::io("run", program))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        Err(Error::Compile(match said.is_empty() {
            true => {
                format!("the compiler ended with {}: it may take {CPU_S} s and {MEMORY_BYTES} bytes", output.status)
            }
            false => said[..said.floor_char_boundary(REASON_BYTES_MAX)].to_owned(),
        }))
    }
}

/// Compiles a component in this process after it has capped itself: what the program of [`Compiler::Program`] does.
///
/// # Errors
/// [`Error::Compile`] if the caps cannot be set, or why the component cannot be compiled.
pub fn compile_with_caps(component: &Path, images: &Path) -> Result<(), Error> {
    for (resource, most) in [(Resource::Cpu, CPU_S), (Resource::As, MEMORY_BYTES), (Resource::Fsize, FILE_BYTES)] {
        let cap = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, cap).map_err(|error| Error::Compile(format!("a cap cannot be set: {error}")))?;
    }
    let bytes = super::files::component(component)?;
    let compiled = Images::open(images).and_then(|images| images.add(&bytes));
    compiled.map_err(|error| Error::Compile(with_sources(&error)))
}
