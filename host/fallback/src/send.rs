//! Sends a caller's change to the primary, until its answer is final.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::Instant;

use super::copies::Copies;
use super::link::PrimaryLink;
use super::record::{AckedState, LastAck, incarnation, same_content};
use super::replica::Known;
use ticket_store::{Answer, Cause, Condition, Entry, Error, Expiry, Failure, Fields, Key, Kind};
use ticket_store::{Outcome, Revision, WriteRequest};

/// Most attempts for one change: an answer that asks for another has the present entry.
const ATTEMPTS_MAX: u32 = 8;
/// After so many attempts, other clients are too fast for an unconditional change to name the state that it replaces.
const NAMED_MAX: u32 = 4;

/// What a caller asks for.
#[derive(Clone, Debug)]
pub(super) enum ChangeRequest {
    Write { fields: Arc<Fields>, ttl_ms: u64 },
    Touch { ttl_ms: u64 },
    Remove,
}

impl ChangeRequest {
    /// The deadline that the change of an entry with the deadline `previous_ms` sets.
    pub(super) fn expiry(&self, now_ms: u64, previous_ms: u64) -> Expiry {
        match self {
            Self::Write { ttl_ms, .. } | Self::Touch { ttl_ms } => Expiry::choose(now_ms, *ttl_ms, previous_ms),
            Self::Remove => Expiry::fixed(0),
        }
    }
}

/// How sending a change ended.
pub(super) enum SendResult {
    /// The primary's answer is final.
    Answered(Outcome),
    /// There is no answer that a caller could be given.
    Unanswered(Unanswered),
}

/// Why a change has no answer of the primary.
pub(super) enum Unanswered {
    /// It was not sent, or the primary did not apply it for this reason.
    NotApplied(Option<Failure>),
    /// The primary may have applied it with this deadline, or may still do so.
    Unconfirmed(Failure, Expiry),
}

impl Unanswered {
    fn end(self) -> ControlFlow<SendResult> {
        ControlFlow::Break(SendResult::Unanswered(self))
    }
}

/// What follows from one attempt: another one, or the end.
type Next = ControlFlow<SendResult>;

fn answered(outcome: Outcome) -> Next {
    ControlFlow::Break(SendResult::Answered(outcome))
}

/// A change on its way, and what is known of its ticket.
struct Sending<'a> {
    key: &'a Key,
    request: &'a ChangeRequest,
    when: &'a Condition,
    /// The last known state; none if there is no entry or none is known.
    copy: Option<Entry>,
    /// The stamp of the record that it is from.
    stamp: Option<u64>,
}

impl Sending<'_> {
    /// The condition to send. An unconditional change may arrive late and hit a state that it has not seen, so `named`
    /// replaces `Present` by the state that is known.
    fn condition(&self, named: bool) -> Condition {
        match (self.when, &self.copy) {
            (Condition::Present, Some(copy)) if named => Condition::At(copy.revision.clone()),
            (when, _) => when.clone(),
        }
    }

    /// The entry that the change made; none if not all of it is known.
    fn result_entry(&self, condition: &Condition, revision: &Revision, expires_at_ms: u64) -> Option<Entry> {
        // A state that was not named may be another one with fields of the same lengths.
        let copy = self.copy.as_ref().filter(|copy| *condition == Condition::At(copy.revision.clone()));
        let fields = match (self.request, copy) {
            (ChangeRequest::Write { fields, .. }, _) => Arc::clone(fields),
            (ChangeRequest::Touch { .. }, Some(copy)) => Arc::clone(&copy.fields),
            (ChangeRequest::Touch { .. } | ChangeRequest::Remove, _) => return None,
        };
        Some(Entry::new(fields, expires_at_ms)).filter(|entry| entry.revision == *revision)
    }
}

/// Sends changes and keeps the records up to date with the answers.
pub(super) struct Sender {
    pub(super) link: Arc<PrimaryLink>,
    pub(super) copies: Arc<Copies>,
}

impl Sender {
    /// Sends a change until its answer is final; `known` is the record of its ticket.
    pub(super) async fn send_change(
        &self,
        key: &Key,
        request: &ChangeRequest,
        when: &Condition,
        known: Option<Known>,
    ) -> Result<SendResult, Error> {
        let copy = known.as_ref().and_then(|known| known.record.alive(self.link.now_ms()).cloned());
        let stamp = known.map(|known| known.stamp);
        let mut sending = Sending { key, request, when, copy, stamp };
        if !when.holds(sending.copy.as_ref())
            && let Next::Break(result) = self.look_up(&mut sending).await?
        {
            return Ok(result);
        }
        for attempt in 0..ATTEMPTS_MAX {
            if let Next::Break(result) = self.attempt(&mut sending, attempt < NAMED_MAX).await? {
                return Ok(result);
            }
        }
        let text = format!("cannot change {key}: {} showed another state {ATTEMPTS_MAX} times", self.link.primary);
        Err(Error::new(Kind::Unavailable, text))
    }

    /// Reads a ticket whose record does not fit the change. Without that, a lost answer could not be resolved.
    async fn look_up(&self, sending: &mut Sending<'_>) -> Result<Next, Error> {
        let Some(route) = self.link.route() else { return Ok(self.no_time()) };
        let answer = self.link.primary.read(sending.key, route.until).await;
        self.link.report_call(route, answer.as_ref().err());
        match answer {
            Ok(current) => {
                self.copies.after_read(sending.key, sending.stamp, current.clone()).await;
                if !sending.when.holds(current.as_ref()) {
                    return Ok(answered(Outcome::Refused(current)));
                }
                sending.copy = current;
            }
            Err(Failure { cause: Cause::Data, .. }) => sending.copy = None,
            Err(failure) => return Ok(Unanswered::NotApplied(Some(failure)).end()),
        }
        sending.stamp = self.stamp(sending.key).await?;
        Ok(Next::Continue(()))
    }

    /// Sends a change once.
    async fn attempt(&self, sending: &mut Sending<'_>, named: bool) -> Result<Next, Error> {
        let Some(route) = self.link.route() else { return Ok(self.no_time()) };
        let condition = sending.condition(named);
        let previous_ms = if let Condition::At(revision) = &condition { revision.deadline_ms() } else { 0 };
        let expiry = sending.request.expiry(self.link.now_ms(), previous_ms);
        let answer = self.call(sending, expiry, &condition, route.until).await;
        self.link.report_call(route, answer.as_ref().err());
        let outcome = match answer {
            Ok(Answer::Clock(_)) => return Ok(Next::Continue(())),
            Ok(Answer::Refused(current)) => return self.refused(sending, current).await,
            Ok(Answer::Written { revision, expires_at_ms, now_ms }) => {
                let entry = sending.result_entry(&condition, &revision, expires_at_ms);
                self.written(sending, entry, &revision, now_ms).await;
                Outcome::Written { revision, expires_at_ms }
            }
            Ok(Answer::Removed) => {
                self.removed(sending).await;
                Outcome::Removed
            }
            Err(failure) => return self.failed(sending, &condition, expiry, failure).await,
        };
        Ok(answered(outcome))
    }

    async fn call(
        &self,
        sending: &Sending<'_>,
        expiry: Expiry,
        condition: &Condition,
        until: Instant,
    ) -> Result<Answer, Failure> {
        let (key, primary) = (sending.key, &self.link.primary);
        match sending.request {
            ChangeRequest::Write { fields, .. } => {
                let base = sending.copy.as_ref();
                primary.write(WriteRequest { key, fields, base, expiry, condition, repeated: false }, until).await
            }
            ChangeRequest::Touch { .. } => {
                let from = if let Condition::At(revision) = condition { Some(revision) } else { None };
                primary.touch(key, expiry, from, until).await
            }
            ChangeRequest::Remove => primary.remove(key, condition, false, until).await,
        }
    }

    /// The condition did not hold. That is final, unless the caller wants whatever is there to be changed.
    async fn refused(&self, sending: &mut Sending<'_>, current: Option<Entry>) -> Result<Next, Error> {
        self.copies.after_read(sending.key, sending.stamp, current.clone()).await;
        if *sending.when != Condition::Present || current.is_none() {
            return Ok(answered(Outcome::Refused(current)));
        }
        sending.copy = current;
        sending.stamp = self.stamp(sending.key).await?;
        Ok(Next::Continue(()))
    }

    async fn written(&self, sending: &Sending<'_>, entry: Option<Entry>, revision: &Revision, at_ms: u64) {
        let Some(entry) = entry else { return self.copies.forget(sending.key).await };
        let is_proof = sending.copy.as_ref().is_none_or(|copy| !same_content(copy, &entry));
        let last_ack = LastAck { at_ms, acked: AckedState::State(revision.clone()), is_proof };
        self.copies.after_ack(sending.key, sending.stamp, Some(entry), Some(last_ack)).await;
    }

    async fn removed(&self, sending: &Sending<'_>) {
        let at_ms = self.link.now_ms();
        let end = |copy: &Entry| AckedState::End(incarnation(copy).to_owned());
        let last_ack = sending.copy.as_ref().map(|copy| LastAck { at_ms, acked: end(copy), is_proof: true });
        self.copies.after_ack(sending.key, sending.stamp, None, last_ack).await;
    }

    /// What a failure means, by what may have happened in the primary.
    async fn failed(
        &self,
        sending: &mut Sending<'_>,
        condition: &Condition,
        expiry: Expiry,
        failure: Failure,
    ) -> Result<Next, Error> {
        if failure.cause == Cause::Data {
            self.copies.forget(sending.key).await;
            sending.stamp = None;
            // An unconditional change replaces damage, but only without naming a state.
            let again = *sending.when == Condition::Present && sending.copy.take().is_some();
            return if again { Ok(Next::Continue(())) } else { Err(failure.error) };
        }
        if failure.error.kind() != Kind::Uncertain {
            return Ok(Unanswered::NotApplied(Some(failure)).end());
        }
        // Sent again, an unconditional change could hit a state that it has not seen; a touch does no harm.
        let is_touch = matches!(sending.request, ChangeRequest::Touch { .. });
        if *condition == Condition::Present && !is_touch {
            return Err(failure.error);
        }
        Ok(Unanswered::Unconfirmed(failure, expiry).end())
    }

    fn no_time(&self) -> Next {
        Unanswered::NotApplied(Some(Failure { error: self.link.unavailable(), cause: Cause::Time })).end()
    }

    async fn stamp(&self, key: &Key) -> Result<Option<u64>, Error> {
        Ok(self.copies.get(key, self.link.now_ms()).await?.map(|known| known.stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_set_for_what_is_kept_and_not_for_a_removal() {
        let write = ChangeRequest::Write { fields: Arc::default(), ttl_ms: 10_000 };
        let expiry = write.expiry(1_000, 0);
        assert!((10_995..=11_000).contains(&expiry.expires_at_ms), "{expiry:?}");
        assert_eq!(ChangeRequest::Remove.expiry(1_000, 0).expires_at_ms, 0);
    }
}
