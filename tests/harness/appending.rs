//! Writers that append numbered messages to one ticket, and the check of the resulting history.

use std::collections::BTreeMap;
use std::time::Duration;

use ticket_host::{Change, Error, Tickets};
use tokio::task::JoinSet;

/// Time limit of one append after lost races: short, so that `conflict` occurs too.
pub const DEADLINE: Duration = Duration::from_millis(20);

/// Lets `tasks` tasks append `count` messages each: `WRITER-TASK:NUMBER`. Each append is repeated until it is
/// acknowledged; an uncertain answer is a failure.
pub async fn by_tasks(tickets: &Tickets, id: &str, writer: &str, tasks: u32, count: u32) {
    let mut writers = JoinSet::new();
    for task in 0..tasks {
        let (tickets, id, name) = (tickets.clone(), id.to_owned(), format!("{writer}-{task}"));
        writers.spawn(async move {
            for number in 0..count {
                append(&tickets, &id, &format!("{name}:{number}")).await;
            }
        });
    }
    writers.join_all().await;
}

async fn append(tickets: &Tickets, id: &str, message: &str) {
    loop {
        match tickets.apply(id, &[Change::say(message)], None).await {
            Ok(_) => return,
            // Too many lost races, or a file stayed locked: nothing was written.
            Err(Error::Conflict(Some(_)) | Error::Unavailable(_)) => {}
            Err(error) => panic!("{message}: {error:?}"),
        }
    }
}

/// Checks that a history holds exactly `count` messages of each of the writers, each once and in order.
pub fn check(history: &str, writers: &[String], count: u32) {
    let messages: Vec<String> = serde_json::from_str(history).expect("a history of strings");
    let mut next: BTreeMap<&str, u32> = writers.iter().map(|writer| (writer.as_str(), 0)).collect();
    for message in &messages {
        let (writer, number) = message.split_once(':').expect("writer and number");
        let expected = next.get_mut(writer).expect("a known writer");
        assert_eq!(number.parse(), Ok(*expected), "messages of {writer} are not once and in order");
        *expected += 1;
    }
    assert!(next.values().all(|&said| said == count), "acknowledged messages are missing: {next:?}");
}
