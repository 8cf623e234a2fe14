//! The scenario host of this project: its tickets over a store under test, with interruptions between engine and store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ticket_host::Tickets;
use ticket_host::store::{Error, Fields, Key, Kind};
use ticket_store::clock::{Clock, ManualClock};

use crate::backend::BoxError;
use crate::external_write::ExternalWrite;
use crate::fixture::Fixture;
use crate::interposed::{Failure, Interposed};
use crate::interruption::{Fault, Interruption, Interruptions};
use crate::scenario::{Limits, START_MS, StoreCall};
use crate::scenario_host::{Call, ScenarioHost};
use crate::transcript::Answer;

/// Tickets of this project over a fixture.
#[derive(Debug)]
pub struct NativeHost {
    script: Arc<Script>,
    tickets: Tickets,
    clock: ManualClock,
    start_ms: u64,
}

impl NativeHost {
    /// A host over an empty fixture, whose clock is set to the start of scenarios.
    ///
    /// # Errors
    /// `Invalid` for limits that the engine does not accept, and any error of asking the store for its time.
    pub async fn new(fixture: Fixture, limits: &Limits) -> Result<Self, BoxError> {
        fixture.clock.set(START_MS);
        let start_ms = fixture.try_now_ms().await?;
        let clock = ManualClock::at(START_MS);
        let sizes = ticket_host::Limits::default()
            .message_bytes_max(limits.message_bytes_max)
            .ticket_bytes_max(limits.ticket_bytes_max)
            .history_entries_max(limits.history_entries_max);
        let store = Arc::clone(&fixture.store);
        let script = Arc::new(Script { fixture, interruptions: Mutex::default(), error: Mutex::default() });
        let before = {
            let script = Arc::clone(&script);
            Box::new(move |call| {
                let script = Arc::clone(&script);
                Box::pin(async move { script.interrupt(call).await }) as _
            })
        };
        let tickets = script
            .fixture
            .builder_over(Arc::new(Interposed::new(store, before)))
            .ttl(Duration::from_millis(limits.ttl_ms))
            .limits(sizes)
            .clock(Arc::new(clock.clone()))
            .build()?;
        Ok(Self { script, tickets, clock, start_ms })
    }

    async fn answer(&self, call: Call) -> Result<Answer, ticket_host::Error> {
        let tickets = &self.tickets;
        let lasting = |ttl_ms: Option<u64>| {
            ttl_ms.map_or_else(|| tickets.clone(), |ttl_ms| tickets.with_ttl(Duration::from_millis(ttl_ms)))
        };
        Ok(match call {
            Call::Create { id, changes, ttl_ms } => {
                Answer::Ticket(lasting(ttl_ms).create(id.as_deref(), &changes).await?)
            }
            Call::Ensure { id, changes, ttl_ms } => Answer::Ticket(lasting(ttl_ms).ensure(&id, &changes).await?),
            Call::Get { id } => Answer::Ticket(tickets.get(&id).await?),
            Call::Exists { id } => Answer::Exists(tickets.exists(&id).await?),
            Call::GetSummary { id } => Answer::Summary(tickets.get_summary(&id).await?),
            Call::GetMessages { id, entries_max, bytes_max } => {
                Answer::Messages(id.clone(), tickets.get_messages(&id, entries_max, bytes_max).await?)
            }
            Call::GetFact { id, pointer } => Answer::Fact(id.clone(), tickets.get_fact(&id, &pointer).await?),
            Call::Apply { id, changes, at, ttl_ms } => {
                Answer::Ticket(lasting(ttl_ms).apply(&id, &changes, at.as_deref()).await?)
            }
            Call::Touch { id, ttl_ms } => Answer::Ticket(lasting(ttl_ms).touch(&id).await?),
            Call::Snapshot { id } => Answer::Snapshot(tickets.snapshot(&id).await?),
            Call::Rollback { id, snapshot, at, ttl_ms } => {
                Answer::Ticket(lasting(ttl_ms).rollback(&id, &snapshot, at.as_deref()).await?)
            }
            Call::Restore { snapshot, ttl_ms } => Answer::Ticket(lasting(ttl_ms).restore(&snapshot).await?),
            Call::Close { id, at } => {
                tickets.close(&id, at.as_deref()).await?;
                Answer::Done
            }
            Call::List { prefix } => {
                let (mut ids, mut cursor) = (Vec::new(), None);
                loop {
                    let page = tickets.list(&prefix, cursor.as_deref()).await?;
                    ids.extend(page.ids);
                    cursor = page.cursor;
                    if cursor.is_none() {
                        break Answer::Ids(ids);
                    }
                }
            }
            Call::ListSummaries { prefix } => {
                let (mut summaries, mut unreadable, mut cursor) = (Vec::new(), Vec::new(), None);
                loop {
                    let page = tickets.list_summaries(&prefix, cursor.as_deref()).await?;
                    summaries.extend(page.summaries);
                    unreadable.extend(page.unreadable);
                    cursor = page.cursor;
                    if cursor.is_none() {
                        break Answer::Summaries(summaries, unreadable);
                    }
                }
            }
            Call::Merge { base, ours, theirs } => Answer::Merged(tickets.merge(&base, &ours, &theirs).await?),
        })
    }
}

#[async_trait]
impl ScenarioHost for NativeHost {
    async fn call(
        &mut self,
        call: Call,
        interruptions: Interruptions,
    ) -> Result<Result<Answer, ticket_host::Error>, BoxError> {
        *locked(&self.script.interruptions) = interruptions;
        let answer = self.answer(call).await;
        *locked(&self.script.interruptions) = Interruptions::default();
        locked(&self.script.error).take().map_or(Ok(answer), Err)
    }

    async fn pass(&mut self, ms: u64) -> Result<(), BoxError> {
        self.clock.advance(ms);
        self.script.fixture.try_pass(ms).await?;
        if !self.script.fixture.has_manual_clock() {
            self.start_ms -= ms;
        }
        Ok(())
    }

    async fn shift_clock(&mut self, ms: i64) -> Result<(), BoxError> {
        self.clock.set(self.clock.now_ms().saturating_add_signed(ms));
        Ok(())
    }

    async fn external_write(&mut self, write: ExternalWrite) -> Result<(), BoxError> {
        self.script.external_write(&write).await
    }

    fn start_ms(&self) -> u64 {
        self.start_ms
    }

    fn revision_after(&self, revision: &str, ms: u64) -> String {
        self.script.fixture.revision_after(revision, ms)
    }
}

/// The interruptions of the running operation, and the store that they affect.
#[derive(Debug)]
struct Script {
    fixture: Fixture,
    interruptions: Mutex<Interruptions>,
    /// Why an external write failed; it ends the scenario.
    error: Mutex<Option<BoxError>>,
}

impl Script {
    async fn external_write(&self, write: &ExternalWrite) -> Result<(), BoxError> {
        match write {
            ExternalWrite::Put { id, fields, ttl_ms } => {
                let fields: Fields = fields.clone().into_iter().collect();
                self.fixture.try_replace(&Key::of_ticket(id)?, &fields, *ttl_ms).await
            }
            ExternalWrite::Drop { id } => self.fixture.try_delete(&Key::of_ticket(id)?).await,
        }
    }

    async fn interrupt(&self, call: StoreCall) -> Result<(), Failure> {
        let Interruption { external_writes, fault } = locked(&self.interruptions).take(call);
        for write in external_writes {
            if let Err(why) = self.external_write(&write).await {
                let error = Error::new(Kind::Unavailable, format!("an external write failed: {why}"));
                locked(&self.error).get_or_insert(why);
                return Err(Failure::Refused(error));
            }
        }
        let error = |fault: Fault| Error::new(fault.error.kind(), "the scenario lets this call fail");
        match fault {
            None => Ok(()),
            Some(fault) if fault.made => Err(Failure::AnswerLost(error(fault))),
            Some(fault) => Err(Failure::Refused(error(fault))),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
