//! What changes do to a ticket of the model.

use ticket_host::{Bounds, Change};

use super::json::{self, Node};
use super::record::{self, Fields};
use super::{Answer, Model};
use crate::ErrorKind;

impl Model {
    pub(super) fn valid_changes(&self, changes: &[Change]) -> Result<(), Answer> {
        for change in changes {
            let (text, bytes_max) = match change {
                Change::Say(text) => (text, self.limits.message_bytes_max),
                Change::Learn(text) | Change::Decide(text) => (text, self.limits.ticket_bytes_max),
                Change::Put(put) if !json::is_member_pointer(&put.pointer) => return Err(ErrorKind::Invalid.into()),
                Change::Put(put) => (&put.value, self.limits.ticket_bytes_max),
                Change::Trim(Bounds { entries_max: None, bytes_max: None }) => return Err(ErrorKind::Invalid.into()),
                Change::Retract(_) | Change::Trim(_) => continue,
            };
            if text.len() > bytes_max {
                return Err(ErrorKind::TooLarge.into());
            }
            let parsed = json::parse(text).filter(|parsed| !parsed.is_odd).ok_or(ErrorKind::Invalid)?;
            match (change, parsed.node) {
                (Change::Say(_), Node::String(_) | Node::Object(_)) | (Change::Learn(_), Node::Object(_)) => {}
                (Change::Say(_) | Change::Learn(_), _) => return Err(ErrorKind::Invalid.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The ticket after changes.
    pub(super) fn changed(&self, ticket: &Fields, changes: &[Change]) -> Result<Fields, Answer> {
        let mut next = ticket.clone();
        let mut anything = false;
        for change in changes {
            let (name, text) = match change {
                Change::Say(message) => match said(&next["history"], &json::compact(message))? {
                    Some(history) => ("history", history),
                    None => continue,
                },
                Change::Learn(patch) => ("facts", json::patched(&next["facts"], patch).ok_or(ErrorKind::Corrupt)?),
                Change::Decide(decision) => ("last_decision", json::compact(decision)),
                Change::Put(put) => {
                    let value = json::compact(&put.value);
                    let put = json::put(&next["facts"], &put.pointer, &value, put.only_if_absent);
                    match put.ok_or(ErrorKind::Invalid)? {
                        Some(facts) => ("facts", facts),
                        None => continue,
                    }
                }
                Change::Retract(_) | Change::Trim(_) => match shortened(&next["history"], change)? {
                    Some(history) => ("history", history),
                    None => continue,
                },
            };
            next.insert(name.to_owned(), text);
            anything = true;
        }
        if anything {
            let before = record::decimal(&ticket["updated_at"]).ok_or(ErrorKind::Corrupt)?;
            next.insert("updated_at".to_owned(), before.max(self.now_s).to_string());
        }
        record::checked(&next, self.limits)?;
        Ok(next)
    }
}

/// The history with one more message; `None` if it has that message already.
fn said(history: &str, message: &str) -> Result<Option<String>, Answer> {
    let parsed = |text| json::parse(text).map(|parsed| parsed.node).ok_or(ErrorKind::Corrupt);
    let Node::Array { items, .. } = parsed(history)? else { return Err(ErrorKind::Corrupt.into()) };
    if let Some(id) = json::message_id(&parsed(message)?) {
        let known = items.iter().find(|item| json::message_id(item).as_ref() == Some(&id));
        match known {
            Some(known) if json::same(&known.text(), message) => return Ok(None),
            Some(_) => return Err(ErrorKind::Invalid.into()),
            None => {}
        }
    }
    let open = history.trim_end().strip_suffix(']').ok_or(ErrorKind::Corrupt)?;
    let comma = if items.is_empty() { "" } else { "," };
    Ok(Some(format!("{open}{comma}{message}]")))
}

/// The history without messages at its end or its beginning; `None` if all stay.
fn shortened(history: &str, change: &Change) -> Result<Option<String>, Answer> {
    let Some(Node::Array { items, .. }) = json::parse(history).map(|parsed| parsed.node) else {
        return Err(ErrorKind::Corrupt.into());
    };
    // Where each item begins and ends in the text.
    let mut places: Vec<(usize, usize)> = Vec::new();
    for item in &items {
        let from = places.last().map_or_else(|| history.find('[').unwrap_or_default() + 1, |(_, end)| *end);
        let begin = from + history[from..].find(|char: char| !" \t\r\n,".contains(char)).unwrap_or_default();
        places.push((begin, begin + item.text().len()));
    }
    let all = items.len();
    Ok(match change {
        Change::Retract(count) => match all.saturating_sub(*count as usize) {
            kept if kept == all => None,
            0 => Some("[]".to_owned()),
            kept => Some(format!("{}]", &history[..places[kept - 1].1])),
        },
        Change::Trim(Bounds { entries_max, bytes_max }) => {
            let is_in_bytes = |text: &str| bytes_max.is_none_or(|max| text.len() <= max as usize);
            let mut dropped = all.saturating_sub(entries_max.map_or(all, |max| max as usize));
            let left = |dropped: usize| match places.get(dropped) {
                None => "[]".to_owned(),
                Some(_) if dropped == 0 => history.to_owned(),
                Some((begin, _)) => format!("[{}", &history[*begin..]),
            };
            while dropped + 1 < all && !is_in_bytes(&left(dropped)) {
                dropped += 1;
            }
            (dropped > 0).then(|| left(dropped))
        }
        _ => None,
    })
}
