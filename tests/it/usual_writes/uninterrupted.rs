//! Nothing comes between the commands of a staged write.

use std::sync::Arc;
use std::time::Duration;

use ticket_host::store::{Key, Primary};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::{CALL_TIME, Scene, write};

/// The first words of the commands that the server runs for others than `MONITOR`, with the client's address.
async fn monitored(port: u16) -> (JoinHandle<Vec<(String, String)>>, tokio::sync::oneshot::Sender<()>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"MONITOR\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("+OK"));
    let (end, mut ended) = tokio::sync::oneshot::channel();
    let reading = tokio::spawn(async move {
        let mut seen = Vec::new();
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line.unwrap().expect("a line"),
                _ = &mut ended => break,
            };
            // +1750000000.123456 [0 127.0.0.1:4711] "MULTI"
            let mut parts = line.split(' ').skip(2);
            let (address, command) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            seen.push((address.trim_end_matches(']').to_owned(), command.trim_matches('"').to_owned()));
        }
        seen
    });
    (reading, end)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_between_the_commands_of_a_write() {
    const CALLERS: usize = 40;
    let scene = Arc::new(Scene::new().await);
    let (reading, end) = monitored(scene.server.port()).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move {
                let id = format!("t{number}");
                let mut rng = fastrand::Rng::with_seed(number as u64);
                drop(write(&scene.primary, &id, "[]", None).await.unwrap());
                for round in 0..50 {
                    let (key, until) = (Key::of_ticket(&id).unwrap(), Instant::now() + CALL_TIME);
                    let base = scene.primary.read(&key, until).await.unwrap().expect("an entry");
                    let history = format!("[{round},\"{}\"]", "x".repeat(rng.usize(..40_000)));
                    let write = write(&scene.primary, &id, &history, Some(&base));
                    // Some callers give up before or after it is sent.
                    let patience = if rng.u8(..3) == 0 { Duration::from_micros(rng.u64(..800)) } else { CALL_TIME };
                    drop(timeout(patience, write).await);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    sleep(Duration::from_millis(200)).await;
    end.send(()).unwrap();
    let seen: Vec<_> = reading.await.unwrap().into_iter().filter(|(address, _)| address != "lua").collect();
    let whole = ["MULTI", "COPY", "HSET", "EVALSHA", "DEL", "EXEC"];
    let mut transactions = 0;
    for (at, (address, command)) in seen.iter().enumerate().filter(|(_, (_, command))| command == "MULTI") {
        let after: Vec<&str> =
            seen[at..].iter().filter(|(other, _)| other == address).map(|(_, command)| &**command).take(6).collect();
        assert_eq!(after, whole, "{command} at {at} of {address}");
        transactions += 1;
    }
    assert!(transactions > CALLERS * 30, "{transactions}");
}
