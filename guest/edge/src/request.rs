//! What a request says, read strictly: unknown parts are refused, never skipped.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;
use ticket_model::json;

use crate::port::{Change, Error};

/// Most bytes of a body: a snapshot of the largest ticket, all of it in need of escapes, with room.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request, its body yet to be read.
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Path and query as they were sent.
    pub path_with_query: &'a str,
    /// The values of all its `If-Match` headers.
    pub if_match: Vec<Vec<u8>>,
    /// Reads the body, and refuses one of more than [`BODY_BYTES_MAX`] bytes. Called once at most.
    pub body: &'a mut dyn FnMut() -> Result<Vec<u8>, Error>,
}

impl Request<'_> {
    /// The segments of the path, decoded, and the query.
    pub(crate) fn target(&self) -> (Vec<String>, Option<&str>) {
        let (path, query) = match self.path_with_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.path_with_query, None),
        };
        let segments = path.strip_prefix('/').unwrap_or(path).split('/');
        (segments.map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect(), query)
    }

    /// The revision that the ticket must have; `None` for any.
    pub(crate) fn at(&self) -> Result<Option<String>, Error> {
        let value = match &self.if_match[..] {
            [] => return Ok(None),
            [only] => std::str::from_utf8(only).unwrap_or_default().trim(),
            _ => "",
        };
        if value == "*" {
            return Ok(None);
        }
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match quoted.filter(|revision| !revision.contains('"')) {
            Some(revision) => Ok(Some(revision.to_owned())),
            None => Err(Error::Invalid("header If-Match is not one revision in quotes".into())),
        }
    }

    /// Refuses a condition on an operation that takes none.
    pub(crate) fn unconditional(&self) -> Result<(), Error> {
        match self.at()? {
            Some(_) => {
                Err(Error::Invalid("header If-Match is not accepted here, only by apply, rollback and DELETE".into()))
            }
            None => Ok(()),
        }
    }

    /// The body as text.
    pub(crate) fn text(&mut self) -> Result<String, Error> {
        let bytes = (self.body)()?;
        String::from_utf8(bytes)
            .map_err(|error| Error::Invalid(format!("body is not UTF-8 text: {}", error.utf8_error())))
    }
}

/// Refuses a query on a path that takes none.
pub(crate) fn no_query(query: Option<&str>) -> Result<(), Error> {
    match query.unwrap_or_default() {
        "" => Ok(()),
        _ => Err(Error::Invalid("this path takes no query".into())),
    }
}

/// The cursor of a query; none for the first page.
pub(crate) fn cursor(query: Option<&str>) -> Result<Option<String>, Error> {
    let mut cursor = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name != "cursor" {
            return Err(Error::Invalid(format!("query has `{}`, not `cursor` alone", beginning(&name))));
        }
        if cursor.replace(value.into_owned()).is_some() {
            return Err(Error::Invalid("query has `cursor` twice".into()));
        }
    }
    Ok(cursor.filter(|cursor| !cursor.is_empty()))
}

/// The id, where one is given, and the changes of a new ticket; nothing at all is a ticket as well.
pub(crate) fn creation(body: &str) -> Result<(Option<String>, Vec<Change>), Error> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Creation<'a> {
        id: Option<String>,
        #[serde(borrow)]
        changes: Vec<Sent<'a>>,
    }
    if body.trim_ascii().is_empty() {
        return Ok((None, Vec::new()));
    }
    let creation: Creation = json::from_object(body).map_err(invalid_body)?;
    Ok((creation.id, all(creation.changes)))
}

/// The changes of an interaction.
pub(crate) fn interaction(body: &str) -> Result<Vec<Change>, Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Interaction<'a> {
        #[serde(borrow)]
        changes: Vec<Sent<'a>>,
    }
    let interaction: Interaction = json::from_object(body).map_err(invalid_body)?;
    Ok(all(interaction.changes))
}

/// A change as it was sent.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sent<'a> {
    #[serde(borrow)]
    Say(&'a RawValue),
    #[serde(borrow)]
    Learn(&'a RawValue),
    #[serde(borrow)]
    Decide(&'a RawValue),
}

fn all(sent: Vec<Sent<'_>>) -> Vec<Change> {
    let change = |sent| match sent {
        Sent::Say(json) => Change::Say(json.get().to_owned()),
        Sent::Learn(json) => Change::Learn(json.get().to_owned()),
        Sent::Decide(json) => Change::Decide(json.get().to_owned()),
    };
    sent.into_iter().map(change).collect()
}

fn invalid_body(error: serde_json::Error) -> Error {
    Error::Invalid(format!("invalid body: {}", beginning(&error.to_string())))
}

/// The beginning of an untrusted text without control characters.
fn beginning(text: &str) -> String {
    const CHARS_SHOWN: usize = 160;
    text.chars().take(CHARS_SHOWN).map(|char| if char.is_control() { '?' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path_with_query: &str, if_match: &[&str], run: impl FnOnce(Request<'_>)) {
        let if_match = if_match.iter().map(|value| value.as_bytes().to_vec()).collect();
        run(Request { method: "GET", path_with_query, if_match, body: &mut || Ok(Vec::new()) });
    }

    #[test]
    fn a_path_is_cut_before_it_is_decoded() {
        request("/tickets/a%2Fb/x?y=/z", &[], |request| {
            assert_eq!(request.target(), (vec!["tickets".into(), "a/b".into(), "x".into()], Some("y=/z")));
        });
        request("", &[], |request| assert_eq!(request.target(), (vec![String::new()], None)));
    }

    #[test]
    fn a_condition_is_one_revision_in_quotes() {
        for (headers, wanted) in [(&[][..], None), (&["*"], None), (&["\"1.2\""], Some("1.2")), (&[" \"\" "], Some(""))]
        {
            request("/", headers, |request| assert_eq!(request.at().unwrap().as_deref(), wanted, "{headers:?}"));
        }
        for headers in [&["1.2"][..], &["W/\"1.2\""], &["\"1\", \"2\""], &["\"1\"", "\"1\""], &["\""], &[""]] {
            request("/", headers, |request| assert!(request.at().is_err(), "{headers:?}"));
        }
    }

    #[test]
    fn json_of_changes_is_kept_as_it_was_sent() {
        let body = r#" {"changes": [{"say":  {"a" : 1.0, "a": 123456789012345678901234567890} } , {"decide":"é"}]} "#;
        let changes = interaction(body).unwrap();
        let kept = r#"{"a" : 1.0, "a": 123456789012345678901234567890}"#;
        assert_eq!(changes, [Change::Say(kept.into()), Change::Decide(r#""é""#.into())]);
        let (id, changes) = creation(r#"{"id":"a","changes":[{"learn":{}}]}"#).unwrap();
        assert_eq!((id.as_deref(), changes), (Some("a"), vec![Change::Learn("{}".into())]));
        assert!(creation(r#"["a",[]]"#).is_err());
        for nothing in ["", " \n", "{}", r#"{"id":null,"changes":[]}"#] {
            assert_eq!(creation(nothing).unwrap(), (None, Vec::new()), "{nothing:?}");
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        let deep = format!("{{\"changes\":[{{\"say\":{}", "[".repeat(1_000_000));
        for body in [
            "",
            "[]",
            "[[]]",
            "{}",
            r#"{"changes":{}}"#,
            r#"{"changes":[{}]}"#,
            r#"{"changes":["say"]}"#,
            r#"{"changes":[{"say":1,"learn":{}}]}"#,
            r#"{"changes":[{"Say":1}]}"#,
            r#"{"changes":[],"changes":[]}"#,
            r#"{"changes":[],"at":"1"}"#,
            r#"{"changes":[]} x"#,
            &deep,
        ] {
            assert!(matches!(interaction(body), Err(Error::Invalid(_))), "{}", beginning(body));
        }
        assert!(creation(r#"{"id":1}"#).is_err() && creation(r#"{"ids":"a"}"#).is_err());
    }

    #[test]
    fn a_query_is_a_cursor_or_nothing() {
        for (query, wanted) in
            [(None, None), (Some(""), None), (Some("cursor="), None), (Some("cursor=ticket%3Aa"), Some("ticket:a"))]
        {
            assert_eq!(cursor(query).unwrap().as_deref(), wanted, "{query:?}");
        }
        for query in ["cursor=a&cursor=b", "limit=1", "cursor=a&x", "\u{1b}=1"] {
            assert!(cursor(Some(query)).is_err(), "{query}");
        }
        assert!(no_query(None).is_ok() && no_query(Some("a=1")).is_err());
    }
}
