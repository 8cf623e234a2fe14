//! Syncs one ticket: does what [`resolve`] plans, and passes it the answers.

use std::sync::Arc;

use tokio::time::Instant;

use super::copies::{Applied, Copies};
use super::link::PrimaryLink;
use super::record::{InFlight, Record};
use super::replica::{Known, RecordUpdate};
use super::resolve::{self, Step};
use crate::merge::Merge;
use ticket_model::ticket::{Merged, State};
use ticket_store::{Answer, Cause, Condition, Entry, Error, Expiry, Failure, Key, Kind, WriteRequest};

/// Most steps for one ticket at a time: callers here and other hosts may change it all the while.
const STEPS_MAX: u32 = 16;

/// What came of syncing one ticket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Synced {
    /// Whether the primary has all of it.
    pub(super) complete: bool,
    /// Whether the primary refuses changes for now.
    pub(super) refused: bool,
    /// Whether the primary was called for it.
    pub(super) asked: bool,
    /// Conflict copies that were kept.
    pub(super) branches: u64,
}

/// Syncs tickets one by one.
pub(super) struct TicketSync {
    link: Arc<PrimaryLink>,
    copies: Arc<Copies>,
    merge: Merge,
}

impl TicketSync {
    pub(super) fn new(link: Arc<PrimaryLink>, copies: Arc<Copies>, merge: Merge) -> Self {
        Self { link, copies, merge }
    }

    pub(super) async fn sync(&self, key: &Key) -> Synced {
        let mut synced = Synced::default();
        for _ in 0..STEPS_MAX {
            match self.step(key, &mut synced).await {
                Ok(true) => return Synced { complete: true, ..synced },
                Ok(false) => {}
                Err(error) => {
                    self.link.reporter.failed(&error.chain());
                    return synced;
                }
            }
        }
        synced
    }

    /// Takes one step; whether it was the last.
    async fn step(&self, key: &Key, synced: &mut Synced) -> Result<bool, Error> {
        let Some(number) = self.link.number() else { return Err(self.link.unavailable()) };
        let now_ms = self.link.now_ms();
        let step = self.copies.replica.update(key, now_ms, move |known| begin(known, now_ms)).await?;
        let Some(Step::Send { change, when, repeated }) = step else { return Ok(true) };
        synced.asked = true;
        let answer = self.send(key, &change, &when, repeated).await;
        self.link.report(number, answer.as_ref().err());
        tracing::debug!(%key, change = change.name(), ?when, repeated, answer = %for_log(&answer), "syncing");
        let answer = match answer {
            Ok(answer) => answer,
            // The key holds something that is not a ticket: ours becomes a conflict copy.
            Err(Failure { cause: Cause::Data, .. }) => {
                let resolution = |record: &Record, now_ms| Some(resolve::damaged(record, now_ms));
                let applied = self.copies.apply(key, &mut synced.branches, resolution).await?;
                return Ok(!matches!(applied, Applied::Contended));
            }
            Err(Failure { error, cause }) => {
                synced.refused = cause == Cause::Unwritable;
                // What was applied at no time must not count as sent before.
                if !repeated && error.kind() != Kind::Uncertain {
                    let resolution = |record: &Record, _| Some(resolve::not_applied(record.clone()).into());
                    self.copies.apply(key, &mut synced.branches, resolution).await?;
                }
                return Err(error);
            }
        };
        let resolution = |record: &Record, now_ms| Some(resolve::resolve(record, answer.clone(), repeated, now_ms));
        let applied = self.copies.apply(key, &mut synced.branches, resolution).await?;
        if let Applied::Changed { merge_with: Some(theirs) } = applied {
            self.merge(key, theirs, synced).await?;
        }
        Ok(false)
    }

    async fn send(&self, key: &Key, change: &InFlight, when: &Condition, repeated: bool) -> Result<Answer, Failure> {
        let until = Instant::now() + self.link.call_time;
        match change {
            InFlight::Write(entry) => {
                let expiry = Expiry::fixed(entry.expires_at_ms);
                let fields = &entry.fields;
                let request = WriteRequest { key, fields, base: None, expiry, condition: when, repeated };
                self.link.primary.write(request, until).await
            }
            InFlight::Removal => self.link.primary.remove(key, when, repeated, until).await,
        }
    }

    async fn merge(&self, key: &Key, theirs: Entry, synced: &mut Synced) -> Result<(), Error> {
        for _ in 0..STEPS_MAX {
            let Some(Known { record, .. }) = self.copies.replica.get(key, self.link.now_ms()).await? else { break };
            let merged = match resolve::to_merge(&record, &theirs) {
                Some([base, ours, others]) => self.try_merge(key, base, ours, others).await,
                None => None,
            };
            let local = record.local;
            // A record that a caller changed meanwhile is merged again with that change.
            let resolution = |record: &Record, now_ms| {
                (record.local == local).then(|| resolve::merged(record, theirs.clone(), merged.clone(), now_ms))
            };
            let applied = self.copies.apply(key, &mut synced.branches, resolution).await?;
            if let Applied::Changed { .. } = applied {
                break;
            }
        }
        Ok(())
    }

    /// None if the states cannot be merged, or if the engine failed: ours is then kept as a conflict copy.
    async fn try_merge(&self, key: &Key, base: State, ours: State, theirs: State) -> Option<Merged> {
        match (self.merge)(base, ours, theirs).await {
            Ok(merged) => Some(merged),
            Err(error) => {
                tracing::warn!(%key, error = %error.chain(), "two states of a ticket cannot be merged");
                self.link.reporter.failed(&error.chain());
                None
            }
        }
    }
}

/// An answer for the log, without what users said.
fn for_log(answer: &Result<Answer, Failure>) -> String {
    match answer {
        Ok(Answer::Written { revision, .. }) => format!("written {revision}"),
        Ok(Answer::Removed) => "removed".into(),
        Ok(Answer::Refused(Some(current))) => format!("refused, there is {}", current.revision),
        Ok(Answer::Refused(None)) => "refused, there is nothing".into(),
        Ok(Answer::Clock(now_ms)) => format!("refused, it is {now_ms}"),
        Err(failure) => failure.error.to_string(),
    }
}

/// Plans the next step and notes what will be in flight; none if the primary has all of it.
fn begin(known: Option<&Known>, now_ms: u64) -> (RecordUpdate, Option<Step>) {
    let Some(Known { record, .. }) = known else { return (RecordUpdate::Keep, None) };
    match resolve::plan(record, now_ms) {
        Step::Done if record.pending.is_none() => (RecordUpdate::Keep, None),
        Step::Done => (RecordUpdate::Put(resolve::done(record.clone(), now_ms)), None),
        Step::Send { change, when, repeated } => {
            let record = resolve::sending(record.clone(), &change);
            (RecordUpdate::Put(record), Some(Step::Send { change, when, repeated }))
        }
    }
}
