//! P3 across processes: what was written here, a process of its own reads.

use ticket_conformance::steps::{create, key, numbered, sorted};
use ticket_tests::{Fixture, StoreKind};
use tokio::process::Command;

pub(crate) async fn check(kind: StoreKind) {
    let fixture = Fixture::new(kind).await;
    let key = key("k");
    create(&fixture.store, &key, numbered(100)).await;
    let (url, namespace) = fixture.address().expect("an address");
    let mut process = Command::new(env!("CARGO_BIN_EXE_ticket-test-process"));
    let output = process.args(["read", &url, &namespace, key.as_str()]).output().await.expect("another process");
    let shown = String::from_utf8_lossy(&output.stdout);
    let expected: Vec<String> = sorted(numbered(100)).iter().map(|(name, text)| format!("{name}\t{text}")).collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "{}", String::from_utf8_lossy(&output.stderr));
}
