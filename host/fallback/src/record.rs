//! What this host knows of one ticket, and how changes and answers modify it. Pure: no I/O, no clock.
//!
//! | record | event | next |
//! |---|---|---|
//! | none, saved | a read shows an entry, or none | saved, as shown |
//! | pending | a read shows something | unchanged: the sync reads the primary |
//! | none, saved | the primary acknowledged a change of ours | saved, as changed, with a last ack |
//! | saved | a change here, not sent or refused | pending, from what the primary had |
//! | saved | a change here, sent without an answer | pending, and in flight |
//! | pending | a change here | pending, from the same base |
//! | none | a change here with `absent` | pending, from nothing |
//! | none | any other change, or a read | not known: `unavailable` |
//!
//! Records are stored as JSON: the keys of files already written stay, whatever a field is called.

use serde::{Deserialize, Serialize};

use ticket_model::field::CREATED_AT;
use ticket_store::deadline::is_over;
use ticket_store::{Condition, Entry, Outcome, Revision};

/// How long it is remembered that there was no entry, in milliseconds: as long as most tickets live.
const ABSENCE_KEPT_MS: u64 = 30 * 60 * 1_000;

/// What this host knows of one ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What callers read; none if the ticket is gone.
    pub(super) local: Option<Entry>,
    /// What the primary does not have yet.
    #[serde(rename = "unsaved")]
    pub(super) pending: Option<Pending>,
    /// The last change of this host that the primary acknowledged; none if only changes of others are known.
    #[serde(rename = "own")]
    pub(super) last_ack: Option<LastAck>,
    /// When the record of a ticket that is gone becomes stale, in milliseconds since the epoch.
    pub(super) gone_until_ms: u64,
}

/// Changes that the primary has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// What the primary had before; none if there was nothing.
    pub(super) base: Option<Entry>,
    /// What was sent last and has no answer.
    #[serde(rename = "sent")]
    pub(super) in_flight: Option<InFlight>,
    /// A write that was sent from the base, had no answer and was not found later. It may have been applied, rolled
    /// back by another host, and come back by a rollback there.
    #[serde(default, rename = "tried")]
    pub(super) unconfirmed: Option<Box<Entry>>,
    /// The incarnation that was closed here since, by its `created_at`.
    #[serde(rename = "closed_life")]
    pub(super) closed_incarnation: Option<String>,
    /// When the first of these changes was made, for the order of the sync.
    pub(super) since_ms: u64,
    /// The primary had it and lost it: what it has now of this incarnation is an older state, or descends from one.
    pub(super) lost: bool,
}

/// A change that the primary may have applied, or may still apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum InFlight {
    Write(Entry),
    Removal,
}

impl InFlight {
    /// For the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Write(_) => "write",
            Self::Removal => "removal",
        }
    }
}

/// A change of this host that the primary acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastAck {
    /// When, by the primary's clock.
    pub(super) at_ms: u64,
    #[serde(rename = "made")]
    pub(super) acked: AckedState,
    /// Whether finding this state proves that the primary's data set is as new. What was sent twice or written back
    /// after a loss may be applied to an older data set too. A deadline alone proves nothing either: another host that
    /// writes the same content back may choose the same one.
    pub(super) is_proof: bool,
}

/// What an acknowledged change left in the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AckedState {
    State(Revision),
    /// Nothing of this incarnation.
    End(String),
}

/// A change that the fallback makes for a caller.
#[derive(Clone, Debug)]
pub(super) enum Change<'a> {
    /// The whole entry, with its new deadline.
    Write(&'a Entry),
    /// A new deadline.
    Touch(u64),
    Remove,
}

/// The text that tells one incarnation of a ticket from another.
pub(super) fn incarnation(entry: &Entry) -> &str {
    field(entry, CREATED_AT)
}

/// A field's text, empty if there is none.
pub(super) fn field<'a>(entry: &'a Entry, name: &str) -> &'a str {
    entry.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
}

/// Whether two entries have the same fields; deadlines may differ.
pub(super) fn same_content(one: &Entry, other: &Entry) -> bool {
    one.fields.len() == other.fields.len() && one.fields.iter().all(|field| other.fields.contains(field))
}

impl Record {
    /// A record of what the primary has.
    pub(super) fn saved(local: Option<Entry>, last_ack: Option<LastAck>, now_ms: u64) -> Self {
        let saved = Self { local, pending: None, last_ack, gone_until_ms: 0 };
        let ends_ms = saved.alive_until_ms().unwrap_or(now_ms);
        Self { gone_until_ms: ends_ms.saturating_add(ABSENCE_KEPT_MS), ..saved }
    }

    /// A record that is stale at once: nothing is known of the ticket.
    pub(super) fn unknown() -> Self {
        Self { local: None, pending: None, last_ack: None, gone_until_ms: 0 }
    }

    /// What callers read now.
    pub(super) fn alive(&self, now_ms: u64) -> Option<&Entry> {
        self.local.as_ref().filter(|entry| !is_over(entry.expires_at_ms, now_ms))
    }

    /// Until when callers read an entry; none if the ticket is gone.
    pub(super) fn alive_until_ms(&self) -> Option<u64> {
        self.local.as_ref().map(|entry| if entry.expires_at_ms == 0 { u64::MAX } else { entry.expires_at_ms })
    }

    /// Whether it is stale: a ticket that has been gone for so long may exist again elsewhere.
    pub(super) fn is_stale(&self, now_ms: u64) -> bool {
        self.pending.is_none() && self.alive(now_ms).is_none() && now_ms > self.gone_until_ms
    }

    /// Bytes of its texts, for the bound on memory.
    pub(super) fn bytes(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |pending| {
            let write = if let Some(InFlight::Write(write)) = &pending.in_flight { write.bytes() } else { 0 };
            write
                + pending.base.as_ref().map_or(0, Entry::bytes)
                + pending.unconfirmed.as_ref().map_or(0, |unconfirmed| unconfirmed.bytes())
        });
        pending + self.local.as_ref().map_or(0, Entry::bytes)
    }

    /// After an answer that shows what the primary has.
    pub(super) fn after_read(known: Option<Self>, current: Option<Entry>, now_ms: u64) -> Self {
        match known {
            Some(record) if record.pending.is_some() => record,
            Some(record) => Self::saved(current, record.last_ack, now_ms),
            None => Self::saved(current, None, now_ms),
        }
    }

    /// After the primary acknowledged a change of this host.
    pub(super) fn after_ack(known: Option<Self>, local: Option<Entry>, last_ack: Option<LastAck>, now_ms: u64) -> Self {
        match known {
            // The caller's change was based on an older record; the sync finds what it made.
            Some(record) if record.pending.is_some() => record,
            Some(record) => Self::saved(local, last_ack.or(record.last_ack), now_ms),
            None => Self::saved(local, last_ack, now_ms),
        }
    }

    /// Whether the record follows the acknowledged state `local`, because a later change was acknowledged first.
    pub(super) fn is_later_than(&self, local: Option<&Entry>, acked: Option<&LastAck>) -> bool {
        match (&self.local, local, acked.map(|last_ack| &last_ack.acked)) {
            (Some(known), Some(local), _) => known.expires_at_ms > local.expires_at_ms,
            (Some(known), None, Some(AckedState::End(closed))) => closed != incarnation(known),
            (None, Some(local), _) => matches!(
                &self.last_ack, Some(LastAck { acked: AckedState::End(closed), .. }) if closed == incarnation(local)
            ),
            (Some(_) | None, None, _) => false,
        }
    }

    /// Makes a change here; `in_flight` if it was sent to the primary and has no answer. None if nothing is known of the
    /// ticket that the condition could be compared with.
    pub(super) fn change(
        known: Option<Self>,
        change: &Change<'_>,
        when: &Condition,
        in_flight: bool,
        now_ms: u64,
    ) -> Option<(Self, Outcome)> {
        let known = match known {
            Some(record) => record,
            None if *when == Condition::Absent => Self::unknown(),
            None => return None,
        };
        let current = known.alive(now_ms).cloned();
        // Its answer was lost, and a read since has seen it applied.
        if in_flight
            && let (Change::Write(entry), Some(current)) = (change, &current)
            && entry.expires_at_ms == current.expires_at_ms
            && same_content(entry, current)
        {
            return Some((known, written(current)));
        }
        if !when.holds(current.as_ref()) {
            let shown = if matches!(change, Change::Touch(_)) { None } else { current };
            return Some((known, Outcome::Refused(shown)));
        }
        let next = match (change, &current) {
            (Change::Write(entry), _) => Some((*entry).clone()),
            (Change::Touch(expires_at_ms), Some(entry)) => Some(Entry::new(entry.fields.clone(), *expires_at_ms)),
            (Change::Remove | Change::Touch(_), _) => None,
        };
        let outcome = next.as_ref().map_or(Outcome::Removed, written);
        Some((known.changed(current, next, in_flight.then_some(change), now_ms), outcome))
    }

    /// The record after a change here from `current` to `next`.
    fn changed(self, current: Option<Entry>, next: Option<Entry>, in_flight: Option<&Change<'_>>, now_ms: u64) -> Self {
        let mut pending = self.pending.unwrap_or_else(|| Pending {
            base: current.clone(),
            in_flight: None,
            unconfirmed: None,
            closed_incarnation: None,
            since_ms: now_ms,
            lost: false,
        });
        let in_flight = match in_flight {
            Some(Change::Write(entry)) => Some(InFlight::Write((*entry).clone())),
            Some(Change::Remove) => Some(InFlight::Removal),
            // A touch needs no resolving: the content is the same whether it was applied or not.
            Some(Change::Touch(_)) | None => None,
        };
        // What was sent first is resolved first.
        pending.in_flight = pending.in_flight.or(in_flight);
        if let (Some(gone), None) = (&current, &next) {
            pending.closed_incarnation = Some(incarnation(gone).to_owned());
        }
        let ends_ms = [&next, &current].into_iter().flatten().map(|entry| entry.expires_at_ms).max().unwrap_or(now_ms);
        Self {
            local: next,
            pending: Some(pending),
            last_ack: self.last_ack,
            gone_until_ms: ends_ms.saturating_add(ABSENCE_KEPT_MS),
        }
    }
}

fn written(entry: &Entry) -> Outcome {
    Outcome::Written { revision: entry.revision.clone(), expires_at_ms: entry.expires_at_ms }
}

#[cfg(test)]
mod tests;
