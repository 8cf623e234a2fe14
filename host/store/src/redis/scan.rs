//! Lists keys by `SCAN`.

use redis::{Cmd, Value};

use super::reply;
use crate::entry::Page;
use crate::error::Error;
use crate::key::KeyNames;
use crate::limits::check_limit;

/// What lists keys whose stored names match the pattern.
pub(super) fn command(pattern: &str, cursor: Option<&str>, limit: u32) -> Result<Cmd, Error> {
    const DIGITS_MAX: usize = 20;
    let limit = check_limit(limit)?;
    let cursor = match cursor {
        None => 0,
        Some(text) => match text.parse::<u64>() {
            Ok(number) if text.len() <= DIGITS_MAX && !text.starts_with('+') => number,
            Ok(_) | Err(_) => return Err(Error::invalid_cursor(text)),
        },
    };
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(limit);
    Ok(command)
}

/// The page in a reply, without the names of other keys; none if no server gives this reply.
pub(super) fn page(value: Value, names: &KeyNames) -> Option<Page> {
    let Value::Array(parts) = value else { return None };
    let [cursor, Value::Array(stored)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    let cursor = reply::number(Some(cursor)).ok()?;
    let keys = stored.into_iter().filter_map(|name| names.key(&reply::text(Some(name)).ok()?)).collect();
    Some(Page { keys, cursor: (cursor != 0).then(|| cursor.to_string()) })
}
