//! Queries: which names a path takes, each once at most, and their values.

use percent_encoding::percent_decode_str;
use ticket_model::id::excerpt;

use crate::port::Error;

/// Which page of which listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// What ids begin with.
    pub(crate) prefix: String,
    /// None for the first page.
    pub(crate) cursor: Option<String>,
    /// Whether the tickets are read.
    pub(crate) summaries: bool,
}

/// How many messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) entries_max: u32,
    pub(crate) bytes_max: Option<u32>,
}

/// Refuses a query on a path that takes none.
pub(crate) fn none(query: Option<&str>) -> Result<(), Error> {
    values(query, []).map(|[]| ())
}

/// The query of a listing.
pub(crate) fn listing(query: Option<&str>) -> Result<Listing, Error> {
    let [prefix, cursor, summaries] = values(query, ["prefix", "cursor", "summaries"])?;
    let summaries = match summaries.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Error::Invalid(format!(
                "`summaries` in the query is {}, not `true` or `false`",
                excerpt(other)
            )));
        }
    };
    Ok(Listing { prefix: prefix.unwrap_or_default(), cursor: cursor.filter(|cursor| !cursor.is_empty()), summaries })
}

/// The query of the newest messages.
pub(crate) fn newest(query: Option<&str>) -> Result<Newest, Error> {
    let [entries_max, bytes_max] = values(query, ["entries_max", "bytes_max"])?;
    let Some(entries_max) = number("entries_max", entries_max)? else {
        return Err(Error::Invalid("query has no `entries_max`, the most messages to answer".into()));
    };
    Ok(Newest { entries_max, bytes_max: number("bytes_max", bytes_max)? })
}

/// The JSON pointer of a query; the empty one, which names all facts, where there is none.
pub(crate) fn pointer(query: Option<&str>) -> Result<String, Error> {
    let [pointer] = values(query, ["pointer"])?;
    Ok(pointer.unwrap_or_default())
}

fn number(name: &str, value: Option<String>) -> Result<Option<u32>, Error> {
    let Some(value) = value else { return Ok(None) };
    // `parse` alone takes a plus sign too.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(number) if digits => Ok(Some(number)),
        _ => Err(Error::Invalid(format!(
            "`{name}` in the query is {}, not a whole number from 0 to {}",
            excerpt(&value),
            u32::MAX
        ))),
    }
}

/// The decoded values of these names.
fn values<const N: usize>(query: Option<&str>, names: [&str; N]) -> Result<[Option<String>; N], Error> {
    let query = query.unwrap_or_default();
    // Decoding a form replaces what is not UTF-8, and the value would be another one.
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(Error::Invalid("query is not UTF-8 text".into()));
    }
    let mut values = [const { None }; N];
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(place) = names.iter().position(|known| *known == name) else {
            let known = names.map(|known| format!("`{known}`")).join(", ");
            let known = if known.is_empty() { "no query" } else { &known };
            return Err(Error::Invalid(format!("query has {}: this path takes {known}", excerpt(&name))));
        };
        if values[place].replace(value.into_owned()).is_some() {
            return Err(Error::Invalid(format!("query has `{name}` twice")));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why<T: std::fmt::Debug>(read: Result<T, Error>) -> String {
        match read {
            Err(Error::Invalid(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_listing_has_a_prefix_a_cursor_and_a_kind() {
        for (query, prefix, cursor, summaries) in [
            (None, "", None, false),
            (Some(""), "", None, false),
            (Some("cursor=&prefix="), "", None, false),
            (Some("cursor=ticket%3Aa"), "", Some("ticket:a"), false),
            (Some("prefix=order-&cursor=c+d"), "order-", Some("c d"), false),
            (Some("summaries=true&prefix=a"), "a", None, true),
            (Some("summaries=false"), "", None, false),
        ] {
            let wanted = Listing { prefix: prefix.into(), cursor: cursor.map(str::to_owned), summaries };
            assert_eq!(listing(query).unwrap(), wanted, "{query:?}");
        }
        for query in ["summaries=", "summaries=1", "summaries=True", "summaries"] {
            assert!(why(listing(Some(query))).starts_with("`summaries` in the query is "), "{query}");
        }
    }

    #[test]
    fn numbers_are_digits_in_range() {
        let wanted = |entries_max, bytes_max| Newest { entries_max, bytes_max };
        assert_eq!(newest(Some("entries_max=0")).unwrap(), wanted(0, None));
        assert_eq!(newest(Some("bytes_max=7&entries_max=4294967295")).unwrap(), wanted(u32::MAX, Some(7)));
        for query in [None, Some(""), Some("bytes_max=7")] {
            assert!(why(newest(query)).contains("no `entries_max`"), "{query:?}");
        }
        for value in ["", "x", "-1", "+1", "%2B1", "1.0", "1e3", "%201", "4294967296", "%D9%A1"] {
            let text = why(newest(Some(&format!("entries_max={value}"))));
            assert!(text.starts_with("`entries_max` in the query is `"), "{value}: {text}");
            let text = why(newest(Some(&format!("entries_max=1&bytes_max={value}"))));
            assert!(text.starts_with("`bytes_max` in the query is `"), "{value}: {text}");
        }
    }

    #[test]
    fn a_pointer_is_decoded_and_may_be_left_out() {
        for (query, wanted) in [
            (None, ""),
            (Some("pointer="), ""),
            (Some("pointer=/a/b"), "/a/b"),
            (Some("pointer=%2Fa~1b%2F%C3%A9+%2B"), "/a~1b/é +"),
        ] {
            assert_eq!(pointer(query).unwrap(), wanted, "{query:?}");
        }
        assert_eq!(why(pointer(Some("pointer=%FF"))), "query is not UTF-8 text");
    }

    #[test]
    fn other_names_and_repeated_names_are_refused() {
        assert_eq!(why(listing(Some("limit=1"))), "query has `limit`: this path takes `prefix`, `cursor`, `summaries`");
        assert_eq!(why(listing(Some("cursor=a&cursor=b"))), "query has `cursor` twice");
        assert_eq!(why(listing(Some("%1b=1"))), "query has `\\u{1b}`: this path takes `prefix`, `cursor`, `summaries`");
        assert!(why(newest(Some("entries_max=1&pointer="))).starts_with("query has `pointer`"));
        assert_eq!(why(newest(Some("entries_max=1&entries_max=1"))), "query has `entries_max` twice");
        assert!(why(pointer(Some("pointer=&x"))).starts_with("query has `x`"));
        assert_eq!(why(none(Some("a=1"))), "query has `a`: this path takes no query");
        assert!(none(None).is_ok() && none(Some("")).is_ok());
    }
}
