//! `ticket watch`: changes of tickets as they come, found by reading them again and again.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use serde::Serialize;
use ticket_host::store::clock::{Clock, SystemClock};
use ticket_host::{Error, Ticket, Tickets};

use super::args::Format;
use super::escape::printable;
use super::exit::{self, Failure};
use super::list;
use super::output::Output;
use super::render;
use super::time::utc;

/// What happened to a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Created,
    Changed,
    /// Its deadline moved, nothing else.
    Touched,
    /// It expired or was closed.
    Gone,
}

/// A line of output.
#[derive(Serialize)]
struct Line<'a> {
    at_ms: u64,
    event: Event,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a Ticket>,
}

/// What is remembered of a ticket.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    revision: String,
    created_at: u64,
    /// Of facts, history and last decision: tickets are large, and there may be many.
    content: u64,
}

impl Seen {
    fn of(ticket: &Ticket) -> Self {
        let mut hasher = DefaultHasher::new();
        (&ticket.facts, &ticket.history, &ticket.last_decision).hash(&mut hasher);
        Self { revision: ticket.revision.clone(), created_at: ticket.created_at, content: hasher.finish() }
    }

    /// What happened between two readings; none if nothing did.
    fn event(before: Option<&Self>, now: &Self) -> Option<Event> {
        match before {
            None => Some(Event::Created),
            Some(before) if before == now => None,
            Some(before) if before.created_at != now.created_at => Some(Event::Created),
            Some(before) if before.content == now.content => Some(Event::Touched),
            Some(_) => Some(Event::Changed),
        }
    }
}

/// Shows what happens to a ticket, or to all, until the process ends.
pub(crate) async fn run(
    tickets: &Tickets,
    id: Option<&str>,
    interval: Duration,
    output: &Output,
) -> Result<(), Failure> {
    let mut watch = Watch { tickets, output, seen: BTreeMap::new(), is_down: false };
    // What is there already is not an event.
    watch.round(id, false).await?;
    output.remark(&format!("watching {} of {}", render::tickets(watch.seen.len() as u64), tickets.store()));
    loop {
        tokio::time::sleep(interval).await;
        watch.round(id, true).await?;
    }
}

struct Watch<'a> {
    tickets: &'a Tickets,
    output: &'a Output,
    seen: BTreeMap<String, Seen>,
    is_down: bool,
}

impl Watch<'_> {
    /// Reads everything once. A store that is down is said once, and watched on.
    async fn round(&mut self, id: Option<&str>, tell: bool) -> Result<(), Failure> {
        match self.read(id, tell).await {
            Err(Failure::Ticket(error @ Error::Unavailable(_))) if tell => {
                if !std::mem::replace(&mut self.is_down, true) {
                    exit::tell(&printable(&format!("warning: {error}: watching on")));
                }
                Ok(())
            }
            done => {
                self.is_down = false;
                done
            }
        }
    }

    async fn read(&mut self, id: Option<&str>, tell: bool) -> Result<(), Failure> {
        let mut ids = match id {
            Some(id) => vec![id.to_owned()],
            None => list::ids(self.tickets, "", usize::MAX).await?,
        };
        // Whether a ticket that is not listed is gone, only a reading tells: a fallback lists what it knows.
        let missing: Vec<String> = self.seen.keys().filter(|seen| ids.binary_search(seen).is_err()).cloned().collect();
        ids.extend(missing);
        for ids in ids.chunks(list::READS_MAX) {
            for (id, read) in ids.iter().zip(list::read(self.tickets, ids, get).await?) {
                match read {
                    Ok(ticket) => self.is(&ticket, tell)?,
                    Err(Error::NotFound(_)) => {
                        if self.seen.remove(id).is_some() {
                            self.show(Event::Gone, id, None)?;
                        }
                    }
                    Err(error) if list::is_unreadable(&error) => {
                        // It is left out, as in every round until it is a ticket again.
                        tracing::debug!(id, %error, "not watched");
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn is(&mut self, ticket: &Ticket, tell: bool) -> Result<(), Failure> {
        let now = Seen::of(ticket);
        let event = Seen::event(self.seen.get(&ticket.id), &now);
        self.seen.insert(ticket.id.clone(), now);
        match event {
            Some(event) if tell => self.show(event, &ticket.id, Some(ticket)),
            _ => Ok(()),
        }
    }

    fn show(&self, event: Event, id: &str, ticket: Option<&Ticket>) -> Result<(), Failure> {
        let at_ms = SystemClock.now_ms();
        match self.output.format() {
            Format::Json => self.output.json(&Line { at_ms, event, id, ticket }),
            Format::Table => {
                let what = match event {
                    Event::Created => "created",
                    Event::Changed => "changed",
                    Event::Touched => "touched",
                    Event::Gone => "gone",
                };
                let messages =
                    ticket.map(|ticket| format!(", {} messages", ticket.message_count())).unwrap_or_default();
                self.output.line(&format!("{}  {what:<8} {id}{messages}", utc(at_ms / 1_000)))
            }
        }
    }
}

/// Reads one ticket.
async fn get(tickets: Tickets, id: String) -> Result<Ticket, Error> {
    tickets.get(&id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_compared_by_incarnation_and_content() {
        let seen = |revision: &str, created_at, content| Seen { revision: revision.into(), created_at, content };
        let before = seen("r1", 1, 7);
        for (now, expected) in [
            (seen("r1", 1, 7), None),
            (seen("r2", 1, 7), Some(Event::Touched)),
            (seen("r2", 1, 8), Some(Event::Changed)),
            (seen("r2", 2, 7), Some(Event::Created)),
        ] {
            assert_eq!(Seen::event(Some(&before), &now), expected);
        }
        assert_eq!(Seen::event(None, &before), Some(Event::Created));
    }
}
