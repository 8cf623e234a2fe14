//! One change for a caller: sent to the primary while that is up, else made on the replica until it can be synced.

use std::sync::Arc;

use super::copies::Copies;
use super::link::PrimaryLink;
use super::record::{Change, Record};
use super::replica::{Known, RecordUpdate};
use super::send::{ChangeRequest, SendResult, Sender, Unanswered};
use ticket_store::keyed_lock::KeyedLock;
use ticket_store::operation;
use ticket_store::{Cause, Condition, Entry, Error, Expiry, Failure, Key, Kind, Outcome};

/// Makes changes, one at a time for each ticket.
pub(super) struct Changes {
    link: Arc<PrimaryLink>,
    copies: Arc<Copies>,
    sender: Sender,
    writers: KeyedLock,
}

/// What became of a change on the replica.
enum OnReplica {
    Applied(Outcome),
    /// The condition does not hold.
    Refused(Outcome),
    /// There is no record to compare the condition with.
    Unknown,
    /// There is no room for a new record.
    Full,
}

impl Changes {
    pub(super) fn new(link: Arc<PrimaryLink>, copies: Arc<Copies>) -> Self {
        let sender = Sender { link: Arc::clone(&link), copies: Arc::clone(&copies) };
        Self { link, copies, sender, writers: KeyedLock::default() }
    }

    /// Makes a change, if `when` holds.
    pub(super) async fn change(&self, key: &Key, request: ChangeRequest, when: &Condition) -> Result<Outcome, Error> {
        let _guard = self.writers.lock(key.as_str()).await;
        let known = self.copies.get(key, self.link.now_ms()).await?;
        let is_pending = known.as_ref().is_some_and(|known| known.record.pending.is_some());
        if is_pending || self.link.route().is_none() {
            return self.change_replica(key, request, when, Unanswered::NotApplied(None)).await;
        }
        match self.sender.send_change(key, &request, when, known).await? {
            SendResult::Answered(outcome) => Ok(outcome),
            SendResult::Unanswered(why) => self.change_replica(key, request, when, why).await,
        }
    }

    async fn change_replica(
        &self,
        key: &Key,
        request: ChangeRequest,
        when: &Condition,
        why: Unanswered,
    ) -> Result<Outcome, Error> {
        operation::served_by_fallback();
        let now_ms = self.link.now_ms();
        let in_flight = if let Unanswered::Unconfirmed(_, expiry) = &why { Some(*expiry) } else { None };
        let (is_full, when) = (self.copies.replica.is_full(), when.clone());
        let step = move |known: Option<&Known>| change_record(known, request, &when, in_flight, is_full, now_ms);
        let changed = self.copies.replica.update(key, now_ms, step).await;
        match (changed, why) {
            (Ok(OnReplica::Applied(outcome)), _) => {
                if self.link.is_up() {
                    self.link.wake.notify_one();
                }
                Ok(outcome)
            }
            // The primary may have applied it. Any other answer from here could be wrong.
            (changed, Unanswered::Unconfirmed(failure, _)) => {
                if let Err(error) = changed {
                    self.copies.failed(&error);
                }
                Err(failure.error)
            }
            (Ok(OnReplica::Refused(outcome)), _) => Ok(outcome),
            (Ok(OnReplica::Unknown), Unanswered::NotApplied(Some(Failure { error, cause: Cause::Unwritable }))) => {
                Err(error)
            }
            (Ok(OnReplica::Unknown), _) => Err(self.link.unavailable()),
            (Ok(OnReplica::Full), Unanswered::NotApplied(failure)) => {
                if let Some(failure) = failure {
                    self.link.reporter.failed(&failure.error.chain());
                }
                Err(self.full())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The error of a new ticket for which there is no room.
    fn full(&self) -> Error {
        let why = "its fallback is full of pending changes";
        match self.link.reporter.outage() {
            Some(outage) => self.link.unserved(&outage, why),
            None => Error::new(Kind::Unavailable, format!("{} did not serve and {why}", self.link.primary)),
        }
    }
}

/// Makes a change on a record. `in_flight` is the deadline that the change was sent with, if it was.
fn change_record(
    known: Option<&Known>,
    request: ChangeRequest,
    when: &Condition,
    in_flight: Option<Expiry>,
    is_full: bool,
    now_ms: u64,
) -> (RecordUpdate, OnReplica) {
    if known.is_none() && is_full && *when == Condition::Absent {
        return (RecordUpdate::Keep, OnReplica::Full);
    }
    let previous_ms = known.and_then(|known| known.record.alive(now_ms)).map_or(0, |entry| entry.expires_at_ms);
    let expiry = in_flight.unwrap_or_else(|| request.expiry(now_ms, previous_ms));
    let entry;
    let change = match request {
        ChangeRequest::Write { fields, .. } => {
            entry = Entry::new(fields, expiry.expires_at_ms);
            Change::Write(&entry)
        }
        ChangeRequest::Touch { .. } => Change::Touch(expiry.expires_at_ms),
        ChangeRequest::Remove => Change::Remove,
    };
    let known = known.map(|known| known.record.clone());
    match Record::change(known, &change, when, in_flight.is_some(), now_ms) {
        Some((_, outcome @ Outcome::Refused(_))) => (RecordUpdate::Keep, OnReplica::Refused(outcome)),
        Some((record, outcome)) => (RecordUpdate::Put(record), OnReplica::Applied(outcome)),
        None => (RecordUpdate::Keep, OnReplica::Unknown),
    }
}
