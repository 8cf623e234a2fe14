//! Scenarios: scripts of operations, clock steps, external writes and faults, which every host can run.
//!
//! `tests/scenarios/README.md` describes the file format.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use ticket_host::store::{Key, Kind, TTL_MS_MAX, TTL_MS_MIN};
use ticket_host::{Change, Error, State};
use ticket_model::json;

/// The engine's clock at the start of a scenario, in milliseconds since the Unix epoch.
pub const START_MS: u64 = 1_750_000_000_000;

/// A script for the ticket engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Purpose and limits.
    pub header: Header,
    /// The steps in order; the first one is on line 2.
    pub steps: Vec<Step>,
}

/// The first line of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its purpose.
    pub about: String,
    /// Limits that differ from the defaults.
    #[serde(default, skip_serializing_if = "Limits::are_usual")]
    pub settings: Limits,
}

/// The settings of the engine during a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Time to live, in milliseconds.
    pub ttl_ms: u64,
    /// Most bytes of a message.
    pub message_bytes_max: u32,
    /// Most bytes of a ticket.
    pub ticket_bytes_max: u32,
    /// Most entries of a history.
    pub history_entries_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let ttl_ms = u64::try_from(ticket_host::DEFAULT_TTL.as_millis()).unwrap_or(u64::MAX);
        let ticket_host::Limits { message_bytes_max, ticket_bytes_max, history_entries_max, .. } =
            ticket_host::Limits::default();
        Self { ttl_ms, message_bytes_max, ticket_bytes_max, history_entries_max }
    }
}

impl Limits {
    fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// One step; JSON values are texts, so that a scenario can contain invalid JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "tests/scenarios/README.md describes the fields")]
pub enum Step {
    /// `create`
    Create {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// `ensure`
    Ensure {
        id: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// `get`
    Get { id: String },
    /// `exists`
    Exists { id: String },
    /// `get-summary`
    GetSummary { id: String },
    /// `get-messages`
    GetMessages {
        id: String,
        entries_max: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_max: Option<u32>,
    },
    /// `get-fact`
    GetFact { id: String, pointer: String },
    /// `apply`
    Apply {
        id: String,
        changes: Vec<Change>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// `touch`
    Touch {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// `snapshot`
    Snapshot { id: String },
    /// `rollback`
    Rollback {
        id: String,
        snapshot: Snapshot,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// `restore`
    Restore {
        snapshot: Snapshot,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// `close`
    Close {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
    },
    /// `list-ids`, every page
    List {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
    },
    /// `list-summaries`, every page
    ListSummaries {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
    },
    /// `merge`
    Merge {
        #[serde(with = "state")]
        base: State,
        #[serde(with = "state")]
        ours: State,
        #[serde(with = "state")]
        theirs: State,
    },
    /// Time passes.
    Pass { ms: u64 },
    /// The engine's clock moves.
    Date { ms: i64 },
    /// Another client replaces an entry.
    Put {
        id: String,
        fields: BTreeMap<String, String>,
        ttl_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<StoreCall>,
    },
    /// Another client deletes an entry.
    Drop {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<StoreCall>,
    },
    /// The next such call of the store fails.
    Fail {
        call: StoreCall,
        error: StoreError,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        made: bool,
    },
}

/// The revision that a step refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum At {
    /// Its ordinal in the transcript; a negative number counts back among the revisions of the ticket.
    Number(i64),
    /// Its text.
    Text(String),
}

/// The snapshot that a step passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Snapshot {
    /// Its ordinal; a negative number counts back.
    Number(i64),
    /// Its text.
    Text(String),
    /// An altered one: the first `from` is replaced by `to`.
    Altered {
        /// Its ordinal, as above.
        number: i64,
        /// What is replaced.
        from: String,
        /// The replacement.
        to: String,
    },
}

/// A function of the interface `key-value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "functions of `key-value`")]
pub enum StoreCall {
    Read,
    Write,
    Touch,
    Remove,
    Scan,
}

/// An error of the interface `key-value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "errors of `key-value`")]
pub enum StoreError {
    Invalid,
    TooLarge,
    Denied,
    Unavailable,
    Uncertain,
    Corrupt,
}

impl StoreError {
    /// The kind of error that a store returns.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Invalid => Kind::Invalid,
            Self::TooLarge => Kind::TooLarge(1),
            Self::Denied => Kind::Denied,
            Self::Unavailable => Kind::Unavailable,
            Self::Uncertain => Kind::Uncertain,
            Self::Corrupt => Kind::Corrupt,
        }
    }
}

impl Scenario {
    /// Parses the text of a file.
    ///
    /// # Errors
    /// `Invalid` with the number of the line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().ok_or_else(|| Error::Invalid("invalid scenario: it has no first line".into()))?;
        let header = line(0, first)?;
        let mut passed_ms = 0_u64;
        let step = |(number, text)| {
            let step = line(number, text)?;
            if let Step::Pass { ms } = step {
                passed_ms = passed_ms.saturating_add(ms);
            }
            check(&step, passed_ms)
                .map_err(|why| Error::Invalid(format!("invalid scenario, line {}: {why}", number + 1).into()))?;
            Ok::<Step, Error>(step)
        };
        Ok(Self { header, steps: lines.map(step).collect::<Result<_, _>>()? })
    }
}

/// Checks the ranges of a step; `passed_ms` is the sum of all `pass` steps so far.
fn check(step: &Step, passed_ms: u64) -> Result<(), String> {
    // An id of the host is known only at run time.
    if let Step::Put { id, .. } | Step::Drop { id, .. } = step
        && !id.starts_with("(fresh ")
    {
        Key::of_ticket(id).map_err(|error| error.to_string())?;
    }
    match step {
        Step::Pass { .. } if passed_ms > TTL_MS_MAX => {
            Err(format!("all `pass` steps together are {passed_ms} ms, more than {TTL_MS_MAX} ms"))
        }
        Step::Date { ms } if ms.unsigned_abs() > TTL_MS_MAX => {
            Err(format!("clock step of {ms} ms is more than {TTL_MS_MAX} ms forward or back"))
        }
        Step::Put { id, fields, .. } if fields.is_empty() => Err(format!("the entry of ticket `{id}` has no fields")),
        Step::Put { ttl_ms, .. } if !(TTL_MS_MIN..=TTL_MS_MAX).contains(ttl_ms) => {
            Err(format!("ttl of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms"))
        }
        _ => Ok(()),
    }
}

fn line<T: for<'de> Deserialize<'de>>(number: usize, text: &str) -> Result<T, Error> {
    json::from_object(text)
        .map_err(|error| Error::Invalid(format!("invalid scenario, line {}: {error}", number + 1).into()))
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", serde_json::to_string(&self.header).map_err(|_| fmt::Error)?)?;
        for step in &self.steps {
            writeln!(f, "{}", serde_json::to_string(step).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

/// The five fields of a mergeable state.
mod state {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use ticket_host::State;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields, remote = "State")]
    struct Mirror {
        facts: String,
        history: String,
        last_decision: String,
        created_at: u64,
        updated_at: u64,
    }

    pub(super) fn serialize<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
        Mirror::serialize(state, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        Mirror::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_round_trip_and_errors_contain_the_line() {
        let text = concat!(
            "{\"about\":\"all forms\"}\n",
            "{\"op\":\"create\",\"id\":\"a\",\"changes\":[{\"say\":\"\\\"x\\\"\"},{\"learn\":\"{\"}]}\n",
            "{\"op\":\"rollback\",\"id\":\"a\",\"snapshot\":{\"number\":-1,\"from\":\"x\",\"to\":\"y\"},\"at\":-1}\n",
            "{\"op\":\"restore\",\"snapshot\":\"no\"}\n",
            "{\"op\":\"close\",\"id\":\"a\",\"at\":\"r\"}\n",
            "{\"op\":\"list\"}\n",
            "{\"op\":\"ensure\",\"id\":\"a\",\"changes\":[{\"retract\":1},{\"trim\":{\"entries_max\":2}},",
            "{\"put\":{\"pointer\":\"/a\",\"value\":\"1\",\"only_if_absent\":true}}],\"ttl_ms\":60000}\n",
            "{\"op\":\"get_messages\",\"id\":\"a\",\"entries_max\":2}\n",
            "{\"op\":\"list_summaries\",\"prefix\":\"a\"}\n",
            "{\"op\":\"put\",\"id\":\"a\",\"fields\":{\"facts\":\"{}\"},\"ttl_ms\":1000,\"before\":\"write\"}\n",
            "{\"op\":\"fail\",\"call\":\"scan\",\"error\":\"too-large\",\"made\":true}\n",
        );
        assert_eq!(Scenario::parse(text).expect("scenario").to_string(), text);
        let put = |id: &str, fields: &str, ttl_ms: u64| {
            format!("{{\"op\":\"put\",\"id\":\"{id}\",\"fields\":{fields},\"ttl_ms\":{ttl_ms}}}")
        };
        let wrong = [
            "{\"op\":\"get\"}".to_owned(),
            "{\"op\":\"get\",\"id\":\"a\",\"x\":1}".to_owned(),
            "{\"op\":\"ensure\",\"id\":\"a\",\"changes\":[{\"trim\":[1,2]}]}".to_owned(),
            String::new(),
            put("a b", "{\"facts\":\"{}\"}", 1_000),
            put("a", "{}", 1_000),
            put("a", "{\"facts\":\"{}\"}", 999),
            format!("{{\"op\":\"pass\",\"ms\":{TTL_MS_MAX}}}"),
            format!("{{\"op\":\"pass\",\"ms\":{}}}", u64::MAX),
            format!("{{\"op\":\"date\",\"ms\":{}}}", i64::MIN),
        ];
        for (line, wrong) in wrong.iter().map(|wrong| (3, wrong)) {
            let error = Scenario::parse(&format!("{{\"about\":\"\"}}\n{{\"op\":\"pass\",\"ms\":1}}\n{wrong}\n"))
                .expect_err(wrong.as_str());
            assert!(error.to_string().contains(&format!("line {line}")), "{error}");
        }
    }
}
