//! The ticket of a run: as it was read, with the changes that the run recorded on top.
//!
//! The changes are applied by the ticket engine to a copy in memory, so that they mean what they will mean when they are
//! written, and a wrong one is refused at once.

use std::sync::Arc;

use ticket_model::{field, json};
use ticket_store::clock::SystemClock;
use ticket_store::{Condition, Fields, Key, MemoryStore, Store};

use crate::engine::Engine;
use crate::error::Error;
use crate::ticket::{Change, Ticket};

/// How long the copy lives: longer than any run.
const TTL_MS: u64 = 3_600_000;

/// A ticket and what a run recorded.
pub(super) struct Draft {
    /// As it was read.
    pub(super) before: Ticket,
    /// With the changes.
    pub(super) after: Ticket,
    pub(super) changes: Vec<Change>,
    engine: Engine,
    store: MemoryStore,
    is_stored: bool,
}

impl Draft {
    pub(super) fn of(ticket: Ticket, engine: &Engine) -> Self {
        let store = MemoryStore::new(Arc::new(SystemClock));
        let engine = engine.over(Arc::new(store.clone()));
        Self { after: ticket.clone(), before: ticket, changes: Vec::new(), engine, store, is_stored: false }
    }

    /// Applies and records a change.
    pub(super) async fn record(&mut self, change: Change) -> Result<(), Error> {
        self.put_down().await?;
        self.after = self.engine.apply(&self.before.id, std::slice::from_ref(&change), None, Some(TTL_MS)).await?;
        self.changes.push(change);
        Ok(())
    }

    pub(super) async fn fact(&mut self, pointer: &str) -> Result<Option<String>, Error> {
        self.put_down().await?;
        Ok(self.engine.get_fact(&self.before.id, pointer).await?.value)
    }

    /// The newest messages, as they are stored, the oldest of them first.
    pub(super) fn last_messages(&self, count: u32) -> Vec<String> {
        let messages: Vec<&str> = json::items(&self.after.history).map(Iterator::collect).unwrap_or_default();
        let first = messages.len().saturating_sub(count as usize);
        messages[first..].iter().map(|message| (*message).to_owned()).collect()
    }

    /// Makes the copy, if it is not there yet.
    async fn put_down(&mut self) -> Result<(), Error> {
        if !self.is_stored {
            let key = Key::of_ticket(&self.before.id)?;
            self.store.write(&key, fields(&self.before), TTL_MS, &Condition::Absent).await?;
            self.is_stored = true;
        }
        Ok(())
    }
}

/// A ticket as it is stored.
fn fields(ticket: &Ticket) -> Fields {
    let texts = [
        (field::FACTS, ticket.facts.clone()),
        (field::HISTORY, ticket.history.clone()),
        (field::LAST_DECISION, ticket.last_decision.clone()),
        (field::CREATED_AT, ticket.created_at.to_string()),
        (field::UPDATED_AT, ticket.updated_at.to_string()),
        (field::VERSION, ticket.version.to_string()),
    ];
    texts.map(|(name, text)| (name.to_owned(), text)).into()
}
