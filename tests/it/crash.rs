//! A process that is killed while it writes to a file: what it acknowledged is there, and the file is whole.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use ticket_host::Tickets;
use ticket_tests::seed;

/// How often a writer is killed.
const KILLS: u32 = 12;
/// The latest acknowledgement that a kill waits for.
const ACKNOWLEDGED_MAX: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tickets.db");
    let url = format!("sqlite:{}", file.display());
    let mut rng = seed::rng("kill-9");
    let mut acknowledged: Vec<String> = Vec::new();
    Tickets::open(&url).await.unwrap().create(Some("t"), &[]).await.unwrap();
    for incarnation in 0..KILLS {
        let mut writer = Command::new(env!("CARGO_BIN_EXE_ticket-test-process"))
            .args(["announce", &url, "t", &incarnation.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        for _ in 0..rng.u64(1..=ACKNOWLEDGED_MAX) {
            acknowledged.push(lines.next().expect("the writer goes on").unwrap());
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        // What it announced before the signal reached it.
        acknowledged.extend(lines.map_while(Result::ok));

        let history = Tickets::open(&url).await.unwrap().get("t").await.unwrap().history;
        let mut messages: Vec<String> = serde_json::from_str(&history).unwrap();
        if messages.len() > acknowledged.len() {
            // Made, and killed before the word of it was out.
            acknowledged.push(messages.last().cloned().unwrap());
        }
        messages.dedup();
        assert_eq!(messages, acknowledged, "incarnation {incarnation}");
    }
    let check: String = rusqlite::Connection::open(&file)
        .and_then(|connection| connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(check, "ok");
}
