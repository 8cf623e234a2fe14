//! The registry of workflows: grants by digest, replacement by generation, back-off, and the audit log.

use std::fs;
use std::path::{Path, PathBuf};

use ticket_host::workflow::{LoadError, RunError};
use ticket_host::{Change, Tickets};
use ticket_workflows::{Compiler, Error, Limits, Manifest, Package, Workflows};

use super::modules::{answering, component};
use super::open;

const SAY: &str = "(call $say (i32.const 32) (i32.const 6) (i32.const 512))";
const LOG: &str = "(call $log (i32.const 96) (i32.const 9))";

/// A registry in a folder of its own, and tickets.
struct Registry {
    folder: tempfile::TempDir,
    workflows: Workflows,
    tickets: Tickets,
}

impl Registry {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workflows = Workflows::open(folder.path().join("registry"), Compiler::InProcess).await.unwrap();
        let tickets = open("memory:").await;
        tickets.create(Some("t"), &[Change::say("hello")]).await.unwrap();
        Self { folder, workflows, tickets }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("registry")
    }

    /// A package of this component, in a folder of its own.
    fn package(&self, component: &[u8], more: &str) -> Package {
        let folder = self.folder.path().join("package");
        package(&folder, component, more);
        Package::read(&folder).unwrap()
    }

    async fn add(&self, component: &[u8], more: &str, grants: &[&str]) -> Result<(), Error> {
        let grants = grants.iter().map(|grant| (*grant).to_owned()).collect();
        self.workflows.add(&self.package(component, more), Some(grants), Limits::default()).await
    }

    async fn run(&self) -> Result<(), Error> {
        self.workflows.run(&self.tickets, "t", "theirs", "null").await.map(drop)
    }

    fn audit(&self) -> String {
        fs::read_to_string(self.path().join("audit.jsonl")).unwrap_or_default()
    }
}

/// Writes a package.
fn package(folder: &Path, component: &[u8], more: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("their.wasm"), component).unwrap();
    let manifest = format!("name = \"theirs\"\nversion = \"1\"\ncomponent = \"their.wasm\"\n{more}");
    fs::write(folder.join("workflow.toml"), manifest).unwrap();
}

#[tokio::test]
async fn a_grant_is_for_one_build_of_a_component() {
    let registry = Registry::new().await;
    let (build, other) = (component(LOG, ""), component(&format!("{LOG} {LOG}"), ""));
    let asks = "grants = [\"log\"]\n";
    let refused = registry.add(&build, asks, &[]).await.unwrap_err();
    assert!(matches!(refused, Error::Load { source: LoadError::NotGranted { grant: "log", .. }, .. }), "{refused:?}");
    assert_eq!(registry.workflows.list().len(), 0);
    registry.add(&build, asks, &["log"]).await.unwrap();
    registry.run().await.unwrap();
    // The same component keeps what it was granted; another is granted nothing.
    registry.workflows.add(&registry.package(&build, asks), None, Limits::default()).await.unwrap();
    let refused = registry.workflows.add(&registry.package(&other, asks), None, Limits::default()).await.unwrap_err();
    assert!(matches!(refused, Error::Load { source: LoadError::NotGranted { .. }, .. }), "{refused:?}");
    registry.run().await.unwrap();
    let audit = registry.audit();
    for expected in [
        "\"event\":\"added\"",
        "\"event\":\"used\"",
        "\"event\":\"refused\"",
        "\"grants\":[\"log\"]",
        "\"ticket\":\"t\"",
    ] {
        assert!(audit.contains(expected), "{expected} is not in\n{audit}");
    }
}

#[tokio::test]
async fn the_old_one_serves_until_the_new_one_is_good() {
    let registry = Registry::new().await;
    registry.add(&component(SAY, ""), "", &[]).await.unwrap();
    registry.run().await.unwrap();
    let path = registry.path().join("theirs/workflow.toml");
    let good = fs::read_to_string(&path).unwrap();
    let digits = Manifest::read(&path).unwrap().sha256.unwrap();
    for bad in [
        "name = ",
        &good.replace("theirs", "ours"),
        &good.replace(&digits, &"0".repeat(64)),
        &format!("colour = 1\n{good}"),
    ] {
        fs::write(&path, bad).unwrap();
        registry.workflows.reload().await.unwrap();
        assert!(registry.workflows.list()[0].problem.is_some(), "{bad}");
        registry.run().await.unwrap();
    }
    let bad = Workflows::open(registry.path(), Compiler::InProcess).await.unwrap();
    let refused = bad.run(&registry.tickets, "t", "theirs", "null").await.unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
    fs::write(&path, &good).unwrap();
    registry.workflows.reload().await.unwrap();
    assert!(registry.workflows.list()[0].problem.is_none());
    assert_eq!(registry.tickets.get("t").await.unwrap().message_count(), 6);
    fs::write(registry.path().join("operator.toml"), "[ceiling]\ntime_ms = 0\n").unwrap();
    assert!(registry.workflows.reload().await.is_err());
    registry.run().await.unwrap();
}

#[tokio::test]
async fn a_workflow_that_traps_again_and_again_is_suspended() {
    let registry = Registry::new().await;
    registry.add(&component("unreachable", ""), "", &[]).await.unwrap();
    for _ in 0..3 {
        let failed = registry.run().await.unwrap_err();
        assert!(matches!(failed, Error::Run(RunError::Aborted(_))), "{failed:?}");
    }
    let suspended = registry.run().await.unwrap_err();
    assert!(matches!(suspended, Error::Suspended { defects: 3, .. }), "{suspended:?}");
    assert!(registry.workflows.list()[0].suspended.is_some() && registry.audit().contains("\"event\":\"suspended\""));
    // Another build is given its chance at once.
    registry.add(&component(SAY, ""), "", &[]).await.unwrap();
    registry.run().await.unwrap();
}

#[tokio::test]
async fn a_failure_in_order_suspends_nothing() {
    let registry = Registry::new().await;
    let fails = answering("", "(call $fail (i32.const 16) (i32.const 4))", "");
    registry.add(&fails, "", &[]).await.unwrap();
    for _ in 0..5 {
        assert!(matches!(registry.run().await, Err(Error::Run(RunError::Aborted(_)))));
    }
}

#[tokio::test]
async fn output_that_breaks_its_schema_is_not_written() {
    let registry = Registry::new().await;
    registry.add(&component(SAY, ""), "[output]\ntype = \"object\"\n", &[]).await.unwrap();
    let failed = registry.run().await.unwrap_err().to_string();
    assert_eq!(failed, "the output of the workflow does not match its schema: null is not of type \"object\"");
    let dry = registry.workflows.dry_run(&registry.tickets, "t", "theirs", "null").await.unwrap_err().to_string();
    assert_eq!(dry, failed);
    registry.add(&component(SAY, ""), "[input]\ntype = \"object\"\n", &[]).await.unwrap();
    let failed = registry.run().await.unwrap_err();
    assert!(matches!(failed, Error::Run(RunError::Input(_))), "{failed:?}");
    assert_eq!(registry.tickets.get("t").await.unwrap().message_count(), 1);
}

#[tokio::test]
async fn instructions_are_counted_where_a_manifest_limits_them() {
    let registry = Registry::new().await;
    let forever = component("(loop $again (br $again))", "");
    registry.add(&forever, "[limits]\nfuel = 100000\n", &[]).await.unwrap();
    let failed = registry.run().await.unwrap_err().to_string();
    assert_eq!(failed, "the workflow used more than 100000 fuel");
    registry.add(&forever, "", &[]).await.unwrap();
    let failed = registry.run().await.unwrap_err().to_string();
    assert_eq!(failed, "the workflow ran longer than 250 ms");
}

#[tokio::test]
async fn a_component_is_compiled_once_and_read_with_care() {
    let registry = Registry::new().await;
    registry.add(&component(SAY, ""), "", &[]).await.unwrap();
    let images = || -> Vec<PathBuf> {
        let entries = fs::read_dir(registry.path().join(".images")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!(images().len(), 2, "plain and metered");
    let plain = images().into_iter().find(|path| path.to_string_lossy().contains("plain")).unwrap();
    let whole = fs::read(&plain).unwrap();
    // A damaged image is not run: the component is compiled again.
    let mut damaged = whole.clone();
    damaged[1_000] ^= 1;
    fs::write(&plain, &damaged).unwrap();
    let reopened = Workflows::open(registry.path(), Compiler::InProcess).await.unwrap();
    reopened.run(&registry.tickets, "t", "theirs", "null").await.unwrap();
    // What is not used any more goes.
    registry.add(&component(&format!("{SAY} {SAY}"), ""), "", &[]).await.unwrap();
    assert_eq!(images().len(), 2);
    registry.workflows.remove("theirs").await.unwrap();
    assert_eq!(images().len(), 0);
    assert!(matches!(registry.run().await, Err(Error::NotFound { .. })));
    assert!(!fs::read_to_string(registry.path().join("grants.toml")).unwrap().contains("theirs"));
}

/// Two hosts that add the same workflow at once leave one of both, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_add_at_once_leave_a_whole_workflow() {
    let registry = Registry::new().await;
    let builds = [component(SAY, ""), component(&format!("{SAY} {SAY}"), "")];
    let adding: Vec<_> = builds
        .into_iter()
        .enumerate()
        .map(|(number, build)| {
            let (path, folder) = (registry.path(), registry.folder.path().join(format!("package-{number}")));
            tokio::spawn(async move {
                let workflows = Workflows::open(path, Compiler::InProcess).await.unwrap();
                package(&folder, &build, "");
                for _ in 0..20 {
                    workflows.add(&Package::read(&folder).unwrap(), None, Limits::default()).await.unwrap();
                }
            })
        })
        .collect();
    for adding in adding {
        adding.await.unwrap();
    }
    registry.workflows.reload().await.unwrap();
    assert!(registry.workflows.list()[0].problem.is_none(), "{:?}", registry.workflows.list());
    registry.run().await.unwrap();
}
