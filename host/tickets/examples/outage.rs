//! An outage of Redis: the server is killed, the agent goes on, and everything is synced when the server is back.
//!
//! `cargo run --release --example outage -p ticket-host` starts a `redis-server` of its own on a free port.

use std::error::Error;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ticket_host::fallback::FallbackStore;
use ticket_host::{Change, Tickets};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut server = match start(port) {
        Ok(server) => Server(server),
        Err(error) => {
            println!("cannot start redis-server ({error}): install Redis 7.0 or newer (`apt install redis-server`)");
            return Ok(());
        }
    };
    // The fallback in memory is the default; `Fallback::file(path)` keeps pending changes when this process dies too.
    let tickets = Tickets::open(&format!("redis://127.0.0.1:{port}")).await?;
    let fallback = tickets.fallback().ok_or("a Redis store has a fallback")?.clone();
    wait_until(&fallback, true).await?;
    let ticket = tickets.create(Some("t"), &[Change::say("before the outage")]).await?;
    println!("redis is up: created by {:?}", ticket.served_by);

    server.0.kill()?;
    server.0.wait()?;
    println!("redis is killed");
    for number in 1..=3 {
        let said = Change::say(&format!("message {number} in the outage"));
        let ticket = tickets.apply("t", &[said], None).await?;
        println!("applied by {:?}: {} messages", ticket.served_by, ticket.message_count());
    }
    let status = fallback.status().await?;
    println!("status: primary is up: {}, pending tickets: {}", status.primary_is_up, status.pending);

    // This server keeps nothing on disk, so it comes back empty: the fallback restores the ticket as well.
    server.0 = start(port)?;
    println!("redis is started again, empty");
    wait_until(&fallback, true).await?;
    fallback.shutdown(Duration::from_secs(10)).await?;
    let ticket = tickets.get("t").await?;
    println!("served by {:?}: {}", ticket.served_by, ticket.history);
    println!("pending tickets: {}", fallback.status().await?.pending);
    Ok(())
}

/// A server that ends with this program.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(port: u16) -> std::io::Result<Child> {
    let port = port.to_string();
    let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    Command::new("redis-server").args(arguments).stdout(Stdio::null()).spawn()
}

async fn wait_until(fallback: &FallbackStore, up: bool) -> Result<(), Box<dyn Error>> {
    for _ in 0..200 {
        if fallback.status().await?.primary_is_up == up {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("redis did not come up within 20 s".into())
}
