//! Reads of an entry by plain commands: its texts do not go through Lua, where each byte costs.

use redis::{Pipeline, Value};

use super::reply::{self, NoAnswer};
use crate::entry::Entry;
use crate::limits::ENTRY_BYTES_MAX;

/// What reads the entry with this stored name. The deadline is asked for twice, because commands of others may come in
/// between.
pub(super) fn commands(name: &str) -> Pipeline {
    let mut commands = Pipeline::with_capacity(3);
    commands.cmd("PEXPIRETIME").arg(name).cmd("HGETALL").arg(name).cmd("PEXPIRETIME").arg(name);
    commands
}

/// The replies to `PEXPIRETIME`, `HGETALL` and `PEXPIRETIME` again; none if they are not those of one state, or not of an
/// entry: the script tells what there is.
pub(super) fn entry(replies: Vec<Value>, name: &str) -> Result<Option<Option<Entry>>, NoAnswer> {
    let Ok([Value::Int(deadline), Value::Array(values), Value::Int(deadline_after)]) = <[Value; 3]>::try_from(replies)
    else {
        return Ok(None);
    };
    // Every write of a host moves the deadline.
    if deadline != deadline_after {
        return Ok(None);
    }
    match (deadline, values.is_empty()) {
        (-2, true) => Ok(Some(None)),
        (-2, false) | (_, true) => Ok(None),
        (_, false) => {
            let bytes: usize =
                values.iter().map(|value| if let Value::BulkString(text) = value { text.len() } else { 0 }).sum();
            if bytes > ENTRY_BYTES_MAX {
                return Ok(None);
            }
            // -1: without a deadline.
            let expires_at_ms = u64::try_from(deadline).unwrap_or_default();
            reply::fields(values, name).map(|fields| Some(Some(Entry::new(fields, expires_at_ms))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn plain_replies_are_an_entry_if_they_are_of_one_state() {
        let hash = || Value::Array(vec![bulk(b"facts"), bulk(b"{}")]);
        let read = |deadline, values, after| {
            let replies = vec![Value::Int(deadline), values, Value::Int(after)];
            entry(replies, "ticket:a").expect("replies").map(|found| found.map(|entry| entry.revision.to_string()))
        };
        assert_eq!(read(1_900, hash(), 1_900), Some(Some("1900...2.0.0".to_owned())));
        assert_eq!(read(-1, hash(), -1), Some(Some("0...2.0.0".to_owned())));
        assert_eq!(read(-2, Value::Array(Vec::new()), -2), Some(None));
        for (deadline, values, after) in [
            (1_900, hash(), 1_901),
            (1_900, Value::Array(Vec::new()), -2),
            (-2, hash(), 1_900),
            (-1, Value::Array(Vec::new()), -1),
            (1_900, Value::Nil, 1_900),
        ] {
            assert_eq!(read(deadline, values, after), None, "{deadline} {after}");
        }
        let large = Value::Array(vec![bulk(b"facts"), bulk(&vec![b'x'; ENTRY_BYTES_MAX])]);
        assert_eq!(read(1_900, large, 1_900), None);
        assert!(entry(vec![Value::Int(1), Value::Array(vec![bulk(b"a"), bulk(b"\xff")]), Value::Int(1)], "k").is_err());
    }
}
