//! A process that is killed while Redis is down: the next one has all that it acknowledged, and syncs it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;
use ticket_host::{Change, Fallback, Tickets};
use ticket_tests::{RedisServer, seed};

use super::scene::{plain, synced};

/// How often it is killed, Redis being down all the while.
const KILLS: u32 = 6;
/// The latest acknowledgement that a kill waits for.
const ACKNOWLEDGED_MAX: u64 = 40;

/// A process that says one message after the other.
struct Writer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn start(server: &RedisServer, file: &Path, incarnation: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ticket-test-process"))
            .args(["announce-behind", &server.url(), file.to_str().unwrap(), "t", incarnation])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn acknowledged(&mut self, count: u64) -> Vec<String> {
        (0..count).map(|_| self.lines.next().expect("the writer goes on").unwrap()).collect()
    }

    /// Kills it; what it announced before the signal reached it.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.lines.map_while(Result::ok).collect()
    }
}

async fn behind(server: &RedisServer, file: PathBuf) -> Tickets {
    Tickets::builder(&server.url()).fallback(Fallback::file(file)).open().await.unwrap()
}

/// Checks that everything that was acknowledged is there once, and beyond that at most one message for each kill.
fn check(history: &str, acknowledged: &[String], kills: usize) {
    let messages: Vec<String> = serde_json::from_str(history).unwrap();
    let unique: BTreeSet<&String> = messages.iter().collect();
    assert_eq!(unique.len(), messages.len(), "a message is there twice");
    let missing: Vec<&String> = acknowledged.iter().filter(|message| !unique.contains(message)).collect();
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    assert!(messages.len() <= acknowledged.len() + kills, "{} of {}", messages.len(), acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_syncs_what_a_killed_one_acknowledged() {
    let (server, folder) = (RedisServer::start_durable(), TempDir::new().unwrap());
    let file = folder.path().join("fallback.db");
    let mut rng = seed::rng("killed while Redis is down");
    plain(&server).await.create(Some("t"), &[]).await.unwrap();
    let mut acknowledged = Vec::new();
    for incarnation in 0..KILLS {
        // Two at once with one file, because other processes may use it.
        let mut writers = ["a", "b"].map(|name| Writer::start(&server, &file, &format!("{name}{incarnation}")));
        if incarnation == 0 {
            for writer in &mut writers {
                acknowledged.extend(writer.acknowledged(rng.u64(1..=ACKNOWLEDGED_MAX)));
            }
            server.kill();
        }
        for writer in &mut writers {
            acknowledged.extend(writer.acknowledged(rng.u64(1..=ACKNOWLEDGED_MAX)));
        }
        for writer in writers {
            acknowledged.extend(writer.kill());
        }
    }
    // Of the processes, and of the server with a message of each under way.
    let kills = 2 * KILLS as usize + 2;
    let tickets = behind(&server, file.clone()).await;
    let ticket = tickets.get("t").await.unwrap();
    check(&ticket.history, &acknowledged, kills);
    server.restart_keeping();
    let status = synced(&tickets).await;
    assert_eq!(status.branched, 0, "{:?}", tickets.fallback().unwrap().branches().list().await);
    let stored = plain(&server).await.get("t").await.unwrap();
    check(&stored.history, &acknowledged, kills);
    assert_eq!(stored, ticket, "the very state that was shown before the server came back");
    tickets.apply("t", &[Change::say("on")], Some(&stored.revision)).await.unwrap();
}
