//! Snapshots: one ticket as one line of JSON that the caller keeps.
//!
//! `{"ticket_snapshot":1,"id":…,"fields":[six texts],"sha256":…}`. The texts are those of the stored form,
//! as JSON strings, so that they come back byte for byte. The digest shows damage, not authorship.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::record;
use crate::ticket_id::TicketId;
use ticket_model::json;
use ticket_model::port::Settings;
use ticket_model::ticket::State;

/// Number of the form above; another form gets another number.
const FORMAT: u32 = 1;
/// Room in a snapshot for what is not the six texts: names, id, digest.
const FRAME_BYTES_MAX: u64 = 1_024;
/// A byte of JSON takes at most this many in a JSON string: it has no control characters but white space.
const ESCAPED_BYTES_MAX: u64 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<T> {
    ticket_snapshot: u32,
    id: T,
    fields: [T; 6],
    sha256: String,
}

/// What every format begins with.
#[derive(Deserialize)]
struct Head {
    ticket_snapshot: u32,
}

/// The snapshot of a ticket.
pub(crate) fn write(id: &TicketId, state: &State) -> Result<String, Error> {
    let written = record::encode(state, |fields| {
        let (id, fields) = (id.as_str(), fields.map(|(_, text)| text));
        serde_json::to_string(&Form { ticket_snapshot: FORMAT, id, fields, sha256: digest(id, fields) })
    });
    written.map_err(|error| Error::Invalid(format!("snapshot cannot be written: {error}")))
}

/// The ticket of a snapshot: undamaged, of a schema this engine knows, within the limits.
pub(crate) fn read(snapshot: &str, settings: &Settings) -> Result<(TicketId, State), Error> {
    let bytes_max = u64::from(settings.ticket_bytes_max) * ESCAPED_BYTES_MAX + FRAME_BYTES_MAX;
    if snapshot.len() as u64 > bytes_max {
        return Err(Error::TooLarge(format!("snapshot has {} bytes, the limit is {bytes_max}", snapshot.len())));
    }
    let damaged = |error| Error::Invalid(format!("snapshot is cut or was edited: {error}"));
    let Head { ticket_snapshot: format } = json::from_object(snapshot).map_err(damaged)?;
    if format != FORMAT {
        return Err(Error::Invalid(format!("snapshot has format {format}, this engine reads {FORMAT}")));
    }
    let form: Form<String> = json::from_object(snapshot).map_err(damaged)?;
    if digest(&form.id, form.fields.each_ref().map(String::as_str)) != form.sha256 {
        return Err(Error::Invalid("snapshot was edited: its digest does not match its text".into()));
    }
    let id = TicketId::parse(form.id)?;
    let state = record::decode(&id, record::fields_of(form.fields), settings).map_err(|error| match error {
        Error::Corrupt(text) => Error::Invalid(format!("snapshot does not hold a ticket: {text}")),
        other => other,
    })?;
    Ok((id, state.into_state()))
}

/// SHA-256 over the texts, each after its length, so that nothing can move from one to the next.
fn digest(id: &str, fields: [&str; 6]) -> String {
    let mut hash = Sha256::new();
    for text in std::iter::once(id).chain(fields) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings =
        Settings { ttl_ms: 1_800_000, message_bytes_max: 64, ticket_bytes_max: 400, history_entries_max: 9 };

    fn state() -> State {
        State {
            facts: "{ \"\\ud800\": 123456789012345678901234567890 }".into(),
            history: "[\"h\\u00e9\", \"é\"]".into(),
            last_decision: "1.0".into(),
            created_at: 10,
            updated_at: 20,
        }
    }

    fn id() -> TicketId {
        TicketId::parse("t-1".into()).unwrap()
    }

    #[test]
    fn a_snapshot_brings_every_byte_back() {
        let text = write(&id(), &state()).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(read(&text, &SETTINGS).unwrap(), (id(), state()));
    }

    #[test]
    fn a_snapshot_that_was_cut_or_edited_anywhere_is_refused() {
        let text = write(&id(), &state()).unwrap();
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            assert!(matches!(read(&text[..end], &SETTINGS), Err(Error::Invalid(_))), "cut at {end}");
        }
        for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_graphic()) {
            let mut edited = text.clone().into_bytes();
            edited[at] = if byte == b'7' { b'8' } else { b'7' };
            let edited = String::from_utf8(edited).unwrap();
            assert!(matches!(read(&edited, &SETTINGS), Err(Error::Invalid(_))), "edited at {at}: {edited}");
        }
    }

    #[test]
    fn a_snapshot_past_the_limits_is_too_large() {
        let big = State { last_decision: format!("\"{}\"", "x".repeat(500)), ..state() };
        let text = write(&id(), &big).unwrap();
        assert!(matches!(read(&text, &SETTINGS), Err(Error::TooLarge(_))));
        assert!(matches!(read(&" ".repeat(10_000), &SETTINGS), Err(Error::TooLarge(_))));
    }

    #[test]
    fn a_snapshot_of_a_newer_schema_is_told_apart() {
        let fields = ["{}", "[]", "{}", "1", "2", "2"];
        let form = Form { ticket_snapshot: FORMAT, id: "t", fields, sha256: digest("t", fields) };
        let text = serde_json::to_string(&form).unwrap();
        assert!(matches!(read(&text, &SETTINGS), Err(Error::UnsupportedVersion(_))));
    }
}
