//! One change: sent to the primary where that serves, else made here and kept until it can be brought home.

use std::sync::Arc;

use tokio::time::Instant;

use super::Inner;
use super::record::{AckedState, Change, LastAck, Record, incarnation, same_content};
use super::replica::{Known, RecordUpdate};
use ticket_store::Key;
use ticket_store::operation;
use ticket_store::{Answer, Cause, Expiry, Failure};
use ticket_store::{Condition, Content, Entry, Fields, Outcome, Revision, WriteRequest};
use ticket_store::{Error, Kind};

/// Most sendings of one change: each answer that calls for another brings what is there by now.
const SENDINGS_MAX: u32 = 8;
/// After so many of them, others are too fast for a change of whatever is there to name what that is.
const NAMED_MAX: u32 = 4;

/// What a caller wants.
#[derive(Clone, Debug)]
pub(super) enum ChangeRequest {
    Write { fields: Arc<Fields>, ttl_ms: u64 },
    Touch { ttl_ms: u64 },
    Remove,
}

impl ChangeRequest {
    /// The deadline of a change of an entry that ended at `previous_ms` before.
    fn expiry(&self, now_ms: u64, previous_ms: u64) -> Expiry {
        match self {
            Self::Write { ttl_ms, .. } | Self::Touch { ttl_ms } => Expiry::name(now_ms, *ttl_ms, previous_ms),
            Self::Remove => Expiry::named(0),
        }
    }
}

/// How a sending ended that the primary did not answer for good.
enum Unanswered {
    /// It did not make the change.
    Refused(Failure),
    /// It may have made it, or may still, by this deadline.
    Uncertain(Failure, Expiry),
}

/// What came of sending a change; the error is that there was no answer for good.
type Answered = Result<Outcome, Unanswered>;

/// A change that is being sent, and what is known of its ticket.
struct Sending<'a> {
    key: &'a Key,
    request: &'a ChangeRequest,
    when: &'a Condition,
    copy: Option<Entry>,
    stamp: Option<u64>,
}

/// What the primary shows of a ticket of which this host has no copy, or one that does not fit the change.
enum Met {
    Entry(Entry),
    Nothing,
    Damage,
    Nobody(Failure),
}

impl Inner {
    /// Makes a change, if `when` holds.
    pub(super) async fn change(&self, key: &Key, request: ChangeRequest, when: &Condition) -> Result<Outcome, Error> {
        let _guard = self.writers.lock(key.as_str()).await;
        let now_ms = self.now_ms();
        let known = self.known(key, now_ms).await?;
        if known.as_ref().is_some_and(|known| known.record.pending.is_some()) || self.route().is_none() {
            return self.change_replica(key, request, when, None).await;
        }
        match self.send_change(key, &request, when, known).await? {
            Ok(outcome) => Ok(outcome),
            Err(unanswered) => self.change_replica(key, request, when, Some(unanswered)).await,
        }
    }

    /// Sends a change until its answer is for good.
    async fn send_change(
        &self,
        key: &Key,
        request: &ChangeRequest,
        when: &Condition,
        known: Option<Known>,
    ) -> Result<Answered, Error> {
        let copy = known.as_ref().and_then(|known| known.record.alive(self.now_ms()).cloned());
        let stamp = known.map(|known| known.stamp);
        let mut sending = Sending { key, request, when, copy, stamp };
        if !when.holds(sending.copy.as_ref()) {
            // What does not fit what is known could not be settled, should the answer to the change be lost.
            match self.meet(key, sending.stamp).await? {
                Met::Entry(entry) if !when.holds(Some(&entry)) => return Ok(Ok(Outcome::Refused(Some(entry)))),
                Met::Entry(entry) => sending.copy = Some(entry),
                Met::Nothing if *when == Condition::Absent => sending.copy = None,
                Met::Nothing => return Ok(Ok(Outcome::Refused(None))),
                Met::Damage => sending.copy = None,
                Met::Nobody(failure) => return Ok(Err(Unanswered::Refused(failure))),
            }
            sending.stamp = self.stamp(key).await?;
        }
        for number in 0..SENDINGS_MAX {
            if let Some(answered) = self.send_named(&mut sending, number < NAMED_MAX).await? {
                return Ok(answered);
            }
        }
        Err(Error::new(Kind::Unavailable, format!("cannot change {key}: {} is too unsteady for it", self.primary)))
    }

    /// Sends a change once, naming the state that is known where `name` says so; none where it is to be sent again.
    async fn send_named(&self, sending: &mut Sending<'_>, name: bool) -> Result<Option<Answered>, Error> {
        let Sending { key, request, when, copy, stamp } = sending;
        let Some(route) = self.route() else {
            let failure = Failure { error: self.down_error(), cause: Cause::Time };
            return Ok(Some(Err(Unanswered::Refused(failure))));
        };
        // An unconditional change may land late and hit what it has not seen: what is known is named.
        let named = match (&**when, &*copy) {
            (Condition::Present, Some(copy)) if name => Condition::At(copy.revision.clone()),
            (when, _) => when.clone(),
        };
        let previous_ms = if let Condition::At(revision) = &named { revision.deadline_ms() } else { 0 };
        let expiry = request.expiry(self.now_ms(), previous_ms);
        let answer = self.send_once(key, request, copy.as_ref(), expiry, &named, route.until).await;
        self.report_call(route, answer.as_ref().err());
        match answer {
            Ok(Answer::Clock(_)) => Ok(None),
            Ok(Answer::Refused(shown)) => {
                self.heard(key, *stamp, shown.clone()).await;
                if **when != Condition::Present || shown.is_none() {
                    return Ok(Some(Ok(Outcome::Refused(shown))));
                }
                *copy = shown;
                *stamp = self.stamp(key).await?;
                Ok(None)
            }
            Ok(Answer::Written { revision, expires_at_ms, now_ms }) => {
                // What was not named may be another state of the same lengths.
                let from = copy.as_ref().filter(|copy| named == Condition::At(copy.revision.clone()));
                let made = self.made(request, from, &revision, expires_at_ms);
                let is_proof =
                    made.as_ref().is_some_and(|made| copy.as_ref().is_none_or(|copy| !same_content(copy, made)));
                let own = LastAck { at_ms: now_ms, acked: AckedState::State(revision.clone()), is_proof };
                self.acknowledged(key, made, own).await;
                Ok(Some(Ok(Outcome::Written { revision, expires_at_ms })))
            }
            Ok(Answer::Removed) => {
                self.removed(key, copy.as_ref()).await;
                Ok(Some(Ok(Outcome::Removed)))
            }
            Err(Failure { error, cause: Cause::Data }) => {
                self.forget(key).await;
                *stamp = None;
                // Damage: an unconditional change replaces it, and only where it can be answered for.
                let again = **when == Condition::Present && copy.take().is_some();
                if again { Ok(None) } else { Err(error) }
            }
            Err(failure) if failure.error.kind() != Kind::Uncertain => Ok(Some(Err(Unanswered::Refused(failure)))),
            Err(Failure { error, .. })
                if named == Condition::Present && !matches!(request, ChangeRequest::Touch { .. }) =>
            {
                Err(error)
            }
            Err(failure) => Ok(Some(Err(Unanswered::Uncertain(failure, expiry)))),
        }
    }

    async fn send_once(
        &self,
        key: &Key,
        request: &ChangeRequest,
        copy: Option<&Entry>,
        expiry: Expiry,
        when: &Condition,
        until: Instant,
    ) -> Result<Answer, Failure> {
        match request {
            ChangeRequest::Write { fields, .. } => {
                let content = Content { fields, base: copy };
                let request = WriteRequest { key, content, expiry, condition: when, repeated: false };
                self.primary.write(request, until).await
            }
            ChangeRequest::Touch { .. } => {
                let from = if let Condition::At(revision) = when { Some(revision) } else { None };
                self.primary.touch(key, expiry, from, until).await
            }
            ChangeRequest::Remove => self.primary.remove(key, when, false, until).await,
        }
    }

    /// Asks the primary for a ticket of which this host has no copy, or one that does not fit the change.
    async fn meet(&self, key: &Key, stamp: Option<u64>) -> Result<Met, Error> {
        let Some(route) = self.route() else {
            return Ok(Met::Nobody(Failure { error: self.down_error(), cause: Cause::Time }));
        };
        let answer = self.primary.read(key, route.until).await;
        self.report_call(route, answer.as_ref().err());
        match answer {
            Ok(shown) => {
                self.heard(key, stamp, shown.clone()).await;
                Ok(shown.map_or(Met::Nothing, Met::Entry))
            }
            Err(Failure { cause: Cause::Data, .. }) => Ok(Met::Damage),
            Err(failure) => Ok(Met::Nobody(failure)),
        }
    }

    async fn stamp(&self, key: &Key) -> Result<Option<u64>, Error> {
        Ok(self.known(key, self.now_ms()).await?.map(|known| known.stamp))
    }

    /// The entry that an acknowledged change made, where all of it is known.
    fn made(
        &self,
        request: &ChangeRequest,
        copy: Option<&Entry>,
        revision: &Revision,
        expires_at_ms: u64,
    ) -> Option<Entry> {
        let fields = match (request, copy) {
            (ChangeRequest::Write { fields, .. }, _) => Arc::clone(fields),
            (ChangeRequest::Touch { .. }, Some(copy)) => Arc::clone(&copy.fields),
            (ChangeRequest::Touch { .. } | ChangeRequest::Remove, _) => return None,
        };
        Some(Entry::new(fields, expires_at_ms)).filter(|entry| entry.revision == *revision)
    }

    async fn acknowledged(&self, key: &Key, made: Option<Entry>, own: LastAck) {
        let now_ms = self.now_ms();
        let Some(entry) = made else { return self.forget(key).await };
        self.update_replica(key, move |known| {
            let known = known.map(|known| known.record.clone());
            (RecordUpdate::Put(Record::acknowledged(known, Some(entry), Some(own), now_ms)), ())
        })
        .await;
    }

    async fn removed(&self, key: &Key, copy: Option<&Entry>) {
        let now_ms = self.now_ms();
        let own = copy.map(|copy| LastAck {
            at_ms: now_ms,
            acked: AckedState::End(incarnation(copy).to_owned()),
            is_proof: true,
        });
        self.update_replica(key, move |known| {
            let known = known.map(|known| known.record.clone());
            (RecordUpdate::Put(Record::acknowledged(known, None, own, now_ms)), ())
        })
        .await;
    }

    /// Makes a change on what this host knows, to be brought home.
    async fn change_replica(
        &self,
        key: &Key,
        request: ChangeRequest,
        when: &Condition,
        unanswered: Option<Unanswered>,
    ) -> Result<Outcome, Error> {
        operation::served_by_fallback();
        let now_ms = self.now_ms();
        let (sent, failure) = match unanswered {
            Some(Unanswered::Uncertain(failure, expiry)) => (Some(expiry), Some(failure)),
            Some(Unanswered::Refused(failure)) => (None, Some(failure)),
            None => (None, None),
        };
        let (full, is_new, when) = (self.replica.is_full(), *when == Condition::Absent, when.clone());
        let made = self
            .replica
            .update(key, now_ms, move |known| {
                if known.is_none() && full {
                    return (RecordUpdate::Keep, None);
                }
                let previous_ms =
                    known.and_then(|known| known.record.alive(now_ms)).map_or(0, |entry| entry.expires_at_ms);
                let expiry = sent.unwrap_or_else(|| request.expiry(now_ms, previous_ms));
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
                match Record::change(known, &change, &when, sent.is_some(), now_ms) {
                    Some((Some(record), outcome)) => (RecordUpdate::Put(record), Some(outcome)),
                    Some((None, outcome)) => (RecordUpdate::Keep, Some(outcome)),
                    None => (RecordUpdate::Keep, None),
                }
            })
            .await;
        match (made, failure) {
            // Whether the primary made it is not known, and here it is not made: "no" would be one word too much.
            (Ok(Some(Outcome::Refused(_))), Some(failure)) if sent.is_some() => Err(failure.error),
            (Err(error), Some(failure)) if sent.is_some() => {
                self.replica_failed(&error);
                Err(failure.error)
            }
            (Ok(Some(outcome)), _) => {
                if self.link().is_some() {
                    self.wake.notify_one();
                }
                Ok(outcome)
            }
            // What is new needs no record to be held against.
            (Ok(None), None) if is_new => Err(self.full()),
            (Ok(None), Some(failure)) if is_new && sent.is_none() => {
                self.reporter.failed(&failure.error.chain());
                Err(self.full())
            }
            (Ok(None), failure) => Err(self.unknown(failure)),
            (Err(error), _) => Err(error),
        }
    }

    /// The error of a new ticket for which there is no room.
    fn full(&self) -> Error {
        let text = format!("{} is away, and its fallback is full of unsaved changes", self.primary);
        Error::new(Kind::Unavailable, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_named_for_what_is_kept_and_none_for_a_removal() {
        let write = ChangeRequest::Write { fields: Arc::default(), ttl_ms: 10_000 };
        let expiry = write.expiry(1_000, 0);
        assert!((10_995..=11_000).contains(&expiry.expires_at_ms), "{expiry:?}");
        assert_eq!(ChangeRequest::Remove.expiry(1_000, 0).expires_at_ms, 0);
    }
}
