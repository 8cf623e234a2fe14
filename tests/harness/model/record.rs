//! The stored form for the model: records and snapshots.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Limits;
use super::json::{self, Node};
use crate::ErrorKind;

/// The fields of a record.
pub type Fields = BTreeMap<String, String>;

/// The fields of a ticket in the order of a snapshot.
const NAMES: [&str; 6] = ["facts", "history", "last_decision", "created_at", "updated_at", "version"];

/// The six texts of a ticket by name; `version` is `1`.
pub(super) fn decoded(fields: &Fields, limits: Limits) -> Result<Fields, ErrorKind> {
    let newest = fields.get("version").map(|text| decimal(text).filter(|&number| number > 0).ok_or(ErrorKind::Corrupt));
    let version = newest.transpose()?;
    if version.is_some_and(|version| version > 1) {
        return Err(ErrorKind::UnsupportedVersion);
    }
    let mut ticket = fields.clone();
    if version.is_none() {
        let (created, updated) = (fields.get("created_at"), fields.get("updated_at"));
        let either = created.or(updated).map_or("0", String::as_str);
        ticket.insert("created_at".into(), created.map_or(either, String::as_str).into());
        ticket.insert("updated_at".into(), updated.map_or(either, String::as_str).into());
        ticket.insert("version".into(), "1".into());
    }
    let has_all = NAMES.iter().all(|name| ticket.contains_key(*name));
    let has_times =
        ["created_at", "updated_at"].iter().all(|name| ticket.get(*name).is_some_and(|text| decimal(text).is_some()));
    if !has_all || ticket.len() != NAMES.len() || !has_times {
        return Err(ErrorKind::Corrupt);
    }
    checked(&ticket, limits)?;
    Ok(ticket)
}

/// Checks size, kinds of JSON and length of the history.
pub(super) fn checked(ticket: &Fields, limits: Limits) -> Result<(), ErrorKind> {
    if ticket.values().map(String::len).sum::<usize>() > limits.ticket_bytes_max {
        return Err(ErrorKind::TooLarge);
    }
    let node = |name: &str| json::parse(&ticket[name]).map(|parsed| parsed.node).ok_or(ErrorKind::Corrupt);
    let (facts, history, _) = (node("facts")?, node("history")?, node("last_decision")?);
    match (facts, history) {
        (Node::Object(_), Node::Array { items, .. }) if items.len() <= limits.history_entries_max => Ok(()),
        (Node::Object(_), Node::Array { .. }) => Err(ErrorKind::TooLarge),
        _ => Err(ErrorKind::Corrupt),
    }
}

/// A stored decimal number: digits without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The snapshot of a ticket.
pub(super) fn snapshot(id: &str, ticket: &Fields) -> String {
    let texts = NAMES.map(|name| ticket[name].as_str());
    let mut digest = Sha256::new();
    for text in [&[id], &texts[..]].concat() {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let texts = texts.map(quoted).join(",");
    format!("{{\"ticket_snapshot\":1,\"id\":{},\"fields\":[{texts}],\"sha256\":\"{digest}\"}}", quoted(id))
}

/// Id and texts of an undamaged snapshot.
pub(super) fn of_snapshot(text: &str) -> Option<(String, Fields)> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let id = value.get("id")?.as_str()?.to_owned();
    let texts = value.get("fields")?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
    let ticket: Fields = NAMES.iter().map(ToString::to_string).zip(texts.collect::<Option<Vec<_>>>()?).collect();
    (ticket.len() == NAMES.len() && snapshot(&id, &ticket) == text).then_some((id, ticket))
}
