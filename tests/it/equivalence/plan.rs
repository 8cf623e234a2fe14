//! Random operations, and the calls that they become where the model stands.

use proptest::collection::vec;
use proptest::prelude::*;
use ticket_host::{Bounds, Change, Put};
use ticket_tests::model::{Answer, At, Call, Fields, Model};

/// Tickets of one sequence.
pub(super) const TICKETS: usize = 3;
/// Invalid ids; an operation meets one now and then.
const BAD_IDS: [&str; 4] = ["", "-a", "a b", "ticket:a"];
/// No ticket may come nearer to its deadline than this without passing it: Redis goes on with its own time.
const MARGIN_MS: u64 = 120_000;

/// An operation before it is known what there is.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create(usize, Vec<Change>),
    Get(usize),
    Apply(usize, Vec<Change>, Naming),
    Touch(usize),
    Snapshot(usize),
    Rollback(usize, usize, Spoilt, Naming),
    Restore(usize, Spoilt),
    Close(usize, Naming),
    List,
    Pass(u64),
    Date(i64),
    Foreign(usize, ExternalWrites),
}

/// Which revision a caller names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Naming {
    None,
    /// The last one that was shown of this ticket.
    Last,
    /// Any that was shown of this ticket.
    Any(usize),
    Text(&'static str),
}

/// What was done to a snapshot on its way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spoilt {
    Not,
    Cut(usize),
    Edited(usize),
}

/// What another client writes.
#[derive(Clone, Debug)]
pub(super) enum ExternalWrites {
    /// Reads, says something, perhaps learns, and writes back with a TTL.
    Python(usize, Option<&'static str>),
    /// Leaves a record of the bare old dict, with or without times.
    Version0(bool),
    Newer,
    MissingField(usize),
    SeventhField,
    Text(&'static str, &'static str),
    Delete,
}

/// Sequences of one to a hundred operations, fifty on average, most of which begin with a ticket.
pub(super) fn sequences() -> impl Strategy<Value = Vec<Operation>> {
    let first = vec(change(), 0..3).prop_map(|changes| Operation::Create(0, changes));
    (proptest::option::weighted(0.9, first), vec(operation(), 1..100))
        .prop_map(|(first, rest)| first.into_iter().chain(rest).collect())
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    // Mostly the first ticket, so that much happens to it; now and then an invalid id.
    let ticket = || prop_oneof![30 => Just(0), 9 => 1..TICKETS, 1 => TICKETS..TICKETS + BAD_IDS.len()];
    let seconds = prop_oneof![6 => 1..300_u64, 4 => 600..1_200_u64, 1 => 1_900..4_000_u64];
    prop_oneof![
        10 => (ticket(), vec(change(), 0..3)).prop_map(|(ticket, changes)| Create(ticket, changes)),
        6 => ticket().prop_map(Get),
        24 => (ticket(), vec(change(), 0..4), naming()).prop_map(|(ticket, changes, at)| Apply(ticket, changes, at)),
        4 => ticket().prop_map(Touch),
        8 => ticket().prop_map(Snapshot),
        8 => (ticket(), 0..8_usize, spoilt(), naming())
            .prop_map(|(ticket, index, spoilt, at)| Rollback(ticket, index, spoilt, at)),
        4 => (0..8_usize, spoilt()).prop_map(|(index, spoilt)| Restore(index, spoilt)),
        3 => (ticket(), naming()).prop_map(|(ticket, at)| Close(ticket, at)),
        2 => Just(List),
        4 => seconds.prop_map(Pass),
        2 => (-100..100_i64).prop_map(Date),
        8 => (prop_oneof![4 => Just(0), 1 => 1..TICKETS], external_write()).prop_map(|(ticket, external_write)| Foreign(ticket, external_write)),
    ]
}

fn naming() -> impl Strategy<Value = Naming> {
    prop_oneof![
        6 => Just(Naming::None),
        3 => Just(Naming::Last),
        2 => (0..20_usize).prop_map(Naming::Any),
        1 => prop_oneof![Just(""), Just("0"), Just("1.2.3.4.5.6"), Just("no revision")].prop_map(Naming::Text),
    ]
}

fn spoilt() -> impl Strategy<Value = Spoilt> {
    prop_oneof![
        6 => Just(Spoilt::Not),
        1 => (0..400_usize).prop_map(Spoilt::Cut),
        1 => (0..400_usize).prop_map(Spoilt::Edited),
    ]
}

fn external_write() -> impl Strategy<Value = ExternalWrites> {
    let facts = prop_oneof![
        Just("{\"name\": \"Mia\", \"caf\\u00e9\": \"h\\u00e9\", \"n\": 1.0}"),
        Just("{\"big\": 123456789012345678901234567890, \"half\": \"\\ud800\", \"a\": {\"b\": [1, 2.50]}}"),
        Just("{}"),
        Just("{ }"),
    ];
    prop_oneof![
        8 => (0..5_usize, proptest::option::of(facts)).prop_map(|(message, facts)| ExternalWrites::Python(message, facts)),
        2 => any::<bool>().prop_map(ExternalWrites::Version0),
        1 => Just(ExternalWrites::Newer),
        1 => (0..6_usize).prop_map(ExternalWrites::MissingField),
        1 => Just(ExternalWrites::SeventhField),
        1 => prop_oneof![
            Just(("facts", "{\"a\": NaN}")), Just(("facts", "[]")), Just(("history", "{}")), Just(("history", "[1,")),
            Just(("last_decision", "")), Just(("created_at", "1.5")), Just(("updated_at", "-1")),
            Just(("version", "01")),
        ].prop_map(|(name, text)| ExternalWrites::Text(name, text)),
        1 => Just(ExternalWrites::Delete),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let message = prop_oneof![
        12 => (0..6_usize).prop_map(|number| MESSAGES[number].to_owned()),
        8 => (1..3_u8, 0..3_usize).prop_map(|(id, content)| WITH_ID[content].replace('#', &id.to_string())),
        4 => object().prop_map(|object| object.replace("\"id\"", "\"ID\"")),
        1 => bad_json(),
        1 => (150..260_usize).prop_map(|bytes| format!("\"{}\"", "x".repeat(bytes))),
    ];
    let patch = prop_oneof![30 => object(), 1 => bad_json(), 1 => Just("[]".to_owned())];
    let large = (500..1_600_usize).prop_map(|bytes| format!("\"{}\"", "d".repeat(bytes)));
    let decision = prop_oneof![20 => value(), 1 => bad_json(), 2 => large];
    prop_oneof![
        4 => message.prop_map(Change::Say),
        4 => patch.prop_map(Change::Learn),
        2 => decision.prop_map(Change::Decide),
        2 => put(),
        1 => (0..4_u32).prop_map(Change::Retract),
        1 => (proptest::option::of(0..6_u32), proptest::option::of(0..120_u32))
            .prop_map(|(entries_max, bytes_max)| Change::Trim(Bounds { entries_max, bytes_max })),
    ]
}

fn put() -> impl Strategy<Value = Change> {
    let pointer = prop_oneof![8 => "(/[abn]){1,3}", 1 => "/[~/a]{0,3}", 1 => Just("a".to_owned())];
    (pointer, prop_oneof![20 => value(), 1 => bad_json()], proptest::bool::ANY)
        .prop_map(|(pointer, value, only_if_absent)| Change::Put(Put { pointer, value, only_if_absent }))
}

const MESSAGES: [&str; 6] = [
    "\"hello\"",
    "\"\"",
    "\"]\\\"[\"",
    "\"\\u00e9 é 🎫\"",
    " { \"role\" : \"user\" } ",
    "{\"role\":\"user\",\"id\":7}",
];
/// The same twice, and another of the same id.
const WITH_ID: [&str; 3] = [
    "{\"id\":\"m#\",\"text\":\"é\",\"n\":1.0}",
    "{ \"n\": 1.0, \"text\": \"\\u00e9\", \"id\": \"m#\" }",
    "{\"id\":\"m#\"}",
];

fn bad_json() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("NaN"),
        Just(""),
        Just("{"),
        Just("{\"a\":1,}"),
        Just("{\"a\":1,\"\\u0061\":2}"),
        Just("\"\\ud800\""),
        Just("7 7"),
        Just("{\"a\":[{\"b\":1,\"b\":1}]}"),
        Just("{'a':1}"),
        Just("\"\u{1}\""),
        Just("{\"a\":01}"),
        Just("nul"),
    ]
    .prop_map(str::to_owned)
}

/// A JSON value as a client may write it, with spaces here and there.
fn value() -> impl Strategy<Value = String> + Clone {
    let leaf = prop_oneof![
        Just("null"),
        Just("true"),
        Just("0"),
        Just("-1.50e+3"),
        Just("1.0"),
        Just("123456789012345678901234567890"),
        Just("\"\""),
        Just("\"a b\""),
        Just("\"\\u00e9\""),
        Just("\"\\\\\\\"{}[],:\""),
        Just("\"é🎫\""),
        Just("[]"),
        Just("{}"),
        Just("{ }"),
    ];
    leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => members(inner.clone()),
            1 => (vec(inner, 0..3), space()).prop_map(|(items, space)| {
                format!("[{space}{}{space}]", items.join(&format!(",{space}")))
            }),
        ]
    })
}

fn object() -> impl Strategy<Value = String> {
    members(value())
}

fn members(value: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = String> + Clone {
    let keys = prop_oneof![
        4 => Just("\"a\""), 4 => Just("\"b\""), 2 => Just("\"name\""), 1 => Just("\"\""), 1 => Just("\"é\""),
        1 => Just("\"caf\\u00e9\""), 1 => Just("\"id\""),
    ];
    // A null among them often: it removes.
    let value = prop_oneof![3 => value, 1 => Just("null".to_owned())];
    (vec((keys, value), 0..4), space()).prop_map(|(members, space)| {
        let mut seen = std::collections::HashSet::new();
        let members = members.into_iter().filter(|(key, _)| seen.insert(*key));
        let members: Vec<String> = members.map(|(key, value)| format!("{key}{space}:{space}{value}")).collect();
        format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
    })
}

fn space() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![3 => Just(""), 1 => Just(" "), 1 => Just("\n\t")]
}

/// What the agent has kept: snapshots, and the states that answers showed, by ticket.
#[derive(Debug, Default)]
pub(super) struct Kept {
    snapshots: Vec<String>,
    shown: Vec<(String, u64)>,
}

impl Kept {
    /// Keeps what an answer shows.
    pub(super) fn keep(&mut self, answer: &Answer) {
        match answer {
            Answer::Ticket(ticket) | Answer::Conflict(Some(ticket)) => {
                self.shown.push((ticket.id.clone(), ticket.state))
            }
            Answer::Snapshot(text) => self.snapshots.push(text.clone()),
            Answer::Done | Answer::Ids(_) | Answer::Refused(_) | Answer::Conflict(None) => {}
        }
    }

    fn at(&self, id: &str, naming: Naming) -> Option<At> {
        let mut shown = self.shown.iter().filter(|(of, _)| of == id).map(|(_, state)| *state);
        match naming {
            Naming::None => None,
            Naming::Last => shown.next_back().map(At::State),
            Naming::Any(index) => {
                let shown: Vec<u64> = shown.collect();
                (!shown.is_empty()).then(|| At::State(shown[index % shown.len()]))
            }
            Naming::Text(text) => Some(At::Text(text)),
        }
    }

    fn snapshot(&self, index: usize, spoilt: Spoilt) -> String {
        let text = match self.snapshots.len() {
            0 => return "{}".to_owned(),
            count => self.snapshots[index % count].as_str(),
        };
        match spoilt {
            Spoilt::Not => text.to_owned(),
            Spoilt::Cut(at) => text.chars().take(at % text.chars().count()).collect(),
            Spoilt::Edited(at) => {
                let place = at % text.chars().count();
                let edit = |(index, char)| if index == place && char != '7' { '7' } else { char };
                text.chars().enumerate().map(edit).collect()
            }
        }
    }
}

impl Operation {
    /// The call that it is where the model stands; ids begin with `prefix`. None where there is nothing to do.
    pub(super) fn call(&self, prefix: &str, model: &Model, kept: &Kept) -> Option<Call> {
        let id = |ticket: &usize| match ticket.checked_sub(TICKETS) {
            Some(bad) => BAD_IDS[bad].to_owned(),
            None => format!("{prefix}{ticket}"),
        };
        Some(match self {
            Self::Create(ticket, changes) => Call::Create { id: id(ticket), changes: changes.clone() },
            Self::Get(ticket) => Call::Get { id: id(ticket) },
            Self::Apply(ticket, changes, naming) => {
                let id = id(ticket);
                Call::Apply { changes: changes.clone(), at: kept.at(&id, *naming), id }
            }
            Self::Touch(ticket) => Call::Touch { id: id(ticket) },
            Self::Snapshot(ticket) => Call::Snapshot { id: id(ticket) },
            Self::Rollback(ticket, index, spoilt, naming) => {
                let id = id(ticket);
                Call::Rollback { snapshot: kept.snapshot(*index, *spoilt), at: kept.at(&id, *naming), id }
            }
            Self::Restore(index, spoilt) => Call::Restore { snapshot: kept.snapshot(*index, *spoilt) },
            Self::Close(ticket, naming) => {
                let id = id(ticket);
                Call::Close { at: kept.at(&id, *naming), id }
            }
            Self::List => Call::List,
            Self::Pass(seconds) => {
                let mut ms = seconds * 1_000;
                while model.records().values().any(|record| record.left_ms.abs_diff(ms) < MARGIN_MS) {
                    ms += MARGIN_MS;
                }
                Call::Pass { ms }
            }
            Self::Date(seconds) => Call::Date { now_s: model.now_s().saturating_add_signed(*seconds) },
            Self::Foreign(ticket, external_write) => return external_write.call(id(ticket), model),
        })
    }
}

impl ExternalWrites {
    fn call(&self, id: String, model: &Model) -> Option<Call> {
        let stored = model.records().get(&id).map(|record| record.fields.clone());
        let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        Some(match self {
            Self::Python(message, facts) => {
                let mut fields = stored?;
                // What it cannot read it leaves alone.
                let history = fields.get("history")?.strip_suffix(']')?.to_owned();
                let comma = if history.trim() == "[" { "" } else { ", " };
                let mut put =
                    Fields::from([text("history", &format!("{history}{comma}{}]", MESSAGES[*message].trim()))]);
                put.extend(facts.map(|facts| text("facts", facts)));
                put.extend(fields.remove("updated_at").map(|_| text("updated_at", &model.now_s().to_string())));
                Call::ExternalPut { id, fields: put }
            }
            Self::Version0(has_times) => {
                let mut fields = Fields::from([
                    text("facts", "{\"old\": 1.0}"),
                    text("history", "[\"h\\u00e9\", {\"id\": \"m1\"}]"),
                    text("last_decision", "{}"),
                ]);
                if *has_times {
                    fields.extend([text("created_at", "1700000000"), text("updated_at", "1700000600")]);
                }
                Call::ExternalReplace { id, fields }
            }
            Self::Newer => {
                let mut fields = stored?;
                fields.extend([text("version", "2"), text("mood", "good")]);
                Call::ExternalReplace { id, fields }
            }
            Self::MissingField(index) => {
                let mut fields = stored?;
                let name = fields.keys().nth(*index)?.clone();
                fields.remove(&name);
                (!fields.is_empty()).then_some(Call::ExternalReplace { id, fields })?
            }
            Self::SeventhField => {
                Call::ExternalPut { fields: stored.map(|_| Fields::from([text("mood", "good")]))?, id }
            }
            Self::Text(name, bad) => Call::ExternalPut { fields: stored.map(|_| Fields::from([text(name, bad)]))?, id },
            Self::Delete => Call::ExternalDelete { id },
        })
    }
}
