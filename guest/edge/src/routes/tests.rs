//! Requests over an engine that records its calls and answers as configured.

use std::cell::RefCell;

use ticket_model::ticket::{Applied, Change, Effect, Fact, IdPage, Messages, State, Summary, SummaryPage, Ticket};

use crate::port::{Error, Tickets};
use crate::request::Request;
use crate::response::Response;
use crate::routes::answer;

/// What it was asked, and what it answers; a ticket unless told otherwise.
#[derive(Default)]
struct Fake {
    asked: RefCell<Vec<String>>,
    error: Option<Error>,
    effect: Effect,
    absent: bool,
}

impl Fake {
    fn note<T>(&self, asked: String, answer: T) -> Result<T, Error> {
        self.asked.borrow_mut().push(asked);
        self.error.clone().map_or(Ok(answer), Err)
    }

    fn applied(&self, created: bool) -> Applied {
        Applied { ticket: ticket(), effect: Effect { created: created || self.effect.created, ..self.effect.clone() } }
    }
}

impl Tickets for Fake {
    fn create(&self, id: Option<&str>, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        self.note(format!("create {id:?} {changes:?} {ttl_ms:?}"), self.applied(true))
    }

    fn ensure(&self, id: &str, changes: Vec<Change>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        self.note(format!("ensure {id} {changes:?} {ttl_ms:?}"), self.applied(false))
    }

    fn apply(&self, id: &str, changes: Vec<Change>, at: Option<&str>, ttl_ms: Option<u64>) -> Result<Applied, Error> {
        self.note(format!("apply {id} {changes:?} {at:?} {ttl_ms:?}"), self.applied(false))
    }

    fn touch(&self, id: &str, ttl_ms: Option<u64>) -> Result<Ticket, Error> {
        self.note(format!("touch {id} {ttl_ms:?}"), ticket())
    }

    fn get(&self, id: &str) -> Result<Ticket, Error> {
        self.note(format!("get {id}"), ticket())
    }

    fn exists(&self, id: &str) -> Result<bool, Error> {
        self.note(format!("exists {id}"), !self.absent)
    }

    fn get_summary(&self, id: &str) -> Result<Summary, Error> {
        self.note(format!("summary {id}"), summary())
    }

    fn get_messages(&self, id: &str, entries_max: u32, bytes_max: Option<u32>) -> Result<Messages, Error> {
        let messages = vec!["{ \"n\": 1.0}".into(), "\"\\ud800\"".into()];
        let found = Messages { messages, history_entries: 7, revision: "r.1".into() };
        self.note(format!("messages {id} {entries_max} {bytes_max:?}"), found)
    }

    fn get_fact(&self, id: &str, pointer: &str) -> Result<Fact, Error> {
        let value = (!self.absent).then(|| if pointer.is_empty() { "{ \"n\": 1.0}" } else { "null" }.into());
        self.note(format!("fact {id} {pointer:?}"), Fact { value, revision: "r.1".into() })
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

    fn list_ids(&self, prefix: &str, cursor: Option<&str>) -> Result<IdPage, Error> {
        let page = IdPage { ids: vec!["a".into()], cursor: Some("ticket:a".into()) };
        self.note(format!("list {prefix:?} {cursor:?}"), page)
    }

    fn list_summaries(&self, prefix: &str, cursor: Option<&str>) -> Result<SummaryPage, Error> {
        let page = SummaryPage { summaries: vec![summary()], unreadable: vec!["b".into()], cursor: None };
        self.note(format!("summaries {prefix:?} {cursor:?}"), page)
    }
}

fn ticket() -> Ticket {
    let state = State {
        facts: "{ \"n\": 1.0}".into(),
        history: "[\"\\ud800\", 1e400]".into(),
        last_decision: "null".into(),
        created_at: 1,
        updated_at: 2,
    };
    Ticket { id: "a".into(), state, revision: "r.1".into(), expires_at_ms: 3 }
}

fn summary() -> Summary {
    Summary {
        id: "a".into(),
        facts_bytes: 4,
        history_bytes: 5,
        last_decision_bytes: 6,
        history_entries: 7,
        created_at: 1,
        updated_at: 2,
        version: 1,
        revision: "r.1".into(),
        expires_at_ms: 3,
    }
}

const TICKET: &str = r#"{"id":"a","facts":{ "n": 1.0},"history":["\ud800", 1e400],"last_decision":null,"created_at":1,"updated_at":2,"version":1,"revision":"r.1","expires_at_ms":3}"#;
const SUMMARY: &str = r#"{"id":"a","facts_bytes":4,"history_bytes":5,"last_decision_bytes":6,"history_entries":7,"created_at":1,"updated_at":2,"version":1,"revision":"r.1","expires_at_ms":3}"#;
const MESSAGES: &str = r#"{"messages":[{ "n": 1.0},"\ud800"],"history_entries":7,"revision":"r.1"}"#;
const FACTS: &str = r#"{"value":{ "n": 1.0},"revision":"r.1"}"#;
const NULL_FACT: &str = r#"{"value":null,"revision":"r.1"}"#;
const IDS: &str = r#"{"ids":["a"],"cursor":"ticket:a"}"#;

fn ask(fake: &Fake, method: &str, path_with_query: &str, if_match: &[&str], body: &str) -> Response {
    let if_match = if_match.iter().map(|value| value.as_bytes().to_vec()).collect();
    answer(fake, Request { method, path_with_query, if_match, body: &mut || Ok(body.into()) })
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

#[test]
fn every_route_is_one_operation() {
    let changes = r#"{"changes":[{"say":"x"}],"ttl_ms":9}"#;
    let summaries = format!(r#"{{"summaries":[{SUMMARY}],"unreadable":["b"],"cursor":null}}"#);
    for (method, path, body, asked, status, answered) in [
        ("POST", "/tickets", "", "create None [] None", 201, TICKET),
        ("POST", "/tickets", r#"{"id":"a","ttl_ms":9}"#, "create Some(\"a\") [] Some(9)", 201, TICKET),
        ("GET", "/tickets", "", "list \"\" None", 200, IDS),
        ("GET", "/tickets?cursor=ticket:a&prefix=o-", "", "list \"o-\" Some(\"ticket:a\")", 200, IDS),
        ("GET", "/tickets?summaries=true", "", "summaries \"\" None", 200, &summaries),
        ("GET", "/tickets?summaries=true&prefix=o&cursor=c", "", "summaries \"o\" Some(\"c\")", 200, &summaries),
        ("GET", "/tickets/a", "", "get a", 200, TICKET),
        ("GET", "/tickets/a%20b?", "", "get a b", 200, TICKET),
        ("HEAD", "/tickets/a", "", "exists a", 200, ""),
        ("PUT", "/tickets/a", "", "ensure a [] None", 200, TICKET),
        ("PUT", "/tickets/a", changes, "ensure a [Say(\"\\\"x\\\"\")] Some(9)", 200, TICKET),
        ("DELETE", "/tickets/a", "", "close a None", 204, ""),
        ("POST", "/tickets/a/apply", changes, "apply a [Say(\"\\\"x\\\"\")] None Some(9)", 200, TICKET),
        ("POST", "/tickets/a/touch", "", "touch a None", 200, TICKET),
        ("POST", "/tickets/a/touch", r#"{"ttl_ms":9}"#, "touch a Some(9)", 200, TICKET),
        ("GET", "/tickets/a/summary", "", "summary a", 200, SUMMARY),
        ("GET", "/tickets/a/messages?entries_max=2", "", "messages a 2 None", 200, MESSAGES),
        ("GET", "/tickets/a/messages?entries_max=2&bytes_max=9", "", "messages a 2 Some(9)", 200, MESSAGES),
        ("GET", "/tickets/a/facts", "", "fact a \"\"", 200, FACTS),
        ("GET", "/tickets/a/facts?pointer=/a%2Fb", "", "fact a \"/a/b\"", 200, NULL_FACT),
        ("GET", "/tickets/a/snapshot", "", "snapshot a", 200, "snapshot text"),
        ("POST", "/tickets/a/rollback", "S", "rollback a S None", 200, TICKET),
        ("POST", "/restore", "S", "restore S", 201, TICKET),
        ("GET", "/tickets/restore", "", "get restore", 200, TICKET),
        ("DELETE", "/tickets/restore", "", "close restore None", 204, ""),
    ] {
        let fake = Fake::default();
        let response = ask(&fake, method, path, &[], body);
        assert_eq!(*fake.asked.borrow(), [asked], "{method} {path}: {response:?}");
        assert_eq!(response.status, status, "{method} {path}");
        let end = if answered.starts_with('{') { "\n" } else { "" };
        assert_eq!(response.body, format!("{answered}{end}"), "{method} {path}");
        let tag = [TICKET, SUMMARY, MESSAGES, FACTS, NULL_FACT].contains(&answered).then_some("\"r.1\"");
        assert_eq!(header(&response, "etag"), tag, "{method} {path}");
        assert_eq!(header(&response, "location"), (status == 201).then_some("/tickets/a"), "{method} {path}");
    }
}

#[test]
fn a_ticket_that_put_makes_is_201() {
    let fake = Fake { effect: Effect { created: true, ..Effect::default() }, ..Fake::default() };
    let response = ask(&fake, "PUT", "/tickets/a", &[], "");
    assert_eq!((response.status, header(&response, "location")), (201, Some("/tickets/a")));
    assert_eq!(header(&response, "etag"), Some("\"r.1\""));
    assert_eq!(response.body, format!("{TICKET}\n"));
}

#[test]
fn what_was_taken_back_or_dropped_follows_the_ticket() {
    let (open, taken) = (TICKET.trim_end_matches('}'), vec!["{ \"n\": 1.0}".to_owned(), "\"\\ud800\"".to_owned()]);
    for (retracted, trimmed, wanted) in [
        (taken.clone(), 0, r#","retracted":[{ "n": 1.0},"\ud800"]}"#),
        (Vec::new(), 2, r#","trimmed":2}"#),
        (taken, 1, r#","retracted":[{ "n": 1.0},"\ud800"],"trimmed":1}"#),
    ] {
        let fake = Fake { effect: Effect { created: false, retracted, trimmed }, ..Fake::default() };
        for (method, path) in [("POST", "/tickets"), ("PUT", "/tickets/a"), ("POST", "/tickets/a/apply")] {
            let response = ask(&fake, method, path, &[], "{\"changes\":[]}");
            assert_eq!(response.body, format!("{open}{wanted}\n"), "{method} {path}");
        }
    }
}

#[test]
fn a_fact_that_is_absent_has_no_value() {
    let fake = Fake { absent: true, ..Fake::default() };
    let response = ask(&fake, "GET", "/tickets/a/facts?pointer=/x", &[], "");
    assert_eq!((response.status, response.body.as_str()), (200, "{\"revision\":\"r.1\"}\n"));
}

#[test]
fn answers_to_head_have_no_body() {
    let fake = Fake { absent: true, ..Fake::default() };
    let response = ask(&fake, "HEAD", "/tickets/a", &[], "");
    assert_eq!((response.status, response.body.as_str()), (404, ""));
    let fake = Fake { error: Some(Error::Unavailable("down".into())), ..Fake::default() };
    for (path, status) in [("/tickets/a", 503), ("/tickets/a?x=1", 400), ("/tickets", 405), ("/", 404)] {
        let response = ask(&fake, "HEAD", path, &[], "");
        assert_eq!((response.status, response.body.as_str()), (status, ""), "{path}");
    }
}

#[test]
fn if_match_is_passed_on_where_accepted_and_refused_elsewhere() {
    for (method, path, body, asked) in [
        ("DELETE", "/tickets/a", "", "close a Some(\"r.1\")"),
        ("DELETE", "/tickets/restore", "", "close restore Some(\"r.1\")"),
        ("POST", "/tickets/a/apply", "{\"changes\":[]}", "apply a [] Some(\"r.1\") None"),
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
        ("HEAD", "/tickets/a"),
        ("PUT", "/tickets/a"),
        ("POST", "/tickets/a/touch"),
        ("GET", "/tickets/a/summary"),
        ("GET", "/tickets/a/messages?entries_max=1"),
        ("GET", "/tickets/a/facts"),
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
        ("/tickets/restore", "DELETE, GET, HEAD, PUT"),
        ("/tickets/a", "DELETE, GET, HEAD, PUT"),
        ("/tickets/a/apply", "POST"),
        ("/tickets/a/touch", "POST"),
        ("/tickets/a/rollback", "POST"),
        ("/tickets/a/summary", "GET"),
        ("/tickets/a/messages", "GET"),
        ("/tickets/a/facts", "GET"),
        ("/tickets/a/snapshot", "GET"),
    ] {
        for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "", ", ", "get"] {
            if allowed.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let response = ask(&fake, method, path, &[], "");
            assert_eq!((response.status, header(&response, "allow")), (405, Some(allowed)), "{method} {path}");
            let has_body = response.body.starts_with("{\"error\":\"wrong-method\"");
            assert_eq!(has_body, method != "HEAD", "{method} {path}: {}", response.body);
        }
    }
    assert_eq!(fake.asked.borrow().len(), 0);
}

#[test]
fn invalid_requests_do_not_reach_the_engine() {
    let fake = Fake::default();
    for (method, path, body, named) in [
        ("GET", "/tickets/a?x=1", "", "`x`"),
        ("PUT", "/tickets/a?ttl_ms=1", "", "`ttl_ms`"),
        ("POST", "/tickets?prefix=a", "", "`prefix`"),
        ("GET", "/tickets?limit=1", "", "`limit`"),
        ("GET", "/tickets?summaries=yes", "", "`summaries`"),
        ("GET", "/tickets/a/summary?prefix=a", "", "`prefix`"),
        ("GET", "/tickets/a/snapshot?cursor=a", "", "`cursor`"),
        ("GET", "/tickets/a/messages", "", "`entries_max`"),
        ("GET", "/tickets/a/messages?entries_max=x", "", "`entries_max`"),
        ("GET", "/tickets/a/messages?entries_max=1&bytes_max=-1", "", "`bytes_max`"),
        ("GET", "/tickets/a/messages?entries_max=1&pointer=", "", "`pointer`"),
        ("GET", "/tickets/a/facts?path=/a", "", "`path`"),
        ("GET", "/tickets/a/facts?pointer=%FF", "", "not UTF-8"),
        ("POST", "/tickets", "{\"ttl\":1}", "`ttl`"),
        ("POST", "/tickets", "{\"ttl_ms\":1.5}", "`ttl_ms`"),
        ("PUT", "/tickets/a", "{\"id\":\"a\"}", "`id`"),
        ("PUT", "/tickets/a", "[[],1]", "array"),
        ("POST", "/tickets/a/apply", "{", "invalid body"),
        ("POST", "/tickets/a/apply", "{\"ttl_ms\":1}", "`changes`"),
        ("POST", "/tickets/a/apply", "{\"changes\":[],\"ttl_ms\":\"1\"}", "`ttl_ms`"),
        ("POST", "/tickets/a/touch", "not looked at", "invalid body"),
        ("POST", "/tickets/a/touch", "{\"ttl_ms\":-1}", "`ttl_ms`"),
        ("POST", "/tickets/a/touch", "{}", "`ttl_ms`"),
    ] {
        let response = ask(&fake, method, path, &[], body);
        assert_eq!(response.status, 400, "{method} {path} {body}");
        assert!(response.body.contains(named), "{method} {path} {body}: {}", response.body);
    }
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
    let broken = Ticket { state: State { facts: "{".into(), ..ticket().state }, ..ticket() };
    let messages = Messages { messages: vec!["{".into()], history_entries: 1, revision: "r.1".into() };
    let effect = Effect { created: true, retracted: vec!["{".into()], trimmed: 0 };
    for response in [
        Response::ticket(&broken),
        Response::created(&broken),
        Response::applied(&Applied { ticket: ticket(), effect }),
        Response::messages(&messages),
        Response::fact(&Fact { value: Some("{".into()), revision: "r.1".into() }),
        Error::Conflict(Some(Box::new(broken))).into(),
    ] {
        assert_eq!((header(&response, "etag"), header(&response, "location")), (None, None));
        assert_eq!(response.status, 500);
        assert!(response.body.starts_with("{\"error\":\"bug\""), "{}", response.body);
    }
}
