//! P3 across processes: another process reads what this one wrote.

use ticket_conformance::steps::{create, key, numbered, sorted};
use ticket_tests::{StoreKind, TestStore};
use tokio::process::Command;

pub(crate) async fn check(kind: StoreKind) {
    let test = TestStore::new(kind).await;
    let key = key("k");
    create(&test.fixture.store, &key, numbered(100)).await;
    let (url, namespace) = test.address().expect("an address");
    let mut process = Command::new(env!("CARGO_BIN_EXE_ticket-test-process"));
    let output = process.args(["read", &url, &namespace, key.as_str()]).output().await.expect("another process");
    let shown = String::from_utf8_lossy(&output.stdout);
    let expected: Vec<String> = sorted(numbered(100)).iter().map(|(name, text)| format!("{name}\t{text}")).collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected, "{}", String::from_utf8_lossy(&output.stderr));
}
