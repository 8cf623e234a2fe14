//! The operations on tickets, over any port; the one loop of read, change and conditional write is here.

use crate::error::Error;
use crate::merge;
use crate::record;
use crate::snapshot;
use crate::state::{Checked, Sound};
use crate::ticket_id::TicketId;
use ticket_model::port::{Condition, Entry, Freshness, KeyValueError, Outcome, Port, Settings};
use ticket_model::ticket::{Change, IdPage, Merged, State, Ticket};

/// Keys asked for at a time by a listing: one page of 36-character ids is about 20 KB.
const PAGE_KEYS: u32 = 500;

/// The operations, over one host.
#[derive(Debug)]
pub struct Engine<P> {
    port: P,
    settings: Settings,
}

/// What a read found.
struct Found {
    state: Sound,
    revision: String,
    expires_at_ms: u64,
}

impl Found {
    fn into_ticket(self, id: &TicketId) -> Ticket {
        let Self { state, revision, expires_at_ms } = self;
        Ticket { id: id.as_str().to_owned(), state: state.into_state(), revision, expires_at_ms }
    }
}

/// The state after an edit; `false` if there was nothing to change.
type Edited = Result<(Sound, bool), Error>;

impl<P: Port> Engine<P> {
    /// An engine over a host.
    pub fn new(port: P) -> Self {
        let settings = port.settings();
        Self { port, settings }
    }

    /// See `tickets.create`.
    pub fn create(&self, id: Option<String>, changes: Vec<Change>) -> Result<Ticket, Error> {
        let id = TicketId::parse(id.unwrap_or_else(|| self.port.fresh_id()))?;
        let changes = self.checked(changes)?;
        let now_s = self.now_s();
        let (state, _) = Sound::new(now_s).with(&changes, now_s, &self.settings)?;
        self.write_new(id, state.into_state())
    }

    /// See `tickets.get`.
    pub fn get(&self, id: String) -> Result<Ticket, Error> {
        let id = TicketId::parse(id)?;
        let entry = self.port.read(&id.key(), Freshness::Latest)?;
        self.found(&id, entry).map(|found| found.into_ticket(&id))
    }

    /// See `tickets.apply`.
    pub fn apply(&self, id: String, changes: Vec<Change>, at: Option<String>) -> Result<Ticket, Error> {
        let id = TicketId::parse(id)?;
        if changes.is_empty() {
            return Err(Error::Invalid(format!("no change is given for ticket `{id}`")));
        }
        let changes = self.checked(changes)?;
        let now_s = self.now_s();
        self.change(id, at, |state| state.with(&changes, now_s, &self.settings))
    }

    /// See `tickets.touch`.
    pub fn touch(&self, id: String) -> Result<Ticket, Error> {
        // Read before, so that damage is not touched, and after, so that content and revision are of one state.
        let Ticket { id, .. } = self.get(id)?;
        let id = TicketId::parse(id)?;
        if !self.port.touch(&id.key(), self.settings.ttl_ms)?.applied {
            return Err(not_found(&id));
        }
        let entry = self.port.read(&id.key(), Freshness::Latest)?;
        self.found(&id, entry).map(|found| found.into_ticket(&id))
    }

    /// See `tickets.snapshot`.
    pub fn snapshot(&self, id: String) -> Result<String, Error> {
        let ticket = self.get(id)?;
        snapshot::write(&TicketId::parse(ticket.id)?, &ticket.state)
    }

    /// See `tickets.rollback`.
    pub fn rollback(&self, id: String, snapshot: &str, at: Option<String>) -> Result<Ticket, Error> {
        let id = TicketId::parse(id)?;
        let (of, state) = snapshot::read(snapshot, &self.settings)?;
        if of != id {
            return Err(Error::Invalid(format!("snapshot is of ticket `{of}`, not of `{id}`")));
        }
        let same_incarnation = |created_at: Option<u64>| match created_at {
            Some(created_at) if created_at != state.created_at => Err(Error::Invalid(format!(
                "snapshot is of another incarnation of ticket `{id}`: created at {}, not at {created_at}",
                state.created_at
            ))),
            _ => Ok(()),
        };
        let outcome = self.replace(&id, at, same_incarnation, |key, when| self.write(key, &state, when))?;
        Ok(written(id, state, outcome))
    }

    /// See `tickets.restore`.
    pub fn restore(&self, snapshot: &str) -> Result<Ticket, Error> {
        let (id, state) = snapshot::read(snapshot, &self.settings)?;
        self.write_new(id, state)
    }

    /// See `tickets.close`.
    pub fn close(&self, id: String, at: Option<String>) -> Result<(), Error> {
        let id = TicketId::parse(id)?;
        self.replace(&id, at, |_| Ok(()), |key, when| self.port.remove(key, when)).map(drop)
    }

    /// See `tickets.list-ids`.
    pub fn list_ids(&self, cursor: Option<&str>) -> Result<IdPage, Error> {
        let page = self.port.scan(cursor, PAGE_KEYS)?;
        let ids = page.keys.iter().filter_map(|key| TicketId::of_key(key)).collect();
        Ok(IdPage { ids, cursor: page.cursor })
    }

    /// See `tickets.merge`.
    pub fn merge(&self, base: &State, ours: &State, theirs: &State) -> Result<Merged, Error> {
        merge::merge(base, ours, theirs, &self.settings)
    }

    /// Reads, edits and writes at the revision that was read, until no other client was faster.
    ///
    /// The first read may be an old copy: it only feeds the write. An error, or that there is nothing to
    /// do, is decided again on the latest entry.
    fn change(&self, id: TicketId, at: Option<String>, edit: impl Fn(Sound) -> Edited) -> Result<Ticket, Error> {
        let key = id.key();
        let mut latest = at.is_some();
        let mut entry = self.port.read(&key, if latest { Freshness::Latest } else { Freshness::Recent })?;
        let mut attempt = 1;
        loop {
            let edited = self.found(&id, entry).and_then(|found| {
                let Found { state, revision, .. } = expected(&id, found, at.as_deref())?;
                edit(state).map(|(state, changed)| (state.into_state(), changed, revision))
            });
            let (state, revision) = match edited {
                Ok((state, changed, revision)) if changed || latest => (state, revision),
                Err(error) if latest => return Err(error),
                Ok(_) | Err(_) => {
                    latest = true;
                    entry = self.port.read(&key, Freshness::Latest)?;
                    continue;
                }
            };
            let outcome = self.write(&key, &state, &Condition::At(revision))?;
            if outcome.applied {
                return Ok(written(id, state, outcome));
            }
            latest = true;
            attempt += 1;
            entry = self.after_lost_race(&id, outcome.current, at.is_some(), attempt)?;
        }
    }

    /// Replaces or removes an entry, even a damaged one, until no other client was faster; `present` is for an entry
    /// that cannot be read and so has no revision.
    fn replace(
        &self,
        id: &TicketId,
        at: Option<String>,
        check: impl Fn(Option<u64>) -> Result<(), Error>,
        change: impl Fn(&str, &Condition) -> Result<Outcome, KeyValueError>,
    ) -> Result<Outcome, Error> {
        let key = id.key();
        let mut read = self.port.read(&key, Freshness::Latest);
        let mut attempt = 1;
        loop {
            let when = match read {
                Ok(Some(entry)) => {
                    let (when, created_at) = self.condition(id, entry, at.as_deref())?;
                    check(created_at)?;
                    when
                }
                Ok(None) => return Err(not_found(id)),
                Err(error @ (KeyValueError::Corrupt(_) | KeyValueError::TooLarge(_))) if at.is_some() => {
                    return Err(error.into());
                }
                Err(KeyValueError::Corrupt(_) | KeyValueError::TooLarge(_)) => Condition::Present,
                Err(error) => return Err(error.into()),
            };
            let outcome = change(&key, &when)?;
            if outcome.applied {
                return Ok(outcome);
            }
            attempt += 1;
            read = match self.after_lost_race(id, outcome.current, at.is_some(), attempt) {
                // The same answer as for damage that the first read finds.
                Err(Error::Corrupt(_) | Error::TooLarge(_)) if at.is_some() => return Err(Error::Conflict(None)),
                current => Ok(current?),
            };
        }
    }

    /// The condition to replace what was read, and its creation time unless damage hides it.
    fn condition(&self, id: &TicketId, entry: Entry, at: Option<&str>) -> Result<(Condition, Option<u64>), Error> {
        let revision = entry.revision.clone();
        let damaged_created_at = record::created_at(&entry.fields);
        let created_at = match self.found(id, Some(entry)) {
            Ok(found) => Some(expected(id, found, at)?.state.state().created_at),
            Err(Error::Corrupt(_) | Error::TooLarge(_)) if at.is_none_or(|at| at == revision) => damaged_created_at,
            Err(Error::Corrupt(_) | Error::TooLarge(_)) => return Err(Error::Conflict(None)),
            Err(error) => return Err(error),
        };
        Ok((Condition::At(revision), created_at))
    }

    /// The entry for the next attempt after a lost race; `conflict` if the caller named a revision or the time is up.
    fn after_lost_race(
        &self,
        id: &TicketId,
        current: Option<Entry>,
        named: bool,
        attempt: u32,
    ) -> Result<Option<Entry>, Error> {
        if !named && self.port.try_again(attempt) {
            return Ok(current);
        }
        match current {
            None if named => Err(Error::Conflict(None)),
            current => {
                self.found(id, current).and_then(|found| Err(Error::Conflict(Some(Box::new(found.into_ticket(id))))))
            }
        }
    }

    fn write(&self, key: &str, state: &State, when: &Condition) -> Result<Outcome, KeyValueError> {
        record::encode(state, |fields| self.port.write(key, &fields, self.settings.ttl_ms, when))
    }

    fn write_new(&self, id: TicketId, state: State) -> Result<Ticket, Error> {
        let outcome = self.write(&id.key(), &state, &Condition::Absent)?;
        if outcome.applied {
            return Ok(written(id, state, outcome));
        }
        Err(Error::Exists(format!("ticket `{id}` exists already")))
    }

    /// Checks each change by itself, and that there are not more than a history holds messages.
    fn checked(&self, changes: Vec<Change>) -> Result<Vec<Checked>, Error> {
        let changes_max = self.settings.history_entries_max as usize;
        if changes.len() > changes_max {
            return Err(Error::TooLarge(format!("{} changes at once, the limit is {changes_max}", changes.len())));
        }
        changes.into_iter().map(|change| Checked::new(change, &self.settings)).collect()
    }

    fn found(&self, id: &TicketId, entry: Option<Entry>) -> Result<Found, Error> {
        let Entry { fields, revision, expires_at_ms } = entry.ok_or_else(|| not_found(id))?;
        let state = record::decode(id, fields, &self.settings)?;
        Ok(Found { state, revision, expires_at_ms })
    }

    fn now_s(&self) -> u64 {
        self.port.now_ms() / 1_000
    }
}

/// What was found; `conflict` with the current ticket if the caller named another revision.
fn expected(id: &TicketId, found: Found, at: Option<&str>) -> Result<Found, Error> {
    match at {
        Some(at) if at != found.revision => Err(Error::Conflict(Some(Box::new(found.into_ticket(id))))),
        _ => Ok(found),
    }
}

fn not_found(id: &TicketId) -> Error {
    Error::NotFound(format!("there is no ticket `{id}`: never created, expired or closed"))
}

fn written(id: TicketId, state: State, outcome: Outcome) -> Ticket {
    Ticket {
        id: id.into_string(),
        state,
        revision: outcome.revision.unwrap_or_default(),
        expires_at_ms: outcome.expires_at_ms,
    }
}

#[cfg(test)]
mod tests;
