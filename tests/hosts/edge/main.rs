//! Tickets over HTTP: `edge.wasm` on a host with standard interfaces alone, with every route and status.

mod failing_bucket;
mod host;

use failing_bucket::{FailingBucket, store};
use host::{Edge, Response};
use serde_json::{Value, json};

fn parsed(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), "application/json", "{response:?}");
    serde_json::from_str(&response.body).expect("JSON")
}

/// The ticket of a response, whose ETag must be the revision.
fn ticket(response: &Response, status: u16) -> Value {
    assert_eq!(response.status, status, "{response:?}");
    let ticket = parsed(response);
    assert_eq!(response.header("etag"), format!("\"{}\"", ticket["revision"].as_str().unwrap()));
    ticket
}

fn refused(response: &Response, status: u16, case: &str) -> Value {
    assert_eq!(response.status, status, "{response:?}");
    let error = parsed(response);
    assert_eq!(error["error"], case, "{response:?}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{response:?}");
    error
}

#[tokio::test]
async fn every_route_works_on_one_instance() {
    let mut edge = Edge::on(&[]).await;
    let body = r#"{"id":"a","changes":[{"say":"hello"},{"learn":{"n": 1.0}},{"decide": [12345678901234567890123]}]}"#;
    let created = edge.ask("POST", "/tickets", body).await;
    assert_eq!(created.header("location"), "/tickets/a");
    let made = ticket(&created, 201);
    assert_eq!((&made["history"], &made["version"]), (&json!(["hello"]), &json!(1)));
    assert!(created.body.contains(r#""n":1.0"#), "stored as it was sent: {}", created.body);
    assert!(created.body.contains("[12345678901234567890123]"), "{}", created.body);
    assert_eq!(edge.ask("GET", "/tickets/a", "").await.body, created.body);

    let snapshot = edge.ask("GET", "/tickets/a/snapshot", "").await;
    assert_eq!((snapshot.status, snapshot.header("content-type")), (200, "text/plain; charset=utf-8"));

    let said = edge.ask("POST", "/tickets/a/apply", r#"{"changes":[{"say":{"text":"more"}}]}"#).await;
    assert_eq!(ticket(&said, 200)["history"], json!(["hello", {"text": "more"}]));
    let touched = edge.ask("POST", "/tickets/a/touch", "").await;
    assert_eq!(ticket(&touched, 200)["history"], json!(["hello", {"text": "more"}]));
    assert_ne!(touched.header("etag"), said.header("etag"));

    let back = edge.ask("POST", "/tickets/a/rollback", snapshot.body.clone()).await;
    assert_eq!(ticket(&back, 200)["history"], json!(["hello"]));
    let closed = edge.ask("DELETE", "/tickets/a", "").await;
    assert_eq!((closed.status, closed.body.as_str()), (204, ""));
    refused(&edge.ask("GET", "/tickets/a", "").await, 404, "not-found");
    let restored = edge.ask("POST", "/restore", snapshot.body.clone()).await;
    assert_eq!(ticket(&restored, 201)["history"], json!(["hello"]));
    assert_eq!(restored.header("location"), "/tickets/a");
    refused(&edge.ask("POST", "/restore", snapshot.body).await, 409, "exists");
}

#[tokio::test]
async fn put_makes_a_ticket_or_changes_it() {
    let mut edge = Edge::on(&[]).await;
    let absent = edge.ask("HEAD", "/tickets/a", "").await;
    assert_eq!((absent.status, absent.body.as_str()), (404, ""));
    let body = r#"{"changes":[{"say":"x"}],"ttl_ms":60000}"#;
    let created = edge.ask("PUT", "/tickets/a", body).await;
    let made = ticket(&created, 201);
    assert_eq!((created.header("location"), &made["history"]), ("/tickets/a", &json!(["x"])));
    let lives_ms = made["expires_at_ms"].as_u64().unwrap() - made["updated_at"].as_u64().unwrap() * 1_000;
    assert!((60_000..120_000).contains(&lives_ms), "{made}");

    let present = edge.ask("HEAD", "/tickets/a", "").await;
    assert_eq!((present.status, present.body.as_str(), present.header("content-length")), (200, "", ""));
    let changed = edge.ask("PUT", "/tickets/a", body).await;
    assert_eq!((&ticket(&changed, 200)["history"], changed.header("location")), (&json!(["x", "x"]), ""));
    let kept = edge.ask("PUT", "/tickets/a", "").await;
    assert_eq!(ticket(&kept, 200)["history"], json!(["x", "x"]));
    let touched = ticket(&edge.ask("POST", "/tickets/a/touch", r#"{"ttl_ms":86400000}"#).await, 200);
    assert!(touched["expires_at_ms"].as_u64().unwrap() > made["expires_at_ms"].as_u64().unwrap() + 80_000_000);
}

#[tokio::test]
async fn messages_are_taken_back_and_dropped() {
    let mut edge = Edge::on(&[]).await;
    let body = r#"{"id":"a","changes":[{"say":"1"},{"say":"2"},{"say":{"n": 3.0}},{"say":"4"}]}"#;
    let made = ticket(&edge.ask("POST", "/tickets", body).await, 201);
    assert!(made.get("retracted").is_none() && made.get("trimmed").is_none(), "{made}");
    let body = r#"{"changes":[{"retract":2},{"trim":{"entries_max":1}}]}"#;
    let less = edge.ask("POST", "/tickets/a/apply", body).await;
    assert_eq!(ticket(&less, 200)["history"], json!(["2"]));
    assert!(less.body.ends_with("\"retracted\":[{\"n\":3.0},\"4\"],\"trimmed\":1}\n"), "{}", less.body);
}

#[tokio::test]
async fn parts_of_a_ticket_are_read() {
    let mut edge = Edge::on(&[]).await;
    let body = r#"{"id":"a","changes":[{"say":"1"},{"say":"2"},{"say":"3"},{"learn":{"a/b":{"n": 1.0}}},
        {"put":{"pointer":"/none","value":null}},{"put":{"pointer":"/none","value":1,"only_if_absent":true}}]}"#;
    let made = ticket(&edge.ask("POST", "/tickets", body).await, 201);
    let revision = &made["revision"];
    for (path, wanted) in [
        ("messages?entries_max=2", r#""messages":["2","3"],"history_entries":3"#),
        ("messages?entries_max=9&bytes_max=4", r#""messages":["3"],"history_entries":3"#),
        ("facts", r#""value":{"a/b":{"n":1.0},"none":null}"#),
        ("facts?pointer=/a~1b/n", r#""value":1.0"#),
        ("facts?pointer=%2Fnone", r#""value":null"#),
    ] {
        let part = edge.ask("GET", &format!("/tickets/a/{path}"), "").await;
        assert_eq!(part.body, format!("{{{wanted},\"revision\":{revision}}}\n"), "{path}");
        assert_eq!((part.status, part.header("etag")), (200, revision.to_string().as_str()), "{path}");
    }
    let absent = edge.ask("GET", "/tickets/a/facts?pointer=/x", "").await;
    assert_eq!(parsed(&absent), json!({"revision": revision}));

    let summary = ticket(&edge.ask("GET", "/tickets/a/summary", "").await, 200);
    let wanted = json!({
        "id": "a", "facts_bytes": 29, "history_bytes": 13, "last_decision_bytes": 2, "history_entries": 3,
        "created_at": made["created_at"], "updated_at": made["updated_at"], "version": 1,
        "revision": revision, "expires_at_ms": made["expires_at_ms"],
    });
    assert_eq!(summary, wanted);
    for path in ["summary", "messages?entries_max=1", "facts"] {
        refused(&edge.ask("GET", &format!("/tickets/b/{path}"), "").await, 404, "not-found");
    }
}

#[tokio::test]
async fn listings_take_a_prefix_and_read_tickets() {
    let mut edge = Edge::on(&[("ticket:o-broken", "{}")]).await;
    for id in ["o-1", "o-2", "p-1"] {
        assert_eq!(edge.ask("PUT", &format!("/tickets/{id}"), "").await.status, 201);
    }
    let ids = parsed(&edge.ask("GET", "/tickets?prefix=o-", "").await);
    assert_eq!(sorted(&ids["ids"], |id| id), ["o-1", "o-2", "o-broken"], "{ids}");
    let page = parsed(&edge.ask("GET", "/tickets?summaries=true&prefix=o-", "").await);
    assert_eq!(sorted(&page["summaries"], |summary| &summary["id"]), ["o-1", "o-2"], "{page}");
    assert_eq!((&page["unreadable"], &page["cursor"]), (&json!(["o-broken"]), &Value::Null));
    let one = parsed(&edge.ask("GET", "/tickets/o-1/summary", "").await);
    assert!(page["summaries"].as_array().unwrap().contains(&one), "{page}");
    assert_eq!(edge.ask("HEAD", "/tickets/o-broken", "").await.status, 200);
}

fn sorted<'a>(items: &'a Value, id: impl Fn(&'a Value) -> &'a Value) -> Vec<&'a str> {
    let mut ids: Vec<_> = items.as_array().unwrap().iter().map(|item| id(item).as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn if_match_takes_the_etag_of_a_response() {
    let mut edge = Edge::on(&[]).await;
    let made = edge.ask("POST", "/tickets", r#"{"id":"a"}"#).await;
    let snapshot = edge.ask("GET", "/tickets/a/snapshot", "").await.body;
    let say = r#"{"changes":[{"say":"x"}]}"#;
    let said = edge.ask_at(made.header("etag"), "POST", "/tickets/a/apply", say).await;
    ticket(&said, 200);
    for (method, path, body) in
        [("POST", "/tickets/a/apply", say), ("POST", "/tickets/a/rollback", &snapshot), ("DELETE", "/tickets/a", "")]
    {
        let late = edge.ask_at(made.header("etag"), method, path, body).await;
        let error = refused(&late, 409, "conflict");
        assert_eq!(error["ticket"], parsed(&said), "{method} {path}");
        assert_eq!(late.header("etag"), said.header("etag"));
    }
    ticket(&edge.ask_at("*", "POST", "/tickets/a/touch", "").await, 200);
    let current = edge.ask("GET", "/tickets/a", "").await;
    let back = edge.ask_at(current.header("etag"), "POST", "/tickets/a/rollback", &snapshot).await;
    assert_eq!(edge.ask_at(back.header("etag"), "DELETE", "/tickets/a", "").await.status, 204);
    refused(&edge.ask_at("\"1\"", "GET", "/tickets/a", "").await, 400, "invalid");
}

#[tokio::test]
async fn ids_are_generated_and_listed_page_by_page() {
    let mut edge = Edge::on(&[("other", "value")]).await;
    let made = ticket(&edge.ask("POST", "/tickets", "").await, 201);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
    let mut all = vec![id];
    for number in 0..600 {
        all.push(format!("n{number}"));
        let body = format!(r#"{{"id":"n{number}"}}"#);
        assert_eq!(edge.ask("POST", "/tickets", body).await.status, 201);
    }
    let (mut listed, mut pages, mut path) = (Vec::new(), 0, "/tickets".to_owned());
    loop {
        let page = edge.ask("GET", &path, "").await;
        assert_eq!(page.status, 200);
        let page = parsed(&page);
        listed.extend(page["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
        pages += 1;
        let Some(cursor) = page["cursor"].as_str() else { break };
        path = format!("/tickets?cursor={}", cursor.replace(':', "%3A"));
    }
    all.sort();
    listed.sort();
    assert_eq!((listed, pages), (all, 2));
    refused(&edge.ask("GET", "/tickets?cursor=invalid", "").await, 400, "invalid");
}

#[tokio::test]
async fn invalid_requests_have_their_own_status() {
    let mut edge = Edge::on(&[]).await;
    for (method, path) in [("GET", "/"), ("GET", "/tickets/"), ("POST", "/tickets/a/close"), ("GET", "/health")] {
        refused(&edge.ask(method, path, "").await, 404, "no-route");
    }
    for (method, path, allowed) in [
        ("PUT", "/tickets", "GET, POST"),
        ("PATCH", "/tickets/a", "DELETE, GET, HEAD, PUT"),
        ("POST", "/tickets/a/messages", "GET"),
        ("GET", "/tickets/a/apply", "POST"),
        ("BREW", "/tickets/a/snapshot", "GET"),
    ] {
        let response = edge.ask(method, path, "").await;
        refused(&response, 405, "wrong-method");
        assert_eq!(response.header("allow"), allowed);
    }
    for (path, body) in [
        ("/tickets", &b"{"[..]),
        ("/tickets", b"{\"id\":\"a b\"}"),
        ("/tickets", b"{\"changes\":[{\"say\":1}]}"),
        ("/tickets", b"{\"changes\":[{\"say\":\"\\ud800\"}]}"),
        ("/tickets", b"\xff"),
        ("/tickets/a/apply", b""),
        ("/tickets/a/rollback", b"no snapshot"),
        ("/tickets/%F0%9F%98%80/touch", b""),
        ("/tickets/a/touch", b"no object"),
        ("/tickets/a/touch", b"{\"ttl_ms\":1}"),
        ("/tickets", b"{\"ttl_ms\":\"60000\"}"),
        ("/tickets", b"{\"changes\":[{\"trim\":{}}]}"),
    ] {
        refused(&edge.ask("POST", path, body).await, 400, "invalid");
    }
    for path in [
        "/tickets?prefix=%2F",
        "/tickets?summaries=1",
        "/tickets/a/messages",
        "/tickets/a/messages?entries_max=-1",
        "/tickets/a/facts?pointer=a",
        "/tickets/a/summary?x=1",
    ] {
        refused(&edge.ask("GET", path, "").await, 400, "invalid");
    }
}

#[tokio::test]
async fn too_large_requests_are_413() {
    const MIB: usize = 1024 * 1024;
    let mut edge = Edge::on(&[]).await;
    let message = format!(r#"{{"changes":[{{"say":"{}"}}]}}"#, "x".repeat(64 * 1024));
    refused(&edge.ask("POST", "/tickets", message).await, 413, "too-large");
    refused(&edge.ask("POST", "/tickets", vec![b' '; 8 * MIB + 1]).await, 413, "too-large");
    let announced = edge.send("POST", "/tickets", &[("content-length", "8388609")], "".into()).await;
    refused(&announced, 413, "too-large");
    let most = edge.ask("POST", "/tickets", format!("{{}}{}", " ".repeat(8 * MIB - 2))).await;
    ticket(&most, 201);
}

#[tokio::test]
async fn a_large_ticket_is_returned_completely() {
    let mut edge = Edge::on(&[]).await;
    edge.ask("POST", "/tickets", r#"{"id":"a"}"#).await;
    let text = "é".repeat(30_000);
    for _ in 0..15 {
        let said = edge.ask("POST", "/tickets/a/apply", json!({"changes": [{"say": text}]}).to_string()).await;
        ticket(&said, 200);
    }
    let whole = edge.ask("GET", "/tickets/a", "").await;
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    assert_eq!(parsed(&whole)["history"], json!(vec![text; 15]));
}

#[tokio::test]
async fn damaged_records_are_500() {
    let of = |version: &str| {
        let fields = json!({"facts": "{}", "history": "[]", "last_decision": "{}", "created_at": "1", "updated_at": "1", "version": version});
        json!({"expires_at_ms": 0, "revision": "r", "fields": fields}).to_string()
    };
    let values = [("ticket:broken", "{}"), ("ticket:newer", &of("2")), ("ticket:good", &of("1"))];
    let mut edge = Edge::on(&values).await;
    refused(&edge.ask("GET", "/tickets/broken", "").await, 500, "corrupt");
    refused(&edge.ask("POST", "/tickets/newer/touch", "").await, 500, "unsupported-version");
    assert_eq!(ticket(&edge.ask("GET", "/tickets/good", "").await, 200)["expires_at_ms"], 0);
    assert_eq!(edge.ask("DELETE", "/tickets/broken", "").await.status, 204);
}

#[tokio::test]
async fn invalid_settings_in_the_bucket_are_502() {
    let mut edge = Edge::on(&[("settings", "history_entries_max=1")]).await;
    let two = r#"{"changes":[{"say":"1"},{"say":"2"}]}"#;
    refused(&edge.ask("POST", "/tickets", two).await, 413, "too-large");
    let mut edge = Edge::on(&[("settings", "ttl_ms=soon")]).await;
    let error = refused(&edge.ask("GET", "/tickets/a", "").await, 502, "denied");
    assert!(error["message"].as_str().unwrap().contains("`ttl_ms=soon`"), "{error}");
}

#[tokio::test]
async fn a_failing_bucket_is_502_503_or_504() {
    let other = || Some(store::Error::Other("the disk is full".into()));
    for (failing_bucket, read, written) in [
        (
            FailingBucket { opening: Some(store::Error::NoSuchStore), ..FailingBucket::default() },
            (502, "denied"),
            (502, "denied"),
        ),
        (FailingBucket { opening: other(), ..FailingBucket::default() }, (503, "unavailable"), (503, "unavailable")),
        (
            FailingBucket { reading: Some(store::Error::AccessDenied), ..FailingBucket::default() },
            (502, "denied"),
            (502, "denied"),
        ),
        (FailingBucket { reading: other(), ..FailingBucket::default() }, (503, "unavailable"), (503, "unavailable")),
        (FailingBucket { writing: other(), ..FailingBucket::default() }, (404, "not-found"), (504, "uncertain")),
    ] {
        let mut edge = Edge::on_failing_bucket(failing_bucket).await;
        refused(&edge.ask("GET", "/tickets/a", "").await, read.0, read.1);
        refused(&edge.ask("POST", "/tickets", r#"{"id":"a"}"#).await, written.0, written.1);
    }
}
