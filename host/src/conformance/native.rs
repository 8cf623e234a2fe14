//! The stage of this host: its tickets over a store under test, with scripted faults between engine and store.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::fixture::Fixture;
use super::ground::Trouble;
use super::interruption::{Interruption, Interruptions};
use super::scenario::{Limits, START_MS, StoreCall};
use super::stage::{Call, ForeignDeed, Stage};
use super::transcript::Answer;
use crate::clock::{Clock, ManualClock};
use crate::store::{Condition, Entry, Error, Fields, Freshness, Health, Key, Outcome, Page, Store};
use crate::{Settings, Tickets};

/// This host on a fixture.
#[derive(Debug)]
pub struct Native {
    border: Arc<Border>,
    tickets: Tickets,
    dates: ManualClock,
    began_ms: u64,
}

impl Native {
    /// A stage on an empty fixture, whose clock is set to the start of scenarios.
    ///
    /// # Errors
    /// `Invalid` for limits that the engine does not take.
    pub async fn new(fixture: Fixture, limits: &Limits) -> Result<Self, crate::Error> {
        fixture.clock.set(START_MS);
        let began_ms = fixture.now_ms().await;
        let dates = ManualClock::at(START_MS);
        let settings = Settings {
            ttl_ms: limits.ttl_ms,
            message_bytes_max: limits.message_bytes_max,
            ticket_bytes_max: limits.ticket_bytes_max,
            history_entries_max: limits.history_entries_max,
            clock: Arc::new(dates.clone()),
            ..fixture.settings()
        };
        let border = Arc::new(Border { fixture, interruptions: Mutex::default() });
        let tickets = Tickets::new(Arc::clone(&border) as _, settings)?;
        Ok(Self { border, tickets, dates, began_ms })
    }

    async fn answer(&self, call: Call) -> Result<Answer, crate::Error> {
        let tickets = &self.tickets;
        Ok(match call {
            Call::Create { id, changes } => Answer::Ticket(tickets.create(id.as_deref(), &changes).await?),
            Call::Get { id } => Answer::Ticket(tickets.get(&id).await?),
            Call::Apply { id, changes, at } => Answer::Ticket(tickets.apply(&id, &changes, at.as_deref()).await?),
            Call::Touch { id } => Answer::Ticket(tickets.touch(&id).await?),
            Call::Snapshot { id } => Answer::Snapshot(tickets.snapshot(&id).await?),
            Call::Rollback { id, snapshot, at } => {
                Answer::Ticket(tickets.rollback(&id, &snapshot, at.as_deref()).await?)
            }
            Call::Restore { snapshot } => Answer::Ticket(tickets.restore(&snapshot).await?),
            Call::Close { id, at } => {
                tickets.close(&id, at.as_deref()).await?;
                Answer::Done
            }
            Call::List => {
                let (mut ids, mut cursor) = (Vec::new(), None);
                loop {
                    let page = tickets.list(cursor.as_deref()).await?;
                    ids.extend(page.ids);
                    cursor = page.cursor;
                    if cursor.is_none() {
                        break Answer::Ids(ids);
                    }
                }
            }
            Call::Merge { base, ours, theirs } => Answer::Merged(tickets.merge(&base, &ours, &theirs).await?),
        })
    }
}

#[async_trait]
impl Stage for Native {
    async fn call(
        &mut self,
        call: Call,
        interruptions: Interruptions,
    ) -> Result<Result<Answer, crate::Error>, Trouble> {
        *self.border.interruptions() = interruptions;
        let answer = self.answer(call).await;
        *self.border.interruptions() = Interruptions::default();
        Ok(answer)
    }

    async fn pass(&mut self, ms: u64) -> Result<(), Trouble> {
        self.dates.advance(ms);
        self.border.fixture.pass(ms).await;
        if !self.border.fixture.moves_clock() {
            self.began_ms -= ms;
        }
        Ok(())
    }

    async fn date(&mut self, ms: i64) -> Result<(), Trouble> {
        self.dates.set(self.dates.now_ms().saturating_add_signed(ms));
        Ok(())
    }

    async fn act(&mut self, deed: ForeignDeed) -> Result<(), Trouble> {
        Ok(self.border.act(&deed).await?)
    }

    fn began_ms(&self) -> u64 {
        self.began_ms
    }

    fn moved(&self, revision: &str, ms: u64) -> String {
        self.border.fixture.moved(revision, ms)
    }
}

/// The border between engine and store, where interruptions happen.
struct Border {
    fixture: Fixture,
    interruptions: Mutex<Interruptions>,
}

impl Border {
    fn interruptions(&self) -> MutexGuard<'_, Interruptions> {
        self.interruptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn act(&self, deed: &ForeignDeed) -> Result<(), Error> {
        match deed {
            ForeignDeed::Put { id, fields, ttl_ms } => {
                let fields: Fields = fields.clone().into_iter().collect();
                self.fixture.foreign_replace(&Key::of_ticket(id)?, &fields, *ttl_ms).await;
            }
            ForeignDeed::Drop { id } => self.fixture.foreign_delete(&Key::of_ticket(id)?).await,
        }
        Ok(())
    }

    /// Makes a call, with what interrupts it.
    async fn pass<T>(&self, call: StoreCall, made: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Interruption { deeds, fault } = self.interruptions().take(call);
        for deed in deeds {
            self.act(&deed).await?;
        }
        let Some(fault) = fault else { return made.await };
        if fault.made {
            made.await?;
        }
        Err(Error::new(fault.error.kind(), "the scenario has the store fail"))
    }
}

impl fmt::Debug for Border {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Border({:?})", self.fixture)
    }
}

impl fmt::Display for Border {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fixture.store.fmt(f)
    }
}

#[async_trait]
impl Store for Border {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        self.pass(StoreCall::Read, self.fixture.store.read(key, freshness)).await
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        self.pass(StoreCall::Write, self.fixture.store.write(key, fields, ttl_ms, when)).await
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        self.pass(StoreCall::Touch, self.fixture.store.touch(key, ttl_ms)).await
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        self.pass(StoreCall::Remove, self.fixture.store.remove(key, when)).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        self.pass(StoreCall::Scan, self.fixture.store.scan(cursor, limit)).await
    }

    async fn health(&self) -> Result<Health, Error> {
        self.fixture.store.health().await
    }
}
