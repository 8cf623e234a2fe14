//! The processor time of the server and of this process.

use std::collections::BTreeMap;
use std::fs;

use redis::aio::MultiplexedConnection;
use ticket_tests::RedisServer;

/// Reads the processor time that a server and this process have used.
pub(crate) struct Meter {
    connection: MultiplexedConnection,
}

/// Processor time used so far.
pub(crate) struct Used {
    server_s: f64,
    /// Of this process, by thread.
    threads_ns: BTreeMap<String, u64>,
}

/// Processor seconds between two readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub(crate) server_s: f64,
    pub(crate) host_s: f64,
}

impl Meter {
    pub(crate) async fn of(server: &RedisServer) -> Self {
        Self { connection: server.client().await }
    }

    pub(crate) async fn read(&self) -> Used {
        let mut info = redis::cmd("INFO");
        let text: String =
            info.arg("cpu").query_async(&mut self.connection.clone()).await.expect("INFO returns processor time");
        let seconds = |name: &str| -> f64 {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.expect("a processor time").trim().parse().expect("seconds")
        };
        Used { server_s: seconds("used_cpu_user") + seconds("used_cpu_sys"), threads_ns: threads_ns() }
    }

    /// What was used since `before`.
    pub(crate) async fn since(&self, before: &Used) -> Cpu {
        let now = self.read().await;
        let spent_ns = |(thread, ns): (&String, &u64)| ns - before.threads_ns.get(thread).unwrap_or(&0);
        let host_ns: u64 = now.threads_ns.iter().map(spent_ns).sum();
        Cpu { server_s: now.server_s - before.server_s, host_s: host_ns as f64 / 1e9 }
    }
}

/// Nanoseconds of each thread. The time in `/proc/self/stat` is in hundredths of a second, too coarse for one turn.
fn threads_ns() -> BTreeMap<String, u64> {
    let threads = fs::read_dir("/proc/self/task").expect("/proc/self/task");
    let threads = threads.filter_map(|thread| {
        let thread = thread.ok()?;
        // A thread may end meanwhile.
        let times = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let ns = times.split_whitespace().next()?.parse().ok()?;
        Some((thread.file_name().to_string_lossy().into_owned(), ns))
    });
    threads.collect()
}
