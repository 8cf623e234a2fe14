//! Syncs one ticket: does what [`resolve`] plans, and passes it the answers.

use std::sync::Arc;

use tokio::time::Instant;

use super::copies::Copies;
use super::link::PrimaryLink;
use super::record::{InFlight, Record};
use super::replica::{Known, RecordUpdate};
use super::resolution::Resolved;
use super::resolve::{self, Step};
use crate::merge::Merge;
use ticket_store::{Answer, Cause, Condition, Entry, Error, Expiry, Failure, Key, WriteRequest};

/// Most steps for one ticket at a time: callers here and other hosts may change it all the while.
const STEPS_MAX: u32 = 16;

/// What came of syncing one ticket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Synced {
    /// Whether the primary has all of it.
    pub(super) complete: bool,
    /// Whether the primary was called for it.
    pub(super) asked: bool,
    /// Conflict copies that were kept.
    pub(super) branches: u64,
}

/// What [`TicketSync::apply`] did to a record.
enum Applied {
    /// Nothing: there is no record, or nothing to change in it.
    Unchanged,
    Changed,
    /// The record was changed; the primary's state is to be merged into it.
    MergeWith(Entry),
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
        let now_ms = self.link.now_ms();
        let step = self.copies.replica.update(key, now_ms, move |known| begin(known, now_ms)).await?;
        let Some(Step::Send { change, when, repeated }) = step else { return Ok(true) };
        let Some(number) = self.link.number() else { return Err(self.link.unavailable()) };
        synced.asked = true;
        let answer = self.send(key, &change, &when, repeated).await;
        self.link.report(number, answer.as_ref().err());
        tracing::debug!(%key, sent = change.name(), ?when, repeated, answer = %for_log(&answer), "syncing");
        let answer = match answer {
            Ok(answer) => answer,
            Err(Failure { cause: Cause::Data, .. }) => {
                self.leave_damage(key, synced).await?;
                return Ok(true);
            }
            Err(Failure { error, .. }) => return Err(error),
        };
        let resolution = |record: &Record, now_ms| Some(resolve::resolve(record, answer.clone(), repeated, now_ms));
        if let Applied::MergeWith(theirs) = self.apply(key, synced, resolution).await? {
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

    /// Changes a record by a pure resolution. A conflict copy is kept before the record drops the state. If a caller
    /// changed the record in between, it is resolved again.
    async fn apply(
        &self,
        key: &Key,
        synced: &mut Synced,
        resolution: impl Fn(&Record, u64) -> Option<Resolved>,
    ) -> Result<Applied, Error> {
        let mut kept: Option<Entry> = None;
        for _ in 0..STEPS_MAX {
            let now_ms = self.link.now_ms();
            let Some(Known { record, stamp }) = self.copies.replica.get(key, now_ms).await? else { break };
            let Some(Resolved { record, conflict_copy, merge_with }) = resolution(&record, now_ms) else { break };
            if let Some(copy) = conflict_copy
                && kept.as_ref() != Some(&copy.entry)
            {
                kept = Some(copy.entry.clone());
                self.copies.keep_conflict_copy(key, copy).await?;
                synced.branches += 1;
            }
            if self.copies.replace(key, stamp, record).await? {
                return Ok(merge_with.map_or(Applied::Changed, Applied::MergeWith));
            }
        }
        Ok(Applied::Unchanged)
    }

    async fn merge(&self, key: &Key, theirs: Entry, synced: &mut Synced) -> Result<(), Error> {
        for _ in 0..STEPS_MAX {
            let Some(Known { record, .. }) = self.copies.replica.get(key, self.link.now_ms()).await? else { break };
            let merged = match resolve::to_merge(&record, &theirs) {
                Some([base, ours, others]) => (self.merge)(base, ours, others).await.ok(),
                None => None,
            };
            let local = record.local;
            // A record that a caller changed meanwhile is merged again with that change.
            let resolution = |record: &Record, now_ms| {
                (record.local == local).then(|| resolve::merged(record, theirs.clone(), merged.clone(), now_ms))
            };
            if !matches!(self.apply(key, synced, resolution).await?, Applied::Unchanged) {
                break;
            }
        }
        Ok(())
    }

    /// The key holds something that is not a ticket: ours becomes a conflict copy, with what callers change meanwhile.
    async fn leave_damage(&self, key: &Key, synced: &mut Synced) -> Result<(), Error> {
        for _ in 0..STEPS_MAX {
            let now_ms = self.link.now_ms();
            let Some(Known { record, stamp }) = self.copies.replica.get(key, now_ms).await? else { break };
            if let Some(copy) = resolve::damaged(&record, now_ms) {
                self.copies.keep_conflict_copy(key, copy).await?;
                synced.branches += 1;
            }
            if self.copies.replica.update_at(key, Some(stamp), now_ms, |_| RecordUpdate::Forget).await? {
                break;
            }
        }
        Ok(())
    }
}

/// An answer for the log, without what users said.
fn for_log(answer: &Result<Answer, Failure>) -> String {
    match answer {
        Ok(Answer::Written { revision, .. }) => format!("written {revision}"),
        Ok(Answer::Removed) => "removed".into(),
        Ok(Answer::Refused(Some(there))) => format!("refused, there is {}", there.revision),
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
