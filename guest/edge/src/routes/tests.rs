//! Requests over an engine that records its calls and answers as configured.

use std::cell::RefCell;

use crate::port::{Change, Error, IdPage, Ticket, Tickets};
use crate::request::Request;
use crate::response::Response;
use crate::routes::answer;

/// What it was asked, and what it answers; a ticket unless told otherwise.
#[derive(Default)]
struct Fake {
    asked: RefCell<Vec<String>>,
    error: Option<Error>,
}

impl Fake {
    fn note<T>(&self, asked: String, answer: T) -> Result<T, Error> {
        self.asked.borrow_mut().push(asked);
        self.error.clone().map_or(Ok(answer), Err)
    }
}

impl Tickets for Fake {
    fn create(&self, id: Option<&str>, changes: Vec<Change>) -> Result<Ticket, Error> {
        self.note(format!("create {id:?} {changes:?}"), ticket())
    }

    fn get(&self, id: &str) -> Result<Ticket, Error> {
        self.note(format!("get {id}"), ticket())
    }

    fn apply(&self, id: &str, changes: Vec<Change>, at: Option<&str>) -> Result<Ticket, Error> {
        self.note(format!("apply {id} {changes:?} {at:?}"), ticket())
    }

    fn touch(&self, id: &str) -> Result<Ticket, Error> {
        self.note(format!("touch {id}"), ticket())
    }

    fn snapshot(&self, id: &str) -> Result<String, Error> {
        self.note(format!("snapshot {id}"), "snapshot text".into())
    }

    fn rollback(&self, id: &str, snapshot: &str, at: Option<&str>) -> Result<Ticket, Error> {
        self.note(format!("rollback {id} {snapshot} {at:?}"), ticket())
    }

    fn restore(&self, snapshot: &str) -> Result<Ticket, Error> {
        self.note(format!("restore {snapshot}"), ticket())
    }

    fn close(&self, id: &str, at: Option<&str>) -> Result<(), Error> {
        self.note(format!("close {id} {at:?}"), ())
    }

    fn list_ids(&self, cursor: Option<&str>) -> Result<IdPage, Error> {
        self.note(format!("list {cursor:?}"), IdPage { ids: vec!["a".into()], cursor: Some("ticket:a".into()) })
    }
}

fn ticket() -> Ticket {
    Ticket {
        id: "a".into(),
        facts: "{ \"n\": 1.0}".into(),
        history: "[\"\\ud800\", 1e400]".into(),
        last_decision: "null".into(),
        created_at: 1,
        updated_at: 2,
        version: 1,
        revision: "r.1".into(),
        expires_at_ms: 3,
    }
}

const TICKET: &str = r#"{"id":"a","facts":{ "n": 1.0},"history":["\ud800", 1e400],"last_decision":null,"created_at":1,"updated_at":2,"version":1,"revision":"r.1","expires_at_ms":3}"#;

fn ask(fake: &Fake, method: &str, path_with_query: &str, if_match: &[&str], body: &str) -> Response {
    let if_match = if_match.iter().map(|value| value.as_bytes().to_vec()).collect();
    answer(fake, Request { method, path_with_query, if_match, body: &mut || Ok(body.into()) })
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

#[test]
fn every_route_is_one_operation() {
    let changes = r#"{"changes":[{"say":"x"}]}"#;
    for (method, path, body, asked, status) in [
        ("POST", "/tickets", "", "create None []", 201),
        ("POST", "/tickets", r#"{"id":"a"}"#, "create Some(\"a\") []", 201),
        ("GET", "/tickets", "", "list None", 200),
        ("GET", "/tickets?cursor=ticket:a", "", "list Some(\"ticket:a\")", 200),
        ("GET", "/tickets/a", "", "get a", 200),
        ("GET", "/tickets/a%20b?", "", "get a b", 200),
        ("DELETE", "/tickets/a", "", "close a None", 204),
        ("POST", "/tickets/a/apply", changes, "apply a [Say(\"\\\"x\\\"\")] None", 200),
        ("POST", "/tickets/a/touch", "not looked at", "touch a", 200),
        ("GET", "/tickets/a/snapshot", "", "snapshot a", 200),
        ("POST", "/tickets/a/rollback", "S", "rollback a S None", 200),
        ("POST", "/restore", "S", "restore S", 201),
        ("GET", "/tickets/restore", "", "get restore", 200),
        ("DELETE", "/tickets/restore", "", "close restore None", 204),
    ] {
        let fake = Fake::default();
        let response = ask(&fake, method, path, &[], body);
        assert_eq!(*fake.asked.borrow(), [asked], "{method} {path}: {response:?}");
        assert_eq!(response.status, status, "{method} {path}");
        let body = match asked.split(' ').next() {
            Some("close") => "",
            Some("snapshot") => "snapshot text",
            Some("list") => "{\"ids\":[\"a\"],\"cursor\":\"ticket:a\"}\n",
            _ => &format!("{TICKET}\n"),
        };
        assert_eq!(response.body, body, "{method} {path}");
        assert_eq!(header(&response, "etag").is_some(), body.starts_with(TICKET), "{method} {path}");
        assert_eq!(header(&response, "location"), (status == 201).then_some("/tickets/a"), "{method} {path}");
    }
}

#[test]
fn if_match_is_passed_on_where_accepted_and_refused_elsewhere() {
    for (method, path, body, asked) in [
        ("DELETE", "/tickets/a", "", "close a Some(\"r.1\")"),
        ("DELETE", "/tickets/restore", "", "close restore Some(\"r.1\")"),
        ("POST", "/tickets/a/apply", "{\"changes\":[]}", "apply a [] Some(\"r.1\")"),
        ("POST", "/tickets/a/rollback", "S", "rollback a S Some(\"r.1\")"),
    ] {
        let fake = Fake::default();
        ask(&fake, method, path, &["\"r.1\""], body);
        assert_eq!(*fake.asked.borrow(), [asked]);
        assert_eq!(ask(&fake, method, path, &["r.1"], body).status, 400);
    }
    for (method, path) in [
        ("POST", "/tickets"),
        ("GET", "/tickets"),
        ("GET", "/tickets/a"),
        ("POST", "/tickets/a/touch"),
        ("GET", "/tickets/a/snapshot"),
        ("POST", "/restore"),
    ] {
        let fake = Fake::default();
        assert_eq!(ask(&fake, method, path, &["\"r.1\""], "").status, 400, "{method} {path}");
        assert_eq!(fake.asked.borrow().len(), 0, "{method} {path}");
    }
}

#[test]
fn unknown_paths_and_methods_do_not_reach_the_engine() {
    let fake = Fake::default();
    for path in ["", "/", "/ticket", "/tickets/", "/tickets/a/", "/tickets/a/close", "/tickets/a/apply/b", "/a/tickets"]
    {
        let response = ask(&fake, "GET", path, &[], "");
        assert!(response.status == 404 && response.body.starts_with("{\"error\":\"no-route\",\"message"), "{path}");
    }
    for (path, allowed) in [
        ("/tickets", "GET, POST"),
        ("/restore", "POST"),
        ("/tickets/restore", "DELETE, GET"),
        ("/tickets/a", "DELETE, GET"),
        ("/tickets/a/apply", "POST"),
        ("/tickets/a/touch", "POST"),
        ("/tickets/a/rollback", "POST"),
        ("/tickets/a/snapshot", "GET"),
    ] {
        for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "", ", ", "get"] {
            if allowed.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let response = ask(&fake, method, path, &[], "");
            assert_eq!((response.status, header(&response, "allow")), (405, Some(allowed)), "{method} {path}");
            assert!(response.body.starts_with("{\"error\":\"wrong-method\""), "{}", response.body);
        }
    }
    for path in ["/tickets/a?x=1", "/tickets?limit=1", "/tickets/a/snapshot?cursor=a"] {
        assert_eq!(ask(&fake, "GET", path, &[], "").status, 400, "{path}");
    }
    assert_eq!(ask(&fake, "POST", "/tickets/a/apply", &[], "{").status, 400);
    assert_eq!(fake.asked.borrow().len(), 0);
}

#[test]
fn every_error_has_its_status_and_its_case() {
    let text = || "the text".to_owned();
    for (error, status, case) in [
        (Error::Invalid(text()), 400, "invalid"),
        (Error::TooLarge(text()), 413, "too-large"),
        (Error::Exists(text()), 409, "exists"),
        (Error::NotFound(text()), 404, "not-found"),
        (Error::Corrupt(text()), 500, "corrupt"),
        (Error::UnsupportedVersion(text()), 500, "unsupported-version"),
        (Error::Denied(text()), 502, "denied"),
        (Error::Unavailable(text()), 503, "unavailable"),
        (Error::Uncertain(text()), 504, "uncertain"),
    ] {
        let fake = Fake { error: Some(error), ..Fake::default() };
        let response = ask(&fake, "GET", "/tickets/a", &[], "");
        assert_eq!(response.status, status, "{case}");
        assert_eq!(response.body, format!("{{\"error\":\"{case}\",\"message\":\"the text\"}}\n"));
    }
}

#[test]
fn a_conflict_has_the_current_ticket() {
    let fake = Fake { error: Some(Error::Conflict(Some(Box::new(ticket())))), ..Fake::default() };
    let response = ask(&fake, "DELETE", "/tickets/a", &["\"old\""], "");
    assert_eq!((response.status, header(&response, "etag")), (409, Some("\"r.1\"")));
    assert!(response.body.starts_with("{\"error\":\"conflict\",\"message\":\"ticket `a`"), "{}", response.body);
    assert!(response.body.ends_with(&format!("\"ticket\":{TICKET}}}\n")), "{}", response.body);
    let fake = Fake { error: Some(Error::Conflict(None)), ..Fake::default() };
    let response = ask(&fake, "DELETE", "/tickets/a", &[], "");
    assert!(response.status == 409 && response.body.ends_with("\"ticket\":null}\n"), "{}", response.body);
}

#[test]
fn a_body_that_is_too_large_or_not_text_is_refused() {
    let fake = Fake::default();
    let send = |body: Result<Vec<u8>, Error>| {
        let mut body = Some(body);
        let body: &mut dyn FnMut() -> Result<Vec<u8>, Error> = &mut || body.take().unwrap();
        answer(&fake, Request { method: "POST", path_with_query: "/restore", if_match: Vec::new(), body })
    };
    assert_eq!(send(Err(Error::TooLarge("large".into()))).status, 413);
    assert_eq!(send(Ok(b"\xff".to_vec())).status, 400);
    assert_eq!(fake.asked.borrow().len(), 0);
}

#[test]
fn no_tag_for_other_revisions_and_invalid_json_is_internal() {
    let odd = Ticket { revision: "a\"b".into(), ..ticket() };
    let response = Response::ticket(&odd);
    assert_eq!((response.status, header(&response, "etag")), (200, None));
    let broken = Ticket { facts: "{".into(), ..ticket() };
    for response in
        [Response::ticket(&broken), Response::created(&broken), Error::Conflict(Some(Box::new(broken))).into()]
    {
        assert_eq!(response.status, 500);
        assert!(response.body.starts_with("{\"error\":\"bug\""), "{}", response.body);
    }
}
