//! The stored form: six text fields, read strictly and written canonically.

use crate::error::Error;
use crate::migration;
use crate::state::Sound;
use crate::ticket_id::TicketId;
use ticket_model::field::{
    ALL, CREATED_AT, FACTS, HISTORY, LAST_DECISION, SCHEMA_VERSION, SCHEMA_VERSION_TEXT, UPDATED_AT, VERSION,
};
use ticket_model::id::excerpt;
use ticket_model::port::{Fields, Settings};
use ticket_model::ticket::State;

/// What every version-0 record has, and all that it must have.
const V0: [&str; 3] = [FACTS, HISTORY, LAST_DECISION];

/// Passes the fields of a state to `then`, borrowed because a history is long.
pub(crate) fn encode<T>(state: &State, then: impl FnOnce([(&str, &str); 6]) -> T) -> T {
    let (created_at, updated_at) = (state.created_at.to_string(), state.updated_at.to_string());
    then([
        (FACTS, &state.facts),
        (HISTORY, &state.history),
        (LAST_DECISION, &state.last_decision),
        (CREATED_AT, &created_at),
        (UPDATED_AT, &updated_at),
        (VERSION, SCHEMA_VERSION_TEXT),
    ])
}

/// The state that an entry holds, migrated to the present schema; or `Corrupt`, `TooLarge` or
/// `UnsupportedVersion`, naming the key and the field.
pub(crate) fn decode(id: &TicketId, fields: Fields, settings: &Settings) -> Result<Sound, Error> {
    read(fields).and_then(|state| Sound::of(state, settings)).map_err(|error| match error {
        Error::Corrupt(text) => Error::Corrupt(format!("key `{}`: {text}", id.key())),
        Error::TooLarge(text) => Error::TooLarge(format!("key `{}`: {text}", id.key())),
        Error::UnsupportedVersion(text) => Error::UnsupportedVersion(format!("key `{}`: {text}", id.key())),
        other => other,
    })
}

/// The creation time of an entry, even one that is damaged elsewhere.
pub(crate) fn created_at(fields: &Fields) -> Option<u64> {
    let (_, text) = fields.iter().find(|(name, _)| name == CREATED_AT)?;
    seconds(CREATED_AT, text).ok()
}

fn read(fields: Fields) -> Result<State, Error> {
    let version = fields.iter().find(|(name, _)| name == VERSION).map(|(_, text)| version(text)).transpose()?;
    if let Some(version) = version.filter(|&version| version > u64::from(SCHEMA_VERSION)) {
        return Err(Error::UnsupportedVersion(format!(
            "schema version {version} is newer than {SCHEMA_VERSION}, the newest this engine knows"
        )));
    }
    if let Some((name, _)) = fields.iter().find(|(name, _)| !ALL.contains(&name.as_str())) {
        return Err(Error::Corrupt(format!("field {} is not a field of a ticket", excerpt(name))));
    }
    let needed: &[&str] = if version.is_some() { &ALL } else { &V0 };
    if let Some(name) = needed.iter().find(|name| !fields.iter().any(|(field, _)| field == **name)) {
        return Err(Error::Corrupt(format!("field `{name}` is missing")));
    }
    assemble(if version.is_some() { fields } else { migration::from_v0(fields) })
}

/// A state of six fields that are known to be there.
fn assemble(mut fields: Fields) -> Result<State, Error> {
    let mut take = |name: &str| {
        let field = fields.iter_mut().find(|(field, _)| field == name);
        field.map(|(_, text)| std::mem::take(text)).unwrap_or_default()
    };
    Ok(State {
        facts: take(FACTS),
        history: take(HISTORY),
        last_decision: take(LAST_DECISION),
        created_at: seconds(CREATED_AT, &take(CREATED_AT))?,
        updated_at: seconds(UPDATED_AT, &take(UPDATED_AT))?,
    })
}

/// A version from 1 on, without sign or leading zero.
fn version(text: &str) -> Result<u64, Error> {
    match decimal(text) {
        Some(version) if version > 0 => Ok(version),
        _ => Err(Error::Corrupt(format!("field `{VERSION}` is {}, not a decimal number from 1 on", excerpt(text)))),
    }
}

fn seconds(field: &str, text: &str) -> Result<u64, Error> {
    decimal(text)
        .ok_or_else(|| Error::Corrupt(format!("field `{field}` is {}, not decimal Unix seconds", excerpt(text))))
}

/// A canonical decimal: digits only, no leading zero, 64 bits.
fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

/// The six fields under their names, for forms that hold them all.
pub(crate) fn fields_of(texts: [String; 6]) -> Fields {
    ALL.iter().map(|name| (*name).to_owned()).zip(texts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings =
        Settings { ttl_ms: 1_800_000, message_bytes_max: 64, ticket_bytes_max: 400, history_entries_max: 3 };

    fn id() -> TicketId {
        TicketId::parse("t".into()).unwrap()
    }

    fn good() -> Fields {
        fields_of(["{ \"a\": 1.0 }", "[ ]", "null", "10", "20", "1"].map(String::from))
    }

    fn with(name: &str, text: &str) -> Fields {
        let mut fields: Fields = good().into_iter().filter(|(field, _)| field != name).collect();
        fields.push((name.into(), text.into()));
        fields
    }

    fn without(names: &[&str]) -> Fields {
        good().into_iter().filter(|(field, _)| !names.contains(&field.as_str())).collect()
    }

    #[test]
    fn a_record_goes_in_and_out_byte_for_byte() {
        let state = decode(&id(), good(), &SETTINGS).unwrap();
        let fields = encode(state.state(), |fields| fields.map(|(name, text)| (name.to_owned(), text.to_owned())));
        assert_eq!(fields.as_slice(), good());
    }

    #[test]
    fn damage_names_the_key_and_the_field() {
        for (name, text) in [
            ("facts", "[]"),
            ("facts", "{"),
            ("facts", ""),
            ("facts", "{\"a\":NaN}"),
            ("history", "{}"),
            ("history", "[1"),
            ("last_decision", ""),
            ("last_decision", "Infinity"),
            ("created_at", "x"),
            ("created_at", ""),
            ("created_at", "-1"),
            ("created_at", "01"),
            ("updated_at", "1.5"),
            ("updated_at", "18446744073709551616"),
            ("version", "01"),
            ("version", "-1"),
            ("version", ""),
            ("version", "0"),
            ("version", "1 "),
            ("version", "one"),
            ("seventh", "1"),
        ] {
            match decode(&id(), with(name, text), &SETTINGS) {
                Err(Error::Corrupt(error)) => {
                    assert!(error.starts_with("key `ticket:t`: field `") && error.contains(name), "{error}");
                }
                other => panic!("{name}={text:?} gave {other:?}"),
            }
        }
        for name in ["facts", "history", "last_decision", "created_at", "updated_at"] {
            assert!(matches!(decode(&id(), without(&[name]), &SETTINGS), Err(Error::Corrupt(_))), "{name}");
        }
        assert!(matches!(decode(&id(), without(&["version", "facts"]), &SETTINGS), Err(Error::Corrupt(_))));
    }

    #[test]
    fn a_newer_version_is_refused_whatever_else_it_has() {
        for version in ["2", "99999999999"] {
            let mut fields = with("version", version);
            fields.push(("new_field".into(), "x".into()));
            fields.retain(|(name, _)| name != "facts");
            assert!(matches!(decode(&id(), fields, &SETTINGS), Err(Error::UnsupportedVersion(_))), "{version}");
        }
    }

    #[test]
    fn a_record_without_version_is_version_0() {
        let state = decode(&id(), without(&["version"]), &SETTINGS).unwrap().into_state();
        assert_eq!((state.created_at, state.updated_at), (10, 20));
        let state = decode(&id(), without(&["version", "created_at", "updated_at"]), &SETTINGS).unwrap().into_state();
        assert_eq!((state.created_at, state.updated_at), (0, 0));
        assert_eq!(state.facts, "{ \"a\": 1.0 }");
    }

    #[test]
    fn a_record_past_a_limit_is_too_large() {
        let big = format!("\"{}\"", "x".repeat(400));
        assert!(matches!(decode(&id(), with("last_decision", &big), &SETTINGS), Err(Error::TooLarge(_))));
        assert!(matches!(decode(&id(), with("history", "[1,2,3,4]"), &SETTINGS), Err(Error::TooLarge(_))));
    }
}
