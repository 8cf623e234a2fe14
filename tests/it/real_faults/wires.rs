//! Faults of what lies between the agent and a server that is well.

use ticket_tests::RedisServer;
use ticket_tests::proxy::Mode;

use super::scene::Scene;

/// The wire fails while the agent works, and is mended.
async fn fails(mode: Mode) {
    let mut scene = Scene::well(RedisServer::start(&[])).await;
    for _ in 0..2 {
        scene.proxy.set(mode);
        scene.go_on().await;
        scene.is_down().await;
        scene.proxy.set(Mode::Pass);
        scene.is_synced().await;
        scene.refresh().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_is_closed() {
    fails(Mode::Refuse).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_through_until_it_all_does() {
    fails(Mode::Stall).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_closed() {
    fails(Mode::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_reset() {
    fails(Mode::Reset).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_come_in_drips() {
    fails(Mode::Drip).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_lost() {
    fails(Mode::Half).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_an_answer_comes() {
    fails(Mode::Truncate).await;
}
