//! The model of tickets, written from the rules and independent of the engine.
//!
//! It keeps raw texts, counts states instead of using revisions, and counts time down instead of using deadlines.

use std::collections::{BTreeMap, BTreeSet};

use ticket_host::Change;

use crate::ErrorKind;

mod changes;
mod json;
mod record;

pub use record::Fields;

/// The limits of the model.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "as in ticket_host::Settings")]
pub struct Limits {
    pub ttl_ms: u64,
    pub message_bytes_max: usize,
    pub ticket_bytes_max: usize,
    pub history_entries_max: usize,
}

/// A call.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as in ticket_host::Tickets")]
pub enum Call {
    Create {
        id: String,
        changes: Vec<Change>,
    },
    Get {
        id: String,
    },
    Apply {
        id: String,
        changes: Vec<Change>,
        at: Option<At>,
    },
    Touch {
        id: String,
    },
    Snapshot {
        id: String,
    },
    Rollback {
        id: String,
        snapshot: String,
        at: Option<At>,
    },
    Restore {
        snapshot: String,
    },
    Close {
        id: String,
        at: Option<At>,
    },
    List,
    /// Time passes for everything.
    Pass {
        ms: u64,
    },
    /// Sets the clock that dates changes.
    Date {
        now_s: u64,
    },
    /// Another client writes fields, keeps the others, and sets a TTL.
    ExternalPut {
        id: String,
        fields: Fields,
    },
    /// Another client replaces the entry.
    ExternalReplace {
        id: String,
        fields: Fields,
    },
    /// Another client deletes the entry.
    ExternalDelete {
        id: String,
    },
}

/// The revision that a caller passes.
#[derive(Clone, Debug)]
pub enum At {
    /// The revision of a state.
    State(u64),
    /// An invalid revision.
    Text(&'static str),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after what they contain")]
pub enum Answer {
    Ticket(View),
    Snapshot(String),
    Done,
    Ids(BTreeSet<String>),
    Refused(ErrorKind),
    Conflict(Option<View>),
}

/// A ticket in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its id.
    pub id: String,
    /// Its six fields.
    pub fields: Fields,
    /// The number of its state, which replaces the revision.
    pub state: u64,
    /// Remaining time in milliseconds, which replaces the deadline.
    pub left_ms: u64,
}

/// The record of a ticket.
#[derive(Clone, Debug)]
pub struct Record {
    /// All fields.
    pub fields: Fields,
    /// Remaining milliseconds.
    pub left_ms: u64,
    /// The number of this state.
    pub state: u64,
    /// The number of this incarnation; an external write begins a new one.
    pub incarnation: u64,
}

/// All tickets.
#[derive(Clone, Debug)]
pub struct Model {
    limits: Limits,
    now_s: u64,
    records: BTreeMap<String, Record>,
    numbers: u64,
}

type Answered = Result<Answer, Answer>;

impl From<ErrorKind> for Answer {
    fn from(kind: ErrorKind) -> Self {
        Self::Refused(kind)
    }
}

impl Model {
    /// A model without tickets.
    #[must_use]
    pub fn new(limits: Limits, now_s: u64) -> Self {
        Self { limits, now_s, records: BTreeMap::new(), numbers: 0 }
    }

    /// The record of each id.
    #[must_use]
    pub fn records(&self) -> &BTreeMap<String, Record> {
        &self.records
    }

    /// Unix seconds by the clock that dates changes.
    #[must_use]
    pub fn now_s(&self) -> u64 {
        self.now_s
    }

    /// Executes a call and returns the right answer.
    pub fn answer(&mut self, call: &Call) -> Answer {
        self.answered(call).unwrap_or_else(|refusal| refusal)
    }

    fn answered(&mut self, call: &Call) -> Answered {
        match call {
            Call::Create { id, changes } => self.create(id, changes),
            Call::Get { id } => Ok(Answer::Ticket(self.ticket(id)?)),
            Call::Apply { id, changes, at } => self.apply(id, changes, at.as_ref()),
            Call::Touch { id } => self.touch(id),
            Call::Snapshot { id } => Ok(Answer::Snapshot(record::snapshot(id, &self.ticket(id)?.fields))),
            Call::Rollback { id, snapshot, at } => self.rollback(id, snapshot, at.as_ref()),
            Call::Restore { snapshot } => {
                let (id, ticket) = self.of_snapshot(snapshot)?;
                self.put_new(&id, ticket)
            }
            Call::Close { id, at } => {
                self.may_replace(id, at.as_ref())?;
                self.records.remove(id);
                Ok(Answer::Done)
            }
            Call::List => Ok(Answer::Ids(self.records.keys().cloned().collect())),
            Call::Pass { ms } => {
                self.now_s += ms / 1_000;
                self.records.retain(|_, record| record.left_ms >= *ms);
                self.records.values_mut().for_each(|record| record.left_ms -= ms);
                Ok(Answer::Done)
            }
            Call::Date { now_s } => {
                self.now_s = *now_s;
                Ok(Answer::Done)
            }
            Call::ExternalPut { id, fields } => {
                let mut all = self.records.get(id).map_or_else(Fields::new, |record| record.fields.clone());
                all.extend(fields.clone());
                self.external_write(id, all)
            }
            Call::ExternalReplace { id, fields } => self.external_write(id, fields.clone()),
            Call::ExternalDelete { id } => {
                self.records.remove(id);
                Ok(Answer::Done)
            }
        }
    }

    fn create(&mut self, id: &str, changes: &[Change]) -> Answered {
        valid_id(id)?;
        self.valid_changes(changes)?;
        let now = self.now_s.to_string();
        let texts = [("facts", "{}"), ("history", "[]"), ("last_decision", "{}"), ("version", "1")];
        let times = [("created_at", now.as_str()), ("updated_at", now.as_str())];
        let bare = texts.iter().chain(&times).map(|(name, text)| ((*name).into(), (*text).into())).collect();
        let ticket = self.changed(&bare, changes)?;
        self.put_new(id, ticket)
    }

    fn apply(&mut self, id: &str, changes: &[Change], at: Option<&At>) -> Answered {
        valid_id(id)?;
        if changes.is_empty() {
            return Err(ErrorKind::Invalid.into());
        }
        self.valid_changes(changes)?;
        let ticket = self.ticket(id)?;
        if at.is_some_and(|at| !at.is(ticket.state)) {
            return Err(Answer::Conflict(Some(ticket)));
        }
        let changed = self.changed(&ticket.fields, changes)?;
        self.put(id, changed)
    }

    fn touch(&mut self, id: &str) -> Answered {
        valid_id(id)?;
        self.ticket(id)?;
        let state = self.next();
        let record = self.records.get_mut(id).ok_or(ErrorKind::NotFound)?;
        (record.left_ms, record.state) = (self.limits.ttl_ms, state);
        Ok(Answer::Ticket(self.ticket(id)?))
    }

    fn rollback(&mut self, id: &str, snapshot: &str, at: Option<&At>) -> Answered {
        valid_id(id)?;
        let (of, ticket) = self.of_snapshot(snapshot)?;
        if of != id {
            return Err(ErrorKind::Invalid.into());
        }
        self.may_replace(id, at)?;
        let current = self.records.get(id).ok_or(ErrorKind::NotFound)?;
        // Of the migrated ticket, or of a damaged record as far as it can be read.
        let shown = self.ticket(id).map_or_else(|_| current.fields.clone(), |view| view.fields);
        let created_at = shown.get("created_at").and_then(|text| record::decimal(text));
        if created_at.is_some_and(|created_at| created_at.to_string() != ticket["created_at"]) {
            return Err(ErrorKind::Invalid.into());
        }
        self.put(id, ticket)
    }

    /// Whether rollback and close may replace the record: a ticket at the given revision, or a damaged record.
    fn may_replace(&self, id: &str, at: Option<&At>) -> Result<(), Answer> {
        valid_id(id)?;
        let current = self.records.get(id).ok_or(ErrorKind::NotFound)?;
        let differs = at.is_some_and(|at| !at.is(current.state));
        match self.ticket(id) {
            Ok(ticket) if differs => Err(Answer::Conflict(Some(ticket))),
            Err(Answer::Refused(ErrorKind::Corrupt | ErrorKind::TooLarge)) if differs => Err(Answer::Conflict(None)),
            Ok(_) | Err(Answer::Refused(ErrorKind::Corrupt | ErrorKind::TooLarge)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    fn ticket(&self, id: &str) -> Result<View, Answer> {
        valid_id(id)?;
        let Record { fields, left_ms, state, .. } = self.records.get(id).ok_or(ErrorKind::NotFound)?;
        let fields = record::decoded(fields, self.limits)?;
        Ok(View { id: id.to_owned(), fields, state: *state, left_ms: *left_ms })
    }

    fn of_snapshot(&self, text: &str) -> Result<(String, Fields), Answer> {
        let (id, ticket) = record::of_snapshot(text).ok_or(ErrorKind::Invalid)?;
        record::checked(&ticket, self.limits)?;
        Ok((id, ticket))
    }

    fn put_new(&mut self, id: &str, fields: Fields) -> Answered {
        if self.records.contains_key(id) {
            return Err(ErrorKind::Exists.into());
        }
        let incarnation = self.next();
        self.records.insert(id.to_owned(), Record { fields: Fields::new(), left_ms: 0, state: 0, incarnation });
        self.put(id, fields)
    }

    fn put(&mut self, id: &str, fields: Fields) -> Answered {
        let state = self.next();
        let record = self.records.get_mut(id).ok_or(ErrorKind::NotFound)?;
        *record = Record { fields, left_ms: self.limits.ttl_ms, state, incarnation: record.incarnation };
        Ok(Answer::Ticket(self.ticket(id)?))
    }

    fn external_write(&mut self, id: &str, fields: Fields) -> Answered {
        let (incarnation, state) = (self.next(), self.next());
        self.records.insert(id.to_owned(), Record { fields, left_ms: self.limits.ttl_ms, state, incarnation });
        Ok(Answer::Done)
    }

    fn next(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

fn valid_id(id: &str) -> Result<(), Answer> {
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let begins_well = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if is_plain && begins_well && id.len() <= 128 { Ok(()) } else { Err(ErrorKind::Invalid.into()) }
}

impl At {
    fn is(&self, state: u64) -> bool {
        matches!(self, Self::State(number) if *number == state)
    }
}
