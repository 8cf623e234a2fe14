//! The templates of workflows in Rust, JavaScript and Python: each is written, built by the commands of its own README,
//! passes its cases, is added and run. Prints a table of sizes and times.
//!
//! They need large packages: they run only with `--include-ignored`, as in `tests/matrix.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use component_builder::build::build_folder;
use component_builder::toolchain::Toolchain;
use libtest_mimic::{Arguments, Trial};
use ticket_host::workflow::{Cause, Grants, LoadError, RunError, RunLimits, Workflow};
use ticket_host::{Change, Tickets};
use ticket_tests::program;
use ticket_workflows::{Compiler, Workflows};

/// Runs that are measured.
const RUNS: usize = 200;
const INPUT: &str = r#"{"user":"Mia"}"#;
const ANSWER: &str = r#"{"text":"Hello, Mia."}"#;

/// What is measured of a language.
struct Row {
    language: &'static str,
    component_bytes: u64,
    /// Building is not counted; compiling to native code twice is.
    added: Duration,
    first: Duration,
    next: Duration,
    memory_bytes: usize,
    is_pooled: bool,
}

/// Where the templates are built and kept between runs of the tests.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/languages")
}

/// Runs a command of the shell, with the program `ticket` of this build on its path.
fn shell(folder: &Path, line: &str) {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-euc", line]).current_dir(folder);
    command.env("PATH", format!("{}:{path}", program::folder().display()));
    command.env("TICKET_WORKFLOWS", root().join("registry")).env("XDG_STATE_HOME", root().join("state"));
    let output = command.output().expect("a shell");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success(), "`{line}` in {}: {}\n{said}", folder.display(), output.status);
}

/// The commands of a README: the lines of its block of shell.
fn commands(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("README.md")).expect("a README");
    let block = text.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of shell");
    block.lines().map(str::to_owned).collect()
}

/// Writes the template, and runs the commands of its README. Returns the time of the last, which adds it.
fn build(language: &str, name: &str) -> Duration {
    let folder = root().join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(root()).expect("a folder");
    shell(&root(), &format!("ticket workflow new {name} --language {language}"));
    let mut added = Duration::ZERO;
    for line in commands(&folder) {
        match line.as_str() {
            // A machine may have no target for rustup, and the builder of components finds another compiler.
            line if line.starts_with("cargo build") => {
                let toolchain = Toolchain::find().expect("a compiler for WebAssembly");
                let component = build_folder(&folder, name, &toolchain).expect("a component");
                fs::write(folder.join("workflow.wasm"), component).expect("written");
            }
            line if line.starts_with("wasm-tools") => {}
            line => {
                let begun = Instant::now();
                shell(&folder, line);
                added = begun.elapsed();
            }
        }
    }
    added
}

async fn measure(language: &'static str) -> Row {
    let name = format!("greet-{language}");
    let added = build(language, &name);
    let tickets = Tickets::open("memory:").await.expect("tickets");
    tickets.create(Some("mia"), &[Change::say("Hello!")]).await.expect("a ticket");
    let workflows = Workflows::open(root().join("registry"), Compiler::InProcess).await.expect("a registry");
    let begun = Instant::now();
    let run = workflows.run(&tickets, "mia", &name, INPUT).await.expect("a run");
    let first = begun.elapsed();
    assert_eq!(run.output.replace(": ", ":"), ANSWER, "{language}");
    let ticket = run.after.expect("it stays");
    assert_eq!(ticket.facts.replace(": ", ":"), r#"{"user":"Mia"}"#, "{language}");
    let mut times = Vec::new();
    for _ in 0..RUNS {
        times.push(workflows.run(&tickets, "mia", &name, INPUT).await.expect("a run").spent.time);
    }
    times.sort_unstable();
    let component = fs::metadata(root().join(&name).join("workflow.wasm")).expect("a component");
    Row {
        language,
        component_bytes: component.len(),
        added,
        first,
        next: times[RUNS / 2],
        memory_bytes: run.spent.memory_bytes,
        is_pooled: workflows.workflow(&name).expect("a workflow").is_pooled(),
    }
}

fn main() -> ExitCode {
    let trial = |name: &str, test: fn() -> Pin<Box<dyn Future<Output = ()>>>| {
        let run = move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(test());
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(true)
    };
    let trials = vec![
        trial("each_template_builds_passes_its_cases_and_runs", || {
            Box::pin(each_template_builds_passes_its_cases_and_runs())
        }),
        trial("wasi_that_is_never_called_can_be_granted", || Box::pin(wasi_that_is_never_called_can_be_granted())),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn each_template_builds_passes_its_cases_and_runs() {
    println!("| language | component | `add` | first run | next runs, median of {RUNS} | memory | instances |");
    println!("|---|---|---|---|---|---|---|");
    for language in ["rust", "javascript", "python"] {
        let Row { language, component_bytes, added, first, next, memory_bytes, is_pooled } = measure(language).await;
        println!(
            "| {language} | {} KiB | {:.1} s | {:.1} ms | {} µs | {} KiB | {} |",
            component_bytes.div_ceil(1_024),
            added.as_secs_f64(),
            first.as_secs_f64() * 1e3,
            next.as_micros(),
            memory_bytes / 1_024,
            if is_pooled { "pooled" } else { "on demand" },
        );
    }
}

/// Imports of WASI that a toolchain adds: with the grant they are there, and trap when they are called.
async fn wasi_that_is_never_called_can_be_granted() {
    build("javascript", "with-wasi");
    let folder = root().join("with-wasi");
    let component = |source: &str| {
        fs::write(folder.join("workflow.js"), source).expect("written");
        shell(
            &folder,
            "npx componentize-qjs --wit wit --world workflow --js workflow.js --sync --opt-size -o wasi.wasm",
        );
        fs::read(folder.join("wasi.wasm")).expect("a component")
    };
    let tickets = Tickets::open("memory:").await.expect("tickets");
    tickets.create(Some("mia"), &[]).await.expect("a ticket");
    let answer = "return { output: 'null', afterwards: 'keep-alive' };";
    let calls_none = component(&format!("export const handler = {{ run(input) {{ {answer} }} }};"));
    let refused = Workflow::load(calls_none.clone(), Grants::default(), RunLimits::default()).expect_err("refused");
    assert!(matches!(refused, LoadError::NotGranted { grant: "wasi-stubs", .. }), "{refused:?}");
    let load =
        |component| Workflow::load(component, Grants::default().wasi_stubs(), RunLimits::default()).expect("granted");
    tickets.run("mia", &load(calls_none), "null").await.expect("a run");
    let calls = component(&format!("export const handler = {{ run(input) {{ Date.now(); {answer} }} }};"));
    let run = tickets.run("mia", &load(calls), "null").await;
    let Err(RunError::Aborted(aborted)) = run else { panic!("{run:?}") };
    assert!(matches!(aborted.cause, Cause::Trapped(_)), "{:?}", aborted.cause);
}
