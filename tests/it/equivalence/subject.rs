//! One store under test: it does the calls, and its answers are compared with the model's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ticket_host::clock::ManualClock;
use ticket_host::store::{Condition, Key};
use ticket_host::{Error, Ticket, Tickets};
use ticket_tests::model::{Answer, At, Call, Fields, Limits, Model, View};
use ticket_tests::{ErrorKind, StoreKind, TestStore};

/// Time to live that other clients give is that of the tickets, so that the model has one.
const JITTER_DIVISOR: u64 = 2_000;

/// A store, the tickets in it, and the revisions that it showed.
pub(super) struct Subject {
    test: TestStore,
    tickets: Tickets,
    dates: ManualClock,
    limits: Limits,
    /// Id and revision by the number of the state.
    revisions: BTreeMap<u64, (String, String)>,
    started: Instant,
}

/// Why a comparison ends.
pub(super) enum End {
    /// The store and the model differ.
    Differs(String),
    /// A state written by another client, or of another incarnation, has by chance the revision of another one.
    Coincidence,
}

impl Subject {
    pub(super) async fn new(kind: StoreKind, limits: Limits) -> Self {
        let test = TestStore::new(kind).await;
        let dates = ManualClock::at(0);
        let sizes = ticket_host::Limits::default()
            .message_bytes_max(u32::try_from(limits.message_bytes_max).expect("limit"))
            .ticket_bytes_max(u32::try_from(limits.ticket_bytes_max).expect("limit"))
            .history_entries_max(u32::try_from(limits.history_entries_max).expect("limit"));
        let builder = test.fixture.builder().ttl(Duration::from_millis(limits.ttl_ms)).limits(sizes);
        let tickets = builder.clock(std::sync::Arc::new(dates.clone())).build().expect("tickets");
        Self { test, tickets, dates, limits, revisions: BTreeMap::new(), started: Instant::now() }
    }

    /// Begins a sequence.
    pub(super) fn begin(&mut self, now_s: u64) {
        self.dates.set(now_s * 1_000);
        self.revisions.clear();
        self.started = Instant::now();
    }

    /// Does a call and compares the answer.
    pub(super) async fn check(&mut self, call: &Call, expected: &Answer, before: &Model) -> Result<(), End> {
        if let Call::Apply { id, at: Some(At::State(state)), .. }
        | Call::Rollback { id, at: Some(At::State(state)), .. }
        | Call::Close { id, at: Some(At::State(state)) } = call
        {
            self.watch_for_coincidence(id, *state, before).await?;
        }
        let name = self.test.kind.name();
        if let Call::ExternalPut { id, .. } | Call::ExternalReplace { id, .. } = call {
            return self.edit_foreign(id, call).await;
        }
        let answer = self.answer(call).await;
        self.compare(expected, answer, before).await.map_err(|end| match end {
            End::Differs(text) => End::Differs(format!("{name}: {call:?}\nmodel: {expected:?}\n{text}")),
            End::Coincidence => End::Coincidence,
        })
    }

    /// Lets another client edit a ticket, and ends the comparison where its state has by chance the revision of the
    /// one before: a store that knows that one cannot see the edit.
    async fn edit_foreign(&mut self, id: &str, call: &Call) -> Result<(), End> {
        let before = self.test.fixture.raw_revision(&key(id)).await;
        self.answer(call).await.map_err(|error| End::Differs(error.to_string()))?;
        let is_alike = before.is_some() && before == self.test.fixture.raw_revision(&key(id)).await;
        if is_alike { Err(End::Coincidence) } else { Ok(()) }
    }

    /// Ends the comparison where a state of another incarnation has by chance the revision that a call names.
    async fn watch_for_coincidence(&self, id: &str, state: u64, before: &Model) -> Result<(), End> {
        let (Some(record), Some((_, named))) = (before.records().get(id), self.revisions.get(&state)) else {
            return Ok(());
        };
        if record.state != state && state < record.incarnation {
            let entry = self.test.fixture.entry(&key(id)).await;
            if entry.is_some_and(|entry| entry.revision.as_str() == named) {
                return Err(End::Coincidence);
            }
        }
        Ok(())
    }

    async fn answer(&mut self, call: &Call) -> Result<Actual, Error> {
        let tickets = &self.tickets;
        let at = |at: &Option<At>| {
            at.as_ref().map(|at| match at {
                At::State(state) => self.revisions[state].1.clone(),
                At::Text(text) => (*text).to_owned(),
            })
        };
        Ok(match call {
            Call::Create { id, changes } => Actual::Ticket(tickets.create(Some(id), changes).await?),
            Call::Get { id } => Actual::Ticket(tickets.get(id).await?),
            Call::Apply { id, changes, at: named } => {
                Actual::Ticket(tickets.apply(id, changes, at(named).as_deref()).await?)
            }
            Call::Touch { id } => Actual::Ticket(tickets.touch(id).await?),
            Call::Snapshot { id } => Actual::Snapshot(tickets.snapshot(id).await?),
            Call::Rollback { id, snapshot, at: named } => {
                Actual::Ticket(tickets.rollback(id, snapshot, at(named).as_deref()).await?)
            }
            Call::Restore { snapshot } => Actual::Ticket(tickets.restore(snapshot).await?),
            Call::Close { id, at: named } => {
                tickets.close(id, at(named).as_deref()).await?;
                Actual::Done
            }
            Call::List => {
                let (mut ids, mut cursor) = (BTreeSet::new(), None);
                loop {
                    let page = tickets.list("", cursor.as_deref()).await?;
                    ids.extend(page.ids);
                    cursor = page.cursor;
                    if cursor.is_none() {
                        break Actual::Ids(ids);
                    }
                }
            }
            Call::Pass { ms } => {
                self.test.fixture.pass(*ms).await;
                self.dates.advance(*ms);
                for (_, revision) in self.revisions.values_mut() {
                    *revision = self.test.fixture.revision_after(revision, *ms);
                }
                Actual::Done
            }
            Call::Date { now_s } => {
                self.dates.set(now_s * 1_000);
                Actual::Done
            }
            Call::ExternalPut { id, fields } => {
                self.external_put(id, fields).await;
                Actual::Done
            }
            Call::ExternalReplace { id, fields } => {
                self.test.fixture.external_delete(&key(id)).await;
                self.external_put(id, fields).await;
                Actual::Done
            }
            Call::ExternalDelete { id } => {
                self.test.fixture.external_delete(&key(id)).await;
                Actual::Done
            }
        })
    }

    /// A plain Redis client gives only what it changed; through a store a whole entry is written.
    async fn external_put(&self, id: &str, fields: &Fields) {
        let mut all = Fields::new();
        if !self.test.kind.has_raw_client()
            && let Some(entry) = self.test.fixture.entry(&key(id)).await
        {
            all.extend(entry.into_fields());
        }
        all.extend(fields.clone());
        self.test.fixture.external_write(&key(id), &all.into_iter().collect()).await;
    }

    async fn compare(&mut self, expected: &Answer, actual: Result<Actual, Error>, before: &Model) -> Result<(), End> {
        match (expected, actual) {
            (Answer::Ticket(view), Ok(Actual::Ticket(ticket))) => self.same_ticket(view, &ticket, before).await,
            (Answer::Conflict(Some(view)), Err(Error::Conflict(Some(ticket)))) => {
                self.same_ticket(view, &ticket, before).await
            }
            (Answer::Conflict(None), Err(Error::Conflict(None))) | (Answer::Done, Ok(Actual::Done)) => Ok(()),
            (Answer::Snapshot(expected), Ok(Actual::Snapshot(actual))) if *expected == actual => Ok(()),
            (Answer::Ids(expected), Ok(Actual::Ids(actual))) if *expected == actual => Ok(()),
            (Answer::Refused(kind), Err(error)) if *kind == ErrorKind::from(&error) => Ok(()),
            (_, actual) => Err(End::Differs(format!("store: {actual:?}"))),
        }
    }

    async fn same_ticket(&mut self, view: &View, ticket: &Ticket, before: &Model) -> Result<(), End> {
        let fields = Fields::from([
            ("facts".to_owned(), ticket.facts.clone()),
            ("history".to_owned(), ticket.history.clone()),
            ("last_decision".to_owned(), ticket.last_decision.clone()),
            ("created_at".to_owned(), ticket.created_at.to_string()),
            ("updated_at".to_owned(), ticket.updated_at.to_string()),
            ("version".to_owned(), ticket.version.to_string()),
        ]);
        let differs = |why: &str| Err(End::Differs(format!("store: {ticket:?}\n{why}")));
        if (&ticket.id, &fields) != (&view.id, &view.fields) {
            return differs("id or fields");
        }
        match self.revisions.get(&view.state) {
            Some((_, revision)) if *revision == ticket.revision => {}
            Some((_, revision)) => return differs(&format!("state {} was at revision {revision}", view.state)),
            None => {
                let incarnation = before.records().get(&view.id).map_or(u64::MAX, |record| record.incarnation);
                let shown = (ticket.id.clone(), ticket.revision.clone());
                let other = self.revisions.range(incarnation..).find(|(_, known)| **known == shown);
                if let Some((state, _)) = other {
                    return differs(&format!("the revision was that of state {state} of this incarnation"));
                }
                self.revisions.insert(view.state, shown);
            }
        }
        self.has_left(ticket.expires_at_ms, view.left_ms).await
    }

    /// Compares the time that a ticket has left, within the jitter and what the store's clock went on by itself.
    async fn has_left(&self, expires_at_ms: u64, left_ms: u64) -> Result<(), End> {
        let actual_ms = expires_at_ms.saturating_sub(self.test.fixture.now_ms().await);
        let slack_ms = self.test.fixture.clock_slack_ms();
        let went_on_ms = if slack_ms == 0 { 0 } else { u64::try_from(self.started.elapsed().as_millis()).unwrap_or(0) };
        let jitter_ms = self.limits.ttl_ms / JITTER_DIVISOR;
        // Deadlines of changes that follow quickly are named past one another: up to 250 ms more, then 1 ms each.
        let named_ms = 500;
        let is_near =
            actual_ms <= left_ms + slack_ms + named_ms && actual_ms + jitter_ms + slack_ms + went_on_ms >= left_ms;
        if is_near { Ok(()) } else { Err(End::Differs(format!("{actual_ms} ms are left, not {left_ms}"))) }
    }

    /// Compares every byte of what is stored, and leaves nothing of it.
    pub(super) async fn end(&mut self, ids: &[String], model: &Model) -> Result<(), End> {
        let mut result = Ok(());
        for id in ids {
            let entry = self.test.fixture.entry(&key(id)).await;
            let stored = entry.as_ref().map(|entry| entry.fields.iter().cloned().collect::<Fields>());
            let expected = model.records().get(id);
            if stored.as_ref() != expected.map(|record| &record.fields) {
                result = Err(End::Differs(format!(
                    "{}: {id} is stored as {stored:?}\nmodel: {expected:?}",
                    self.test.kind.name()
                )));
            }
            if let (Some(entry), Some(record), Ok(())) = (&entry, expected, &result) {
                result = self.has_left(entry.expires_at_ms, record.left_ms).await;
            }
            self.test.fixture.store.remove(&key(id), &Condition::Present).await.expect("removed");
        }
        result
    }
}

/// What a store answered.
#[derive(Debug)]
enum Actual {
    Ticket(Ticket),
    Snapshot(String),
    Done,
    Ids(BTreeSet<String>),
}

fn key(id: &str) -> Key {
    Key::parse(&format!("ticket:{id}")).expect("key")
}
