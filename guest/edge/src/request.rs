//! What a request says, read strictly: unknown parts are refused, never skipped.

use percent_encoding::percent_decode_str;

use crate::port::Error;

pub(crate) mod body;
pub(crate) mod query;

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
}
