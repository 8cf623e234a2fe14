//! The operations that only read: a ticket or a part of one, and listings.

use super::{Engine, Found};
use crate::error::Error;
use crate::history;
use crate::pointer::Pointer;
use crate::ticket_id::{self, TicketId};
use ticket_model::field::SCHEMA_VERSION;
use ticket_model::port::{Freshness, KeyValueError, Port};
use ticket_model::ticket::{Fact, IdPage, Messages, Summary, SummaryPage, Ticket};

/// Keys asked for at a time by a listing: one page of 36-character ids is about 20 KB.
const PAGE_KEYS: u32 = 500;
/// Keys asked for at a time by a listing that reads each ticket in turn, so that a page takes some milliseconds.
const SUMMARY_PAGE_KEYS: u32 = 20;

impl<P: Port> Engine<P> {
    /// See `tickets.get`.
    pub fn get(&self, id: String) -> Result<Ticket, Error> {
        let id = TicketId::parse(id)?;
        Ok(self.read(&id)?.into_ticket(&id))
    }

    /// See `tickets.exists`.
    pub fn exists(&self, id: String) -> Result<bool, Error> {
        match self.port.read(&TicketId::parse(id)?.key(), Freshness::Latest) {
            Ok(entry) => Ok(entry.is_some()),
            Err(KeyValueError::Corrupt(_) | KeyValueError::TooLarge(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// See `tickets.get-summary`.
    pub fn get_summary(&self, id: String) -> Result<Summary, Error> {
        let id = TicketId::parse(id)?;
        Ok(self.read(&id)?.into_summary(&id))
    }

    /// See `tickets.get-messages`.
    pub fn get_messages(&self, id: String, entries_max: u32, bytes_max: Option<u32>) -> Result<Messages, Error> {
        let Found { state, revision, .. } = self.read(&TicketId::parse(id)?)?;
        let bytes_max = bytes_max.map_or(usize::MAX, |max| max as usize);
        let newest = history::newest(&state.state().history, entries_max as usize, bytes_max);
        let messages = newest.into_iter().map(str::to_owned).collect();
        Ok(Messages { messages, history_entries: size(state.entries()), revision })
    }

    /// See `tickets.get-fact`.
    pub fn get_fact(&self, id: String, pointer: &str) -> Result<Fact, Error> {
        let (id, pointer) = (TicketId::parse(id)?, Pointer::parse(pointer)?);
        let Found { state, revision, .. } = self.read(&id)?;
        Ok(Fact { value: pointer.find(&state.state().facts).map(str::to_owned), revision })
    }

    /// See `tickets.list-ids`.
    pub fn list_ids(&self, prefix: &str, cursor: Option<&str>) -> Result<IdPage, Error> {
        self.ids(prefix, cursor, PAGE_KEYS)
    }

    /// See `tickets.list-summaries`.
    pub fn list_summaries(&self, prefix: &str, cursor: Option<&str>) -> Result<SummaryPage, Error> {
        let IdPage { ids, cursor } = self.ids(prefix, cursor, SUMMARY_PAGE_KEYS)?;
        let mut page = SummaryPage { summaries: Vec::with_capacity(ids.len()), unreadable: Vec::new(), cursor };
        for id in ids {
            match self.get_summary(id.clone()) {
                Ok(summary) => page.summaries.push(summary),
                // It ended since it was listed.
                Err(Error::NotFound(_)) => {}
                Err(Error::Corrupt(_) | Error::TooLarge(_) | Error::UnsupportedVersion(_)) => page.unreadable.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    fn ids(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<IdPage, Error> {
        ticket_id::check_prefix(prefix)?;
        let page = self.port.scan(cursor, limit)?;
        let ids = page.keys.iter().filter_map(|key| TicketId::of_key(key)).filter(|id| id.starts_with(prefix));
        Ok(IdPage { ids: ids.collect(), cursor: page.cursor })
    }
}

impl Found {
    fn into_summary(self, id: &TicketId) -> Summary {
        let Self { state, revision, expires_at_ms } = self;
        let history_entries = size(state.entries());
        let state = state.into_state();
        Summary {
            id: id.as_str().to_owned(),
            facts_bytes: size(state.facts.len()),
            history_bytes: size(state.history.len()),
            last_decision_bytes: size(state.last_decision.len()),
            history_entries,
            created_at: state.created_at,
            updated_at: state.updated_at,
            version: SCHEMA_VERSION,
            revision,
            expires_at_ms,
        }
    }
}

/// A size within the limit of a ticket, which has 32 bits.
fn size(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
