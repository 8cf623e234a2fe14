//! The operations on tickets, over any port; the one loop of read, change and conditional write is here.

use crate::error::Error;
use crate::merge;
use crate::record;
use crate::snapshot;
use crate::state::{Checked, Done, Sound};
use crate::ticket_id::TicketId;
use ticket_model::limits::{TTL_MS_MAX, TTL_MS_MIN};
use ticket_model::port::{Condition, Entry, Freshness, KeyValueError, Outcome, Port, Settings};
use ticket_model::ticket::{Applied, Change, Merged, State, Ticket};

mod reads;

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

/// A conditional change of one ticket.
struct Changing<'a> {
    changes: &'a [Checked],
    /// The revision that the caller named.
    at: Option<&'a str>,
    ttl_ms: u64,
    /// Whether an absent ticket is made.
    creates: bool,
    now_s: u64,
}

impl<P: Port> Engine<P> {
    /// An engine over a host.
    pub fn new(port: P) -> Self {
        let settings = port.settings();
        Self { port, settings }
    }

    /// See `tickets.create`.
    pub fn create(&self, id: Option<String>, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        let id = TicketId::parse(id.unwrap_or_else(|| self.port.fresh_id()))?;
        let (changes, ttl_ms) = (self.checked(changes)?, self.ttl_ms(ttl_ms)?);
        let now_s = self.now_s();
        let (state, done) = Sound::new(now_s).with(&changes, now_s, &self.settings)?;
        Ok(Applied { ticket: self.write_new(id, state.into_state(), ttl_ms)?, effect: done.into_effect(true) })
    }

    /// See `tickets.ensure`.
    pub fn ensure(&self, id: String, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        let id = TicketId::parse(id)?;
        let (changes, ttl_ms) = (self.checked(changes)?, self.ttl_ms(ttl_ms)?);
        self.change(id, &Changing { changes: &changes, at: None, ttl_ms, creates: true, now_s: self.now_s() })
    }

    /// See `tickets.apply`.
    pub fn apply(
        &self,
        id: String,
        changes: Vec<Change>,
        at: Option<&str>,
        ttl_ms: Option<u64>,
    ) -> Result<Applied, Error> {
        let id = TicketId::parse(id)?;
        if changes.is_empty() {
            return Err(Error::Invalid(format!("no change is given for ticket `{id}`")));
        }
        let (changes, ttl_ms) = (self.checked(changes)?, self.ttl_ms(ttl_ms)?);
        self.change(id, &Changing { changes: &changes, at, ttl_ms, creates: false, now_s: self.now_s() })
    }

    /// See `tickets.touch`.
    pub fn touch(&self, id: String, ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        let (id, ttl_ms) = (TicketId::parse(id)?, self.ttl_ms(ttl_ms)?);
        // Read before, so that damage is not touched, and after, so that content and revision are of one state.
        self.read(&id)?;
        if !self.port.touch(&id.key(), ttl_ms)?.applied {
            return Err(not_found(&id));
        }
        Ok(self.read(&id)?.into_ticket(&id))
    }

    /// See `tickets.snapshot`.
    pub fn snapshot(&self, id: String) -> Result<String, Error> {
        let id = TicketId::parse(id)?;
        snapshot::write(&id, self.read(&id)?.state.state())
    }

    /// See `tickets.rollback`.
    pub fn rollback(&self, id: String, snapshot: &str, at: Option<&str>, ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        let (id, ttl_ms) = (TicketId::parse(id)?, self.ttl_ms(ttl_ms)?);
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
        let outcome = self.replace(&id, at, same_incarnation, |key, when| self.write(key, &state, ttl_ms, when))?;
        Ok(written(id, state, outcome))
    }

    /// See `tickets.restore`.
    pub fn restore(&self, snapshot: &str, ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        let ttl_ms = self.ttl_ms(ttl_ms)?;
        let (id, state) = snapshot::read(snapshot, &self.settings)?;
        self.write_new(id, state, ttl_ms)
    }

    /// See `tickets.close`.
    pub fn close(&self, id: String, at: Option<&str>) -> Result<(), Error> {
        let id = TicketId::parse(id)?;
        self.replace(&id, at, |_| Ok(()), |key, when| self.port.remove(key, when)).map(drop)
    }

    /// See `tickets.merge`.
    pub fn merge(&self, base: &State, ours: &State, theirs: &State) -> Result<Merged, Error> {
        merge::merge(base, ours, theirs, &self.settings)
    }

    /// Reads, edits and writes at the revision that was read, until no other client was faster.
    ///
    /// The first read may be an old copy: it only feeds the write. An error, or that there is nothing to
    /// do, is decided again on the latest entry.
    fn change(&self, id: TicketId, changing: &Changing<'_>) -> Result<Applied, Error> {
        let key = id.key();
        let named = changing.at.is_some();
        let mut latest = named;
        let mut entry = self.port.read(&key, if latest { Freshness::Latest } else { Freshness::Recent })?;
        let mut attempt = 1;
        loop {
            let (state, done, when) = match self.edited(&id, entry, changing) {
                Ok(edited) if latest || edited.1.changed() || edited.2 == Condition::Absent => edited,
                Err(error) if latest => return Err(error),
                Ok(_) | Err(_) => {
                    latest = true;
                    entry = self.port.read(&key, Freshness::Latest)?;
                    continue;
                }
            };
            let state = state.into_state();
            let outcome = self.write(&key, &state, changing.ttl_ms, &when)?;
            if outcome.applied {
                let effect = done.into_effect(when == Condition::Absent);
                return Ok(Applied { ticket: written(id, state, outcome), effect });
            }
            latest = true;
            attempt += 1;
            entry = match self.after_lost_race(&id, outcome.current, named, attempt) {
                // It ended just now, and there is no time to make it again.
                Err(Error::NotFound(_)) if changing.creates => return Err(Error::Conflict(None)),
                current => current?,
            };
        }
    }

    /// The state after the changes, what they did, and what must hold to write it.
    fn edited(
        &self,
        id: &TicketId,
        entry: Option<Entry>,
        changing: &Changing<'_>,
    ) -> Result<(Sound, Done, Condition), Error> {
        let (state, when) = if entry.is_none() && changing.creates {
            (Sound::new(changing.now_s), Condition::Absent)
        } else {
            let found = expected(id, self.found(id, entry)?, changing.at)?;
            (found.state, Condition::At(found.revision))
        };
        let (state, done) = state.with(changing.changes, changing.now_s, &self.settings)?;
        Ok((state, done, when))
    }

    /// Replaces or removes an entry, even a damaged one, until no other client was faster; `present` is for an entry
    /// that cannot be read and so has no revision.
    fn replace(
        &self,
        id: &TicketId,
        at: Option<&str>,
        check: impl Fn(Option<u64>) -> Result<(), Error>,
        change: impl Fn(&str, &Condition) -> Result<Outcome, KeyValueError>,
    ) -> Result<Outcome, Error> {
        let key = id.key();
        let mut read = self.port.read(&key, Freshness::Latest);
        let mut attempt = 1;
        loop {
            let when = match read {
                Ok(Some(entry)) => {
                    let (when, created_at) = self.condition(id, entry, at)?;
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

    fn write(&self, key: &str, state: &State, ttl_ms: u64, when: &Condition) -> Result<Outcome, KeyValueError> {
        record::encode(state, |fields| self.port.write(key, &fields, ttl_ms, when))
    }

    fn write_new(&self, id: TicketId, state: State, ttl_ms: u64) -> Result<Ticket, Error> {
        let outcome = self.write(&id.key(), &state, ttl_ms, &Condition::Absent)?;
        if outcome.applied {
            return Ok(written(id, state, outcome));
        }
        Err(Error::Exists(format!("ticket `{id}` exists already")))
    }

    /// Checks each change by itself, and that there are not more than a history holds messages.
    fn checked(&self, changes: Vec<Change>) -> Result<Vec<Checked>, Error> {
        let changes_max = self.settings.history_entries_max as usize;
        // A host may add a trim to the most that its caller may give.
        let count = changes.iter().filter(|change| !matches!(change, Change::Trim(_))).count();
        if count > changes_max {
            return Err(Error::TooLarge(format!("{count} changes at once, the limit is {changes_max}")));
        }
        changes.into_iter().map(|change| Checked::new(change, &self.settings)).collect()
    }

    /// The time to live of a write: the caller's, or that of the settings.
    fn ttl_ms(&self, wanted: Option<u64>) -> Result<u64, Error> {
        match wanted {
            Some(ttl_ms) if !(TTL_MS_MIN..=TTL_MS_MAX).contains(&ttl_ms) => Err(Error::Invalid(format!(
                "time to live of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms"
            ))),
            wanted => Ok(wanted.unwrap_or(self.settings.ttl_ms)),
        }
    }

    /// Reads the latest entry of a ticket.
    fn read(&self, id: &TicketId) -> Result<Found, Error> {
        let entry = self.port.read(&id.key(), Freshness::Latest)?;
        self.found(id, entry)
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
