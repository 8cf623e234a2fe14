//! The components of the conformance kit are those of their sources, and a host that breaks a promise is found.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use ticket_conformance::{NativeWorkflows, RunEnd, Verdict, WorkflowHost, check_workflow_host, components};
use ticket_host::{Change, Tickets};
use ticket_tests::workflows::kit;

use super::open;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/conformance/workflows");
/// Set to write the components anew.
const WRITE_VARIABLE: &str = "TICKET_WRITE_COMPONENTS";

#[test]
fn the_components_of_the_kit_are_those_of_their_sources() {
    for (name, component) in kit::components() {
        let file = Path::new(FOLDER).join(format!("{name}.wasm"));
        if std::env::var_os(WRITE_VARIABLE).is_some() {
            fs::write(&file, &component).unwrap();
        }
        let kept = fs::read(&file).unwrap_or_default();
        assert!(kept == component, "{name} differs: run this test with {WRITE_VARIABLE}=1");
    }
}

/// What is wrong with a host.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// It writes a message after a run that failed.
    WritesAfterFailure,
    /// A dry run is not dry.
    DryRunWrites,
    /// It runs what it should refuse.
    GrantsAll,
}

struct WrongHost(NativeWorkflows, Tickets, Wrong);

#[async_trait]
impl WorkflowHost for WrongHost {
    async fn run(&self, id: &str, component: &[u8], is_dry: bool) -> RunEnd {
        match self.2 {
            Wrong::DryRunWrites => self.0.run(id, component, false).await,
            Wrong::GrantsAll if component == components::LOG => RunEnd::Succeeded("null".to_owned()),
            Wrong::GrantsAll => self.0.run(id, component, is_dry).await,
            Wrong::WritesAfterFailure => {
                let end = self.0.run(id, component, is_dry).await;
                if matches!(end, RunEnd::Failed(_)) && !is_dry {
                    self.1.apply(id, &[Change::say("left")], None).await.unwrap();
                }
                end
            }
        }
    }
}

async fn broken(host: Arc<dyn WorkflowHost>, tickets: &Tickets) -> Vec<&'static str> {
    let checked = check_workflow_host(host, tickets).await;
    assert_eq!(checked.len(), 7);
    checked.into_iter().filter(|(_, _, verdict)| *verdict != Verdict::Kept).map(|(number, ..)| number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_workflows_that_breaks_a_promise_is_found() {
    let tickets = open("memory:").await;
    let native = NativeWorkflows(tickets.clone());
    assert_eq!(broken(Arc::new(native.clone()), &tickets).await, Vec::<&str>::new());
    for (wrong, expected) in [(Wrong::WritesAfterFailure, "W1"), (Wrong::DryRunWrites, "W5"), (Wrong::GrantsAll, "W6")]
    {
        let host = Arc::new(WrongHost(native.clone(), tickets.clone(), wrong));
        let broken = broken(host, &tickets).await;
        assert!(broken.contains(&expected), "{wrong:?}: {broken:?}");
    }
}
