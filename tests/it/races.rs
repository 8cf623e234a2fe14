//! Many writers of one ticket, in one process and in several: nothing acknowledged is lost, nothing comes twice.

use tempfile::TempDir;
use ticket_host::Tickets;
use ticket_host::store::{Key, Options};
use ticket_tests::{StoreKind, TestStore, appending};
use tokio::process::{Child, Command};

const ID: &str = "busy";
/// Tasks of this process, on two handles to the store, each with an engine of its own.
const TASKS: u32 = 32;
const MESSAGES: u32 = 8;
const PROCESSES: u32 = 4;
const TASKS_OF_PROCESS: u32 = 8;

/// Lets the tasks of this process and, where the store can be reached from outside, other processes append.
async fn race(kind: StoreKind) {
    let test = TestStore::new(kind).await;
    let fixture = &test.fixture;
    let first = fixture.builder().deadline(appending::DEADLINE).build().unwrap();
    let second = fixture.builder_over(fixture.second().await).deadline(appending::DEADLINE).build().unwrap();
    first.create(Some(ID), &[]).await.unwrap();

    let mut writers = Vec::new();
    let mut processes = Vec::new();
    if let Some((url, namespace)) = test.address() {
        for process in 0..PROCESSES {
            let name = format!("process{process}");
            processes.push(start(&url, &namespace, &name));
            writers.extend((0..TASKS_OF_PROCESS).map(|task| format!("{name}-{task}")));
        }
    }
    tokio::join!(
        appending::by_tasks(&first, ID, "first", TASKS / 2, MESSAGES),
        appending::by_tasks(&second, ID, "second", TASKS / 2, MESSAGES),
    );
    writers.extend((0..TASKS / 2).flat_map(|task| [format!("first-{task}"), format!("second-{task}")]));
    for mut process in processes {
        assert!(process.wait().await.unwrap().success(), "a process could not append");
    }
    appending::check(&second.get(ID).await.unwrap().history, &writers, MESSAGES);
}

fn start(url: &str, namespace: &str, writer: &str) -> Child {
    let (tasks, messages) = (TASKS_OF_PROCESS.to_string(), MESSAGES.to_string());
    Command::new(env!("CARGO_BIN_EXE_ticket-test-process"))
        .args(["append", url, namespace, ID, writer, &tasks, &messages])
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_are_stored_once_in_order_in_memory() {
    race(StoreKind::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_are_stored_once_in_order_in_sqlite() {
    race(StoreKind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_are_stored_once_in_order_in_redis() {
    race(StoreKind::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_are_stored_once_in_redis_read_first() {
    race(StoreKind::RedisAsked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_are_stored_once_behind_fallbacks() {
    race(StoreKind::Healthy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_are_stored_once_fallbacks_read_first() {
    race(StoreKind::HealthyAsked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_open_a_new_file_at_once_everybody_can_write() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:{}", folder.path().join("new").join("tickets.db").display());
    let mut opening = tokio::task::JoinSet::new();
    for number in 0..8 {
        let url = url.clone();
        opening.spawn(async move {
            let tickets = Tickets::open(&url).await.unwrap();
            tickets.create(Some(&format!("t{number}")), &[]).await.unwrap();
        });
    }
    opening.join_all().await;
    let store = ticket_host::store::open(&url, &Options::default()).await.unwrap();
    for number in 0..8 {
        let key = Key::parse(&format!("ticket:t{number}")).unwrap();
        assert!(store.read(&key, ticket_host::store::Freshness::Latest).await.unwrap().is_some());
    }
}
