//! The stage of this host: its tickets over a store under test, with scripted faults between engine and store.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::backend::BoxError;
use super::fixture::Fixture;
use super::interruption::{Interruption, Interruptions};
use super::scenario::{Limits, START_MS, StoreCall};
use super::scenario_host::{Call, ExternalWrite, ScenarioHost};
use super::transcript::Answer;
use ticket_host::store::{Condition, Entry, Error, Fields, Freshness, Health, Key, Kind, Outcome, Page, Store};
use ticket_host::{Settings, Tickets};
use ticket_store::clock::{Clock, ManualClock};

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
    /// An `Invalid` of the engine for limits that it does not take; where the time of the store cannot be asked.
    pub async fn new(fixture: Fixture, limits: &Limits) -> Result<Self, BoxError> {
        fixture.clock.set(START_MS);
        let began_ms = fixture.try_now_ms().await?;
        let dates = ManualClock::at(START_MS);
        let settings = Settings {
            ttl_ms: limits.ttl_ms,
            message_bytes_max: limits.message_bytes_max,
            ticket_bytes_max: limits.ticket_bytes_max,
            history_entries_max: limits.history_entries_max,
            clock: Arc::new(dates.clone()),
            ..fixture.settings()
        };
        let border = Arc::new(Border { fixture, interruptions: Mutex::default(), trouble: Mutex::default() });
        let tickets = Tickets::new(Arc::clone(&border) as _, settings)?;
        Ok(Self { border, tickets, dates, began_ms })
    }

    async fn answer(&self, call: Call) -> Result<Answer, ticket_host::Error> {
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
impl ScenarioHost for Native {
    async fn call(
        &mut self,
        call: Call,
        interruptions: Interruptions,
    ) -> Result<Result<Answer, ticket_host::Error>, BoxError> {
        *locked(&self.border.interruptions) = interruptions;
        let answer = self.answer(call).await;
        *locked(&self.border.interruptions) = Interruptions::default();
        locked(&self.border.trouble).take().map_or(Ok(answer), Err)
    }

    async fn pass(&mut self, ms: u64) -> Result<(), BoxError> {
        self.dates.advance(ms);
        self.border.fixture.try_pass(ms).await?;
        if !self.border.fixture.moves_clock() {
            self.began_ms -= ms;
        }
        Ok(())
    }

    async fn date(&mut self, ms: i64) -> Result<(), BoxError> {
        self.dates.set(self.dates.now_ms().saturating_add_signed(ms));
        Ok(())
    }

    async fn act(&mut self, external_write: ExternalWrite) -> Result<(), BoxError> {
        self.border.act(&external_write).await
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
    /// Why an interruption could not happen, which ends the play.
    trouble: Mutex<Option<BoxError>>,
}

impl Border {
    async fn act(&self, external_write: &ExternalWrite) -> Result<(), BoxError> {
        match external_write {
            ExternalWrite::Put { id, fields, ttl_ms } => {
                let fields: Fields = fields.clone().into_iter().collect();
                self.fixture.try_replace(&Key::of_ticket(id)?, &fields, *ttl_ms).await
            }
            ExternalWrite::Drop { id } => self.fixture.try_delete(&Key::of_ticket(id)?).await,
        }
    }

    /// Makes a call, with what interrupts it.
    async fn pass<T>(&self, call: StoreCall, made: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Interruption { deeds, fault } = locked(&self.interruptions).take(call);
        for external_write in deeds {
            if let Err(trouble) = self.act(&external_write).await {
                let error = Error::new(Kind::Unavailable, format!("a foreign program cannot come first: {trouble}"));
                locked(&self.trouble).get_or_insert(trouble);
                return Err(error);
            }
        }
        let Some(fault) = fault else { return made.await };
        if fault.made {
            made.await?;
        }
        Err(Error::new(fault.error.kind(), "the scenario has the store fail"))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
