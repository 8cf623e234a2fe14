//! Faults of the server itself, by signals and by its settings.

use std::time::Instant;

use ticket_host::{Change, ServedBy};
use ticket_tests::RedisServer;

use super::scene::{LOOK_EVERY, SYNC_TIME_MAX, Scene, open, plain, stored};

/// The password of these tests.
const PASSWORD: &str = "secret";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_killed_and_comes_back_with_its_data() {
    let mut scene = Scene::well(RedisServer::start_durable()).await;
    scene.server.kill();
    scene.go_on().await;
    scene.is_down().await;
    scene.server.restart_keeping();
    scene.is_synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_killed_and_comes_back_empty() {
    let mut scene = Scene::well(RedisServer::start(&[])).await;
    // What it acknowledged before is written back too.
    scene.go_on().await;
    scene.server.kill();
    scene.go_on().await;
    scene.is_down().await;
    scene.server.restart();
    scene.is_synced().await;
    // And where nothing was changed since.
    scene.refresh().await;
    scene.server.restart();
    scene.is_back_after_loss().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stands_still_and_goes_on() {
    let mut scene = Scene::well(RedisServer::start(&[])).await;
    scene.server.pause();
    scene.go_on().await;
    scene.is_down().await;
    scene.server.resume();
    scene.is_synced().await;
}

/// What the test above rests on: a stopped server makes late what it was asked for, even where no client waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_in_flight_lands_late_though_its_host_is_gone() {
    let server = RedisServer::start(&[]);
    let tickets = open(&server.url()).await;
    tickets.create(Some("before"), &[]).await.unwrap();
    server.pause();
    let created = tickets.create(Some("late"), &[Change::say("late")]).await.unwrap();
    assert_eq!(created.served_by, ServedBy::Fallback);
    drop(tickets);
    server.resume();
    let until = Instant::now() + SYNC_TIME_MAX;
    while stored(&server, "late").await.is_none() {
        assert!(Instant::now() < until, "it never lands");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    assert_eq!(plain(&server).await.get("late").await.unwrap(), created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_down_when_the_agent_begins() {
    let server = RedisServer::start_durable();
    server.kill();
    let mut scene = Scene::unopened(server);
    scene.open("", "").await;
    scene.go_on().await;
    scene.is_down().await;
    scene.server.restart_keeping();
    scene.is_synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_wrong_when_the_agent_begins() {
    let mut scene = Scene::unopened(RedisServer::start(&[]));
    scene.server.set_password(Some("another")).await;
    scene.open("", PASSWORD).await;
    scene.go_on().await;
    scene.is_down().await;
    scene.server.set_password(Some(PASSWORD)).await;
    scene.is_synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_changed_and_changed_back() {
    let mut scene = Scene::well(RedisServer::start(&[])).await;
    scene.server.set_password(Some(PASSWORD)).await;
    scene.go_on().await;
    scene.is_down().await;
    scene.server.set_password(None).await;
    scene.is_synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_a_replica_when_the_agent_begins() {
    let mut scene = Scene::unopened(RedisServer::start(&[]));
    scene.server.become_replica().await;
    scene.open("", "").await;
    scene.go_on().await;
    scene.is_down().await;
    scene.server.promote().await;
    scene.is_synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_becomes_a_replica_and_is_promoted() {
    let mut scene = Scene::well(RedisServer::start(&[])).await;
    scene.server.become_replica().await;
    scene.go_on().await;
    scene.is_down().await;
    scene.server.promote().await;
    scene.is_synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_memory_is_full() {
    let mut scene = Scene::well(RedisServer::start(&[])).await;
    scene.server.operate(&["CONFIG", "SET", "maxmemory", "1"]).await;
    scene.go_on().await;
    scene.refuses_writes().await;
    scene.server.operate(&["CONFIG", "SET", "maxmemory", "0"]).await;
    scene.is_synced().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_is_missing_and_granted() {
    let mut scene = Scene::unopened(RedisServer::start(&[]));
    let password = format!(">{PASSWORD}");
    scene.server.operate(&["ACL", "SETUSER", "app", "on", &password, "~ticket:*", "+@all", "-hset"]).await;
    scene.open("app", PASSWORD).await;
    scene.go_on().await;
    scene.is_down().await;
    scene.server.operate(&["ACL", "SETUSER", "app", "+hset"]).await;
    scene.is_synced().await;
    // And taken while it works.
    scene.refresh().await;
    scene.server.operate(&["ACL", "SETUSER", "app", "-hset"]).await;
    scene.go_on().await;
    scene.is_down().await;
    scene.server.operate(&["ACL", "SETUSER", "app", "+hset"]).await;
    scene.is_synced().await;
}
