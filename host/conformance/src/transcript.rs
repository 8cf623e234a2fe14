//! Transcripts: the answers of the engine without what differs from run to run.

use std::collections::HashMap;

use serde::Serialize;
use sha2::{Digest, Sha256};
use ticket_host::{Effect, Error, Fact, Merged, Messages, Side, Summary, Ticket};

use crate::scenario::{At, START_MS, Snapshot};

/// Longest text that a transcript contains; of a longer one it contains the digest.
const TEXT_BYTES_MAX: usize = 200;
const MINUTE_MS: i64 = 60_000;

/// What an operation answered.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named after what they contain")]
pub enum Answer {
    Ticket(Ticket),
    Exists(bool),
    Summary(Summary),
    /// Of the ticket of this id.
    Messages(String, Messages),
    /// Of the ticket of this id.
    Fact(String, Fact),
    Snapshot(String),
    Done,
    Ids(Vec<String>),
    /// Summaries, and ids that cannot be read.
    Summaries(Vec<Summary>, Vec<String>),
    Merged(Merged),
}

/// The lines of a transcript, and the ordinals it gives to ids, revisions and snapshots.
#[derive(Debug, Default)]
pub struct Transcript {
    lines: String,
    count: usize,
    /// Ticket and text of each revision, by ordinal.
    revisions: Vec<(String, String)>,
    ordinals: HashMap<(String, String), usize>,
    /// Ordinals of the revisions of each ticket, in the order of answers.
    shown: HashMap<String, Vec<usize>>,
    snapshots: Vec<String>,
    fresh_ids: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    step: usize,
    op: &'a str,
    #[serde(flatten)]
    answer: Shown,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Ticket {
        ticket: ShownTicket,
        #[serde(skip_serializing_if = "Option::is_none")]
        created: Option<bool>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        retracted: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        trimmed: Option<u32>,
    },
    Exists {
        exists: bool,
    },
    Summary {
        summary: ShownSummary,
    },
    Messages {
        messages: Vec<String>,
        history_entries: u32,
        revision: usize,
    },
    Fact {
        value: Option<String>,
        revision: usize,
    },
    Summaries {
        summaries: Vec<ShownSummary>,
        unreadable: Vec<String>,
    },
    Snapshot {
        snapshot: usize,
        text: String,
    },
    Done {
        done: bool,
    },
    Ids {
        ids: Vec<String>,
    },
    Merged {
        merged: ShownState,
        aside: Option<&'static str>,
    },
    Conflict {
        error: &'static str,
        ticket: Option<ShownTicket>,
    },
    Error {
        error: &'static str,
    },
}

#[derive(Serialize)]
struct ShownTicket {
    id: String,
    facts: String,
    history: String,
    last_decision: String,
    created_at: Option<i64>,
    updated_at: Option<i64>,
    version: u32,
    revision: usize,
    expires: i64,
}

#[derive(Serialize)]
struct ShownSummary {
    id: String,
    facts_bytes: u32,
    history_bytes: u32,
    last_decision_bytes: u32,
    history_entries: u32,
    created_at: Option<i64>,
    updated_at: Option<i64>,
    version: u32,
    revision: usize,
    expires: i64,
}

#[derive(Serialize)]
struct ShownState {
    facts: String,
    history: String,
    last_decision: String,
    created_at: u64,
    updated_at: u64,
}

impl Transcript {
    /// The lines so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.lines
    }

    /// The number of answers.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds an id that the host generated.
    pub(super) fn add_fresh_id(&mut self, id: &str) {
        self.fresh_ids.push(id.to_owned());
    }

    /// The id that a step refers to.
    pub(super) fn id(&self, id: &str) -> String {
        let number = id.strip_prefix("(fresh ").and_then(|rest| rest.strip_suffix(')')).and_then(|n| n.parse().ok());
        let fresh = number.and_then(|number: usize| self.fresh_ids.get(number.checked_sub(1)?));
        fresh.cloned().unwrap_or_else(|| id.to_owned())
    }

    /// The revision that a step on a ticket refers to.
    pub(super) fn revision(&self, id: &str, at: &At) -> String {
        let number = match at {
            At::Text(text) => return text.clone(),
            At::Number(number) => *number,
        };
        let none = Vec::new();
        let shown = self.shown.get(id).unwrap_or(&none);
        let ordinal = match usize::try_from(number) {
            Ok(ordinal) => Some(ordinal),
            Err(_) => back(shown, number).copied(),
        };
        let revision = ordinal.and_then(|ordinal| self.revisions.get(ordinal.checked_sub(1)?));
        revision.map_or_else(|| format!("revision {number}"), |(_, text)| text.clone())
    }

    /// The snapshot that a step refers to.
    pub(super) fn snapshot(&self, snapshot: &Snapshot) -> String {
        match snapshot {
            Snapshot::Text(text) => text.clone(),
            Snapshot::Number(number) => self.snapshot_of(*number),
            Snapshot::Altered { number, from, to } => self.snapshot_of(*number).replacen(from, to, 1),
        }
    }

    fn snapshot_of(&self, number: i64) -> String {
        let snapshot = match usize::try_from(number) {
            Ok(ordinal) => ordinal.checked_sub(1).and_then(|index| self.snapshots.get(index)),
            Err(_) => back(&self.snapshots, number),
        };
        snapshot.cloned().unwrap_or_else(|| format!("snapshot {number}"))
    }

    /// Replaces the text of every revision, after `pass` changed all deadlines.
    pub(super) fn rename_revisions(&mut self, renamed: impl Fn(&str) -> String) {
        for (_, text) in &mut self.revisions {
            *text = renamed(text);
        }
        self.ordinals = self.revisions.iter().cloned().zip(1..).collect();
    }

    /// Adds an answer. Deadlines are counted from `start_ms`, by the clock that ends entries.
    pub(super) fn add(&mut self, step: usize, op: &str, answer: Result<Answer, Error>, start_ms: u64) {
        let answer = match answer {
            Ok(Answer::Ticket(mut ticket)) => {
                let Effect { created, retracted, trimmed } = std::mem::take(&mut ticket.effect);
                Shown::Ticket {
                    ticket: self.ticket(ticket, start_ms),
                    created: (op == "ensure").then_some(created),
                    retracted: retracted.into_iter().map(short).collect(),
                    trimmed: (trimmed > 0).then_some(trimmed),
                }
            }
            Ok(Answer::Exists(exists)) => Shown::Exists { exists },
            Ok(Answer::Summary(summary)) => Shown::Summary { summary: self.summary(summary, start_ms) },
            Ok(Answer::Messages(id, Messages { messages, history_entries, revision })) => Shown::Messages {
                messages: messages.into_iter().map(short).collect(),
                history_entries,
                revision: self.ordinal(id, revision),
            },
            Ok(Answer::Fact(id, Fact { value, revision })) => {
                Shown::Fact { value: value.map(short), revision: self.ordinal(id, revision) }
            }
            Ok(Answer::Snapshot(text)) => {
                self.snapshots.push(text.clone());
                Shown::Snapshot { snapshot: self.snapshots.len(), text: short(text) }
            }
            Ok(Answer::Done) => Shown::Done { done: true },
            Ok(Answer::Ids(ids)) => Shown::Ids { ids: self.shown_ids(ids) },
            Ok(Answer::Summaries(mut summaries, unreadable)) => {
                summaries.sort_unstable_by_key(|summary| self.shown_id(summary.id.clone()));
                summaries.dedup_by(|one, other| one.id == other.id);
                Shown::Summaries {
                    summaries: summaries.into_iter().map(|summary| self.summary(summary, start_ms)).collect(),
                    unreadable: self.shown_ids(unreadable),
                }
            }
            Ok(Answer::Merged(Merged { state, branch })) => Shown::Merged {
                merged: ShownState {
                    facts: short(state.facts),
                    history: short(state.history),
                    last_decision: short(state.last_decision),
                    created_at: state.created_at,
                    updated_at: state.updated_at,
                },
                aside: branch.map(|side| if side == Side::Ours { "ours" } else { "theirs" }),
            },
            Err(Error::Conflict(ticket)) => {
                let ticket = ticket.map(|ticket| self.ticket(*ticket, start_ms));
                Shown::Conflict { error: "conflict", ticket }
            }
            Err(error) => Shown::Error { error: case(&error) },
        };
        // A line contains only texts, numbers and lists, so serialization cannot fail.
        let line = serde_json::to_string(&Line { step, op, answer }).unwrap_or_default();
        self.lines.push_str(&line);
        self.lines.push('\n');
        self.count += 1;
    }

    fn ticket(&mut self, ticket: Ticket, start_ms: u64) -> ShownTicket {
        let revision = self.ordinal(ticket.id.clone(), ticket.revision);
        ShownTicket {
            id: self.shown_id(ticket.id),
            facts: short(ticket.facts),
            history: short(ticket.history),
            last_decision: short(ticket.last_decision),
            created_at: time(ticket.created_at),
            updated_at: time(ticket.updated_at),
            version: ticket.version,
            revision,
            expires: minutes(ticket.expires_at_ms, start_ms),
        }
    }

    fn summary(&mut self, summary: Summary, start_ms: u64) -> ShownSummary {
        let revision = self.ordinal(summary.id.clone(), summary.revision);
        ShownSummary {
            id: self.shown_id(summary.id),
            facts_bytes: summary.facts_bytes,
            history_bytes: summary.history_bytes,
            last_decision_bytes: summary.last_decision_bytes,
            history_entries: summary.history_entries,
            created_at: time(summary.created_at),
            updated_at: time(summary.updated_at),
            version: summary.version,
            revision,
            expires: minutes(summary.expires_at_ms, start_ms),
        }
    }

    /// The ordinal of a revision of a ticket, which is shown now.
    fn ordinal(&mut self, id: String, revision: String) -> usize {
        let key = (id.clone(), revision);
        let next = self.revisions.len() + 1;
        let ordinal = *self.ordinals.entry(key.clone()).or_insert(next);
        if ordinal == next {
            self.revisions.push(key);
        }
        self.shown.entry(id).or_default().push(ordinal);
        ordinal
    }

    fn shown_ids(&self, ids: Vec<String>) -> Vec<String> {
        let mut ids: Vec<String> = ids.into_iter().map(|id| self.shown_id(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn shown_id(&self, id: String) -> String {
        match self.fresh_ids.iter().position(|fresh| *fresh == id) {
            Some(index) => format!("(fresh {})", index + 1),
            None => id,
        }
    }
}

/// The item that a negative number refers to, counted from the end.
fn back<T>(items: &[T], number: i64) -> Option<&T> {
    items.len().checked_sub(usize::try_from(number.unsigned_abs()).ok()?).and_then(|index| items.get(index))
}

/// A deadline in minutes since the start, rounded.
fn minutes(expires_at_ms: u64, start_ms: u64) -> i64 {
    let left_ms = signed(expires_at_ms).saturating_sub(signed(start_ms));
    left_ms.saturating_add(MINUTE_MS / 2).div_euclid(MINUTE_MS)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Seconds since the start; `None` for an unknown time.
fn time(seconds: u64) -> Option<i64> {
    (seconds != 0).then(|| signed(seconds).saturating_sub(signed(START_MS / 1_000)))
}

fn short(text: String) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}

/// The name of an error in WIT.
fn case(error: &Error) -> &'static str {
    match error {
        Error::Invalid(_) => "invalid",
        Error::TooLarge(_) => "too-large",
        Error::Exists(_) => "exists",
        Error::NotFound(_) => "not-found",
        Error::Conflict(_) => "conflict",
        Error::Corrupt(_) => "corrupt",
        Error::UnsupportedVersion(_) => "unsupported-version",
        Error::Denied(_) => "denied",
        Error::Unavailable(_) => "unavailable",
        Error::Uncertain(_) => "uncertain",
        _ => "bug",
    }
}
