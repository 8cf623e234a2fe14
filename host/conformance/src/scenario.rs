//! Scenarios: scripts of operations, steps of the clock, foreign deeds and faults, which every host can play.
//!
//! `tests/scenarios/README.md` has the form of their files.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use ticket_host::store::{Key, Kind, TTL_MS_MAX, TTL_MS_MIN};
use ticket_host::{Change, Error, State};

/// What the engine's clock shows when a scenario begins, in milliseconds since the epoch.
pub const START_MS: u64 = 1_750_000_000_000;

/// A script for the ticket engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is for, and under which limits it plays.
    pub header: Header,
    /// What happens, in order; the first one stands on line 2.
    pub steps: Vec<Step>,
}

/// The first line of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What it is for.
    pub about: String,
    /// Where a limit is not the usual one.
    #[serde(default, skip_serializing_if = "Limits::are_usual")]
    pub settings: Limits,
}

/// What the engine is told of its settings.
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
        let ticket_host::Settings { ttl_ms, message_bytes_max, ticket_bytes_max, history_entries_max, .. } =
            ticket_host::Settings::default();
        Self { ttl_ms, message_bytes_max, ticket_bytes_max, history_entries_max }
    }
}

impl Limits {
    fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// One step; JSON values are texts, so that a scenario can hold what is no JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of tests/scenarios/README.md")]
pub enum Step {
    /// `create`
    Create {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty", with = "changes")]
        changes: Vec<Change>,
    },
    /// `get`
    Get { id: String },
    /// `apply`
    Apply {
        id: String,
        #[serde(with = "changes")]
        changes: Vec<Change>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
    },
    /// `touch`
    Touch { id: String },
    /// `snapshot`
    Snapshot { id: String },
    /// `rollback`
    Rollback {
        id: String,
        snapshot: Snapshot,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
    },
    /// `restore`
    Restore { snapshot: Snapshot },
    /// `close`
    Close {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
    },
    /// `list-ids`, every page
    List {},
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
    /// The engine's clock is moved.
    Date { ms: i64 },
    /// A foreign program replaces an entry.
    Put {
        id: String,
        fields: BTreeMap<String, String>,
        ttl_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<StoreCall>,
    },
    /// A foreign program deletes an entry.
    Drop {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<StoreCall>,
    },
    /// The next such call of the store ends with an error.
    Fail {
        call: StoreCall,
        error: StoreError,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        made: bool,
    },
}

/// The revision that a step names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum At {
    /// By its ordinal in the transcript; negative ones count back among those that were shown of the ticket.
    Number(i64),
    /// Itself.
    Text(String),
}

/// The snapshot that a step hands over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Snapshot {
    /// By its ordinal; negative ones count back.
    Number(i64),
    /// Itself.
    Text(String),
    /// One that was altered on its way: the first `from` in it is `to`.
    Altered {
        /// By its ordinal, as above.
        number: i64,
        /// What is replaced.
        from: String,
        /// What stands there instead.
        to: String,
    },
}

/// A function of `key-value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum StoreCall {
    Read,
    Write,
    Touch,
    Remove,
    Scan,
}

/// A case of `key-value.error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum StoreError {
    Invalid,
    TooLarge,
    Denied,
    Unavailable,
    Uncertain,
    Corrupt,
}

impl StoreError {
    /// As stores say it.
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
    /// Reads the text of a file.
    ///
    /// # Errors
    /// `Invalid`, naming the line, for what is no scenario.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().ok_or_else(|| Error::Invalid("a scenario without a first line".into()))?;
        let header = line(0, first)?;
        let mut passed_ms = 0_u64;
        let step = |(number, text)| {
            let step = line(number, text)?;
            if let Step::Pass { ms } = step {
                passed_ms = passed_ms.saturating_add(ms);
            }
            check(&step, passed_ms)
                .map_err(|why| Error::Invalid(format!("line {} of a scenario: {why}", number + 1)))?;
            Ok::<Step, Error>(step)
        };
        Ok(Self { header, steps: lines.map(step).collect::<Result<_, _>>()? })
    }
}

/// What a step does must be something that a store or a clock can do; `passed_ms` by this step.
fn check(step: &Step, passed_ms: u64) -> Result<(), String> {
    // One that the host made is known later.
    if let Step::Put { id, .. } | Step::Drop { id, .. } = step
        && !id.starts_with("(fresh ")
    {
        Key::of_ticket(id).map_err(|error| error.to_string())?;
    }
    match step {
        Step::Pass { .. } if passed_ms > TTL_MS_MAX => {
            Err(format!("{passed_ms} ms pass in all, and {TTL_MS_MAX} ms is the most"))
        }
        Step::Date { ms } if ms.unsigned_abs() > TTL_MS_MAX => {
            Err(format!("the clock is moved by {ms} ms, and {TTL_MS_MAX} ms is the most, forward or back"))
        }
        Step::Put { id, fields, .. } if fields.is_empty() => Err(format!("the entry of `{id}` has no field")),
        Step::Put { ttl_ms, .. } if !(TTL_MS_MIN..=TTL_MS_MAX).contains(ttl_ms) => {
            Err(format!("ttl of {ttl_ms} ms is not between {TTL_MS_MIN} ms and {TTL_MS_MAX} ms"))
        }
        _ => Ok(()),
    }
}

fn line<T: for<'de> Deserialize<'de>>(number: usize, text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::Invalid(format!("line {} of a scenario is none: {error}", number + 1)))
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

/// Changes as `{"say": TEXT}`, `{"learn": TEXT}` and `{"decide": TEXT}`.
mod changes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use ticket_host::Change;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Text {
        Say(String),
        Learn(String),
        Decide(String),
    }

    pub(super) fn serialize<S: Serializer>(changes: &[Change], serializer: S) -> Result<S::Ok, S::Error> {
        let texts = changes.iter().cloned().map(|change| match change {
            Change::Say(text) => Text::Say(text),
            Change::Learn(text) => Text::Learn(text),
            Change::Decide(text) => Text::Decide(text),
        });
        serializer.collect_seq(texts)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Change>, D::Error> {
        let texts = Vec::<Text>::deserialize(deserializer)?;
        Ok(texts
            .into_iter()
            .map(|text| match text {
                Text::Say(text) => Change::Say(text),
                Text::Learn(text) => Change::Learn(text),
                Text::Decide(text) => Change::Decide(text),
            })
            .collect())
    }
}

/// A mergeable state with its five texts and numbers.
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
    fn a_scenario_reads_back_as_it_was_written_and_faults_name_their_line() {
        let text = concat!(
            "{\"about\":\"all forms\"}\n",
            "{\"op\":\"create\",\"id\":\"a\",\"changes\":[{\"say\":\"\\\"x\\\"\"},{\"learn\":\"{\"}]}\n",
            "{\"op\":\"rollback\",\"id\":\"a\",\"snapshot\":{\"number\":-1,\"from\":\"x\",\"to\":\"y\"},\"at\":-1}\n",
            "{\"op\":\"restore\",\"snapshot\":\"no\"}\n",
            "{\"op\":\"close\",\"id\":\"a\",\"at\":\"r\"}\n",
            "{\"op\":\"list\"}\n",
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
