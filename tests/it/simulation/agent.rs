//! An agent: talks with the tickets of one host, and notes what it was told.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use ticket_host::{Change, Error, ServedBy, Tickets};
use tokio::time::{Instant, sleep, timeout};

use super::journal::{Journal, UNCERTAIN};
use super::world::{CALL_MS, TICKETS};

/// An operation returns within its time and so much more.
const LATE: Duration = Duration::from_millis(10);

/// The agent: a host in one of its incarnations, and the tickets of this agent, which no other agent of the host has.
pub(super) struct Agent {
    pub(super) host: (usize, u32),
    pub(super) tickets: Tickets,
    pub(super) ids: Vec<String>,
    pub(super) rng: Rng,
    pub(super) journal: Journal,
}

/// What came of an operation.
enum Told {
    Ticket(ServedBy),
    Other,
}

impl Agent {
    /// Does so many operations.
    pub(super) async fn talk(mut self, operations: u32) {
        let mut snapshots: Vec<(String, String)> = Vec::new();
        for number in 0..operations {
            sleep(Duration::from_millis(self.rng.u64(0..300))).await;
            let id = self.ids[self.rng.usize(0..self.ids.len())].clone();
            let calm = is_calm(&id);
            let began = Instant::now();
            let done = match self.rng.u32(0..100) {
                0..50 => self.say(&id, number).await,
                50..60 => self.learn(&id, number).await,
                60..68 => told(self.tickets.get(&id).await.map(|it| it.served_by)),
                68..74 => told(self.tickets.touch(&id).await.map(|it| it.served_by)),
                74..78 => self.tickets.list("", None).await.map(|_| Told::Other),
                78..84 => self.snapshot(&id, &mut snapshots).await,
                84..88 if !calm => self.roll_back(&snapshots).await,
                88..92 if !calm => {
                    self.journal.disturb(&id);
                    self.tickets.close(&id, None).await.map(|()| Told::Other)
                }
                92..96 if !calm => self.create(&id, number).await,
                96..100 => self.cancel(&id, number).await,
                _ => self.say(&id, number).await,
            };
            self.look_at(&done, &id, began);
        }
    }

    fn message(&self, number: u32) -> String {
        let (host, incarnation) = self.host;
        format!("h{host}.{incarnation}.{}.{number}", self.ids[0])
    }

    /// Learns something that no other agent does, and something that all do.
    fn fact(&self, number: u32) -> Change {
        Change::learn(&json!({ format!("fact-{}", self.message(number)): number, "shared": number }))
    }

    async fn learn(&mut self, id: &str, number: u32) -> Result<Told, Error> {
        let answer = self.tickets.apply(id, &[self.fact(number)], None).await;
        if answer.is_ok() {
            self.journal.acknowledge(id, &format!("fact-{}", self.message(number)), self.host);
        }
        told(answer.map(|it| it.served_by))
    }

    /// Says a message, alone or with more, as text or with an id.
    async fn say(&mut self, id: &str, number: u32) -> Result<Told, Error> {
        let message = self.message(number);
        let mut changes = match self.rng.u32(0..3) {
            0 => vec![Change::Say(json!({ "id": message }).to_string())],
            _ => vec![Change::say(&message)],
        };
        let more = self.rng.u32(0..4) == 0;
        if more {
            changes.push(self.fact(number));
            changes.push(Change::decide(&json!({ "after": message })));
        }
        let answer = self.tickets.apply(id, &changes, None).await;
        if answer.is_ok() {
            self.journal.acknowledge(id, &message, self.host);
        }
        if answer.is_ok() && more {
            self.journal.acknowledge(id, &format!("fact-{message}"), self.host);
        }
        told(answer.map(|it| it.served_by))
    }

    async fn create(&mut self, id: &str, number: u32) -> Result<Told, Error> {
        let message = self.message(number);
        self.journal.disturb(id);
        let answer = self.tickets.create(Some(id), &[Change::say(&message)]).await;
        if answer.is_ok() {
            self.journal.acknowledge(id, &message, self.host);
        }
        told(answer.map(|it| it.served_by))
    }

    async fn snapshot(&mut self, id: &str, snapshots: &mut Vec<(String, String)>) -> Result<Told, Error> {
        let snapshot = self.tickets.snapshot(id).await?;
        if !is_calm(id) {
            snapshots.push((id.to_owned(), snapshot));
        }
        Ok(Told::Other)
    }

    async fn roll_back(&mut self, snapshots: &[(String, String)]) -> Result<Told, Error> {
        let Some((id, snapshot)) = snapshots.last() else { return Ok(Told::Other) };
        self.journal.disturb(id);
        told(self.tickets.rollback(id, snapshot, None).await.map(|it| it.served_by))
    }

    /// Says something and does not wait for the answer: it may be made or not.
    async fn cancel(&mut self, id: &str, number: u32) -> Result<Told, Error> {
        let patience = Duration::from_millis(self.rng.u64(0..CALL_MS));
        self.journal.happened("cancelled caller");
        let change = [Change::say(&self.message(number))];
        match timeout(patience, self.tickets.apply(id, &change, None)).await {
            Ok(answer) => told(answer.map(|it| it.served_by)),
            Err(_) => Ok(Told::Other),
        }
    }

    fn look_at(&self, done: &Result<Told, Error>, id: &str, began: Instant) {
        let took = began.elapsed();
        if took > Duration::from_millis(CALL_MS) + LATE {
            self.journal.wrong(format!("an operation on {id} took {took:?}"));
        }
        match done {
            Ok(told) => self.journal.called(matches!(told, Told::Ticket(ServedBy::Fallback))),
            // A ticket that this host has not met, or that is gone; a race that took too long.
            Err(Error::Unavailable(_) | Error::NotFound(_) | Error::Conflict(_) | Error::Exists(_)) => {
                self.journal.called(false);
            }
            // The change was on its way without an answer when the supervisor changed the record.
            Err(Error::Uncertain(_)) => {
                self.journal.happened(UNCERTAIN);
                self.journal.called(false);
            }
            // A snapshot of an incarnation that has ended.
            Err(Error::Invalid(text)) if text.starts_with("snapshot is of another") => self.journal.called(false),
            Err(error) => self.journal.wrong(format!("an operation on {id}: {error:?}")),
        }
    }
}

fn told(answer: Result<ServedBy, Error>) -> Result<Told, Error> {
    answer.map(Told::Ticket)
}

/// Whether no agent closes a ticket or rolls it back, so that all that was said must be there in the end.
pub(super) fn is_calm(id: &str) -> bool {
    let number: usize = id.strip_prefix('t').and_then(|digits| digits.parse().ok()).unwrap_or(0);
    number < TICKETS / 2
}
