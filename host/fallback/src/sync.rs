//! Brings the unsaved changes of one ticket home: does what [`settle`] plans and tells it the answers.

use tokio::time::Instant;

use super::Inner;
use super::record::{InFlight, Record};
use super::replica::{Known, RecordUpdate};
use super::resolution::{ConflictCopy, Resolved};
use super::resolve::{self, Step};
use ticket_store::Error;
use ticket_store::Key;
use ticket_store::{Answer, Cause, Expiry, Failure};
use ticket_store::{Condition, Content, Entry, WriteRequest};

/// Most steps for one ticket at a time: it may be changed here and elsewhere all the while.
const STEPS_MAX: u32 = 16;

/// What came of one ticket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Synced {
    /// Whether the primary has all of it.
    pub(super) complete: bool,
    /// Whether the primary was asked for it.
    pub(super) asked: bool,
    /// States that were kept aside.
    pub(super) branches: u64,
}

/// A resolution that a record was changed by.
struct Drawn {
    merge_with: Option<Entry>,
}

impl Inner {
    pub(super) async fn sync_ticket(&self, key: &Key) -> Synced {
        let mut synced = Synced::default();
        for _ in 0..STEPS_MAX {
            match self.step(key, &mut synced).await {
                Ok(true) => return Synced { complete: true, ..synced },
                Ok(false) => {}
                Err(error) => {
                    self.reporter.failed(&error.chain());
                    return synced;
                }
            }
        }
        synced
    }

    /// Takes one step; whether it was the last.
    async fn step(&self, key: &Key, synced: &mut Synced) -> Result<bool, Error> {
        let now_ms = self.now_ms();
        let step = self.replica.update(key, now_ms, move |known| begin(known, now_ms)).await?;
        let Some(Step::Send { change, when, repeated }) = step else { return Ok(true) };
        let Some(link) = self.link() else { return Err(self.down_error()) };
        synced.asked = true;
        let branches = &mut synced.branches;
        let answer = self.send(key, &change, &when, repeated).await;
        self.note(link, answer.as_ref().err());
        tracing::debug!(%key, sent = change.name(), ?when, repeated, answer = %told(&answer), "reconciling");
        let answer = match answer {
            Ok(answer) => answer,
            Err(Failure { cause: Cause::Data, .. }) => {
                self.leave_damage(key, branches).await?;
                return Ok(true);
            }
            Err(Failure { error, .. }) => return Err(error),
        };
        let resolution = |record: &Record, now_ms| Some(resolve::resolve(record, answer.clone(), repeated, now_ms));
        if let Some(Drawn { merge_with: Some(theirs) }) = self.resolve(key, branches, resolution).await? {
            self.merge(key, theirs, branches).await?;
        }
        Ok(false)
    }

    async fn send(&self, key: &Key, change: &InFlight, when: &Condition, repeated: bool) -> Result<Answer, Failure> {
        let until = Instant::now() + self.call_time;
        match change {
            InFlight::Write(entry) => {
                let expiry = Expiry::named(entry.expires_at_ms);
                let content = Content { fields: &entry.fields, base: None };
                self.primary.write(WriteRequest { key, content, expiry, condition: when, repeated }, until).await
            }
            InFlight::Removal => self.primary.remove(key, when, repeated, until).await,
        }
    }

    /// Changes a record by a pure resolution. What it puts aside is kept before the record lets go of it; where
    /// a caller changed the record in between, the resolution is drawn anew. None where there is none to draw.
    async fn resolve(
        &self,
        key: &Key,
        branches: &mut u64,
        resolution: impl Fn(&Record, u64) -> Option<Resolved>,
    ) -> Result<Option<Drawn>, Error> {
        let mut kept: Option<Entry> = None;
        for _ in 0..STEPS_MAX {
            let now_ms = self.now_ms();
            let Some(Known { record, stamp }) = self.replica.get(key, now_ms).await? else { return Ok(None) };
            let Some(Resolved { record, conflict_copy: aside, merge_with }) = resolution(&record, now_ms) else {
                return Ok(None);
            };
            if let Some(aside) = aside
                && kept.as_ref() != Some(&aside.entry)
            {
                kept = Some(aside.entry.clone());
                self.keep_conflict_copy(key, aside).await?;
                *branches += 1;
            }
            if self.replace(key, stamp, record).await? {
                return Ok(Some(Drawn { merge_with }));
            }
        }
        Ok(None)
    }

    /// Changes a record that nobody has changed since; whether it did.
    pub(super) async fn replace(&self, key: &Key, stamp: u64, record: Record) -> Result<bool, Error> {
        self.replica.update_at(key, Some(stamp), self.now_ms(), |_| RecordUpdate::Put(record)).await
    }

    async fn merge(&self, key: &Key, theirs: Entry, branches: &mut u64) -> Result<(), Error> {
        for _ in 0..STEPS_MAX {
            let Some(Known { record, .. }) = self.replica.get(key, self.now_ms()).await? else { return Ok(()) };
            let merged = match resolve::to_merge(&record, &theirs) {
                Some([base, ours, others]) => (self.merge)(base, ours, others).await.ok(),
                None => None,
            };
            let local = record.local;
            let drawn = self
                .resolve(key, branches, |record, now_ms| {
                    // Where a caller changed it meanwhile, that is to be merged too.
                    (record.local == local).then(|| resolve::merged(record, theirs.clone(), merged.clone(), now_ms))
                })
                .await?;
            if drawn.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is there is no ticket: ours is kept aside, with what callers change meanwhile.
    async fn leave_damage(&self, key: &Key, branches: &mut u64) -> Result<(), Error> {
        for _ in 0..STEPS_MAX {
            let now_ms = self.now_ms();
            let Some(Known { record, stamp }) = self.replica.get(key, now_ms).await? else { return Ok(()) };
            if let Some(aside) = resolve::damaged(&record, now_ms) {
                self.keep_conflict_copy(key, aside).await?;
                *branches += 1;
            }
            if self.replica.update_at(key, Some(stamp), now_ms, |_| RecordUpdate::Forget).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) async fn keep_conflict_copy(&self, key: &Key, aside: ConflictCopy) -> Result<(), Error> {
        let ConflictCopy { entry, reason } = aside;
        self.branches.add(key, reason, entry, self.now_ms()).await?;
        self.reporter.branched(key, reason.text());
        Ok(())
    }
}

/// An answer for the log, without what users said.
fn told(answer: &Result<Answer, Failure>) -> String {
    match answer {
        Ok(Answer::Written { revision, .. }) => format!("written {revision}"),
        Ok(Answer::Removed) => "removed".into(),
        Ok(Answer::Refused(Some(there))) => format!("refused, there is {}", there.revision),
        Ok(Answer::Refused(None)) => "refused, there is nothing".into(),
        Ok(Answer::Clock(now_ms)) => format!("refused, it is {now_ms}"),
        Err(failure) => failure.error.to_string(),
    }
}

/// Plans the next step, and notes what will be on its way; none where the primary has all of it.
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
