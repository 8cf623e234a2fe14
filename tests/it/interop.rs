//! Other programs on the same tickets: the Python agents of old follow their lifecycle on ours, and we on theirs.

use std::path::Path;

use serde_json::json;
use ticket_host::{Change, Error, Tickets};
use ticket_tests::RedisServer;
use ticket_tests::python::Agent;

fn python(server: &RedisServer) -> Agent {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/python/agent.py");
    Agent::start(&script, &[&server.url()])
}

#[tokio::test(flavor = "multi_thread")]
async fn python_follows_its_lifecycle_on_our_tickets() {
    let server = RedisServer::start(&[]);
    let tickets = Tickets::open(&server.url()).await.unwrap();
    let mut agent = python(&server);
    let facts = r#"{"big":123456789012345678901234567890,"one":1.0,"name":"Zoë"}"#;
    let changes = [Change::say("héllo"), Change::Learn(facts.into()), Change::decide(&json!({"tool": "search"}))];
    tickets.create(Some("t"), &changes).await.unwrap();

    let seen = agent.step(&json!({"do": "look", "id": "t"}));
    assert_eq!(seen["ticket"]["facts"]["name"], "Zoë");
    assert_eq!(seen["raw"].as_object().unwrap().len(), 6);
    assert_eq!(seen["raw"]["facts"], facts);
    assert!((1..=1800).contains(&seen["ttl"].as_i64().unwrap()), "{}", seen["ttl"]);

    agent.step(&json!({"do": "change", "id": "t", "say": ["by python", {"id": "m"}], "learn": {"city": "Köln"}}));
    let ticket = tickets.get("t").await.unwrap();
    assert_eq!(ticket.history, r#"["h\u00e9llo", "by python", {"id": "m"}]"#, "as json.dumps writes it");
    let big = r#"{"big": 123456789012345678901234567890, "one": 1.0, "name": "Zo\u00eb", "city": "K\u00f6ln"}"#;
    assert_eq!(ticket.facts, big);

    let changes = [Change::say("ours"), Change::Say(r#"{"id":"m"}"#.into()), Change::learn(&json!({"city": null}))];
    let ticket = tickets.apply("t", &changes, Some(&ticket.revision)).await.unwrap();
    assert_eq!(ticket.history, r#"["h\u00e9llo", "by python", {"id": "m"},"ours"]"#, "its bytes stay");
    assert_eq!(ticket.facts, r#"{"big": 123456789012345678901234567890, "one": 1.0, "name": "Zo\u00eb"}"#);
    let seen = agent.step(&json!({"do": "look", "id": "t"}));
    assert_eq!(seen["ticket"]["history"], json!(["héllo", "by python", {"id": "m"}, "ours"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn we_follow_the_lifecycle_on_tickets_of_python() {
    let server = RedisServer::start(&[]);
    let tickets = Tickets::open(&server.url()).await.unwrap();
    let mut agent = python(&server);
    agent.step(&json!({"do": "create", "id": "t"}));
    let said = tickets.apply("t", &[Change::say("ours")], None).await.unwrap();
    assert_eq!((said.history.as_str(), said.facts.as_str(), said.version), (r#"["ours"]"#, "{}", 1));

    let before = tickets.snapshot("t").await.unwrap();
    let raw_before = agent.step(&json!({"do": "snapshot", "id": "t"}))["raw"].clone();
    agent.step(&json!({"do": "change", "id": "t", "say": ["lone \u{fffd}"], "decide": {"tool": "x"}}));
    tickets.rollback("t", &before, None).await.unwrap();
    assert_eq!(agent.step(&json!({"do": "look", "id": "t"}))["raw"], raw_before, "byte for byte");

    tickets.apply("t", &[Change::decide(&json!("ours"))], None).await.unwrap();
    agent.step(&json!({"do": "rollback", "id": "t"}));
    assert_eq!(tickets.get("t").await.unwrap().last_decision, "{}");
    agent.step(&json!({"do": "close", "id": "t"}));
    assert!(matches!(tickets.touch("t").await, Err(Error::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bare_dict_of_old_is_read_and_carried_on() {
    let server = RedisServer::start(&[]);
    let tickets = Tickets::open(&server.url()).await.unwrap();
    let mut agent = python(&server);
    agent.step(&json!({"do": "create-old", "id": "t", "facts": {"a": 1}, "history": ["x"]}));
    let ticket = tickets.get("t").await.unwrap();
    assert_eq!((ticket.version, ticket.created_at, ticket.facts.as_str()), (1, 0, r#"{"a": 1}"#));
    let raw = agent.step(&json!({"do": "look", "id": "t"}))["raw"].clone();
    assert_eq!(raw.as_object().unwrap().len(), 3, "reading writes nothing");
    tickets.apply("t", &[Change::say("y")], None).await.unwrap();
    let seen = agent.step(&json!({"do": "look", "id": "t"}));
    assert_eq!(seen["raw"].as_object().unwrap().len(), 6);
    assert_eq!(seen["ticket"]["history"], json!(["x", "y"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_python_writes_beside_the_standard_is_kept_or_named() {
    let server = RedisServer::start(&[]);
    let tickets = Tickets::open(&server.url()).await.unwrap();
    let mut agent = python(&server);
    agent.step(&json!({"do": "create", "id": "t"}));
    let mut client = server.client().await;
    let lone = r#"{"half": "\ud800", "n": 1e400}"#;
    let _: () = redis::cmd("HSET").arg("ticket:t").arg("facts").arg(lone).query_async(&mut client).await.unwrap();
    let ticket = tickets.apply("t", &[Change::learn(&json!({"city": "Köln"}))], None).await.unwrap();
    assert_eq!(ticket.facts, r#"{"half": "\ud800", "n": 1e400,"city":"Köln"}"#);

    agent.step(&json!({"do": "create", "id": "n"}));
    agent.step(&json!({"do": "nan", "id": "n"}));
    let error = tickets.get("n").await.unwrap_err();
    assert!(matches!(&error, Error::Corrupt(text) if text.contains("ticket:n") && text.contains("facts")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_python_is_never_overwritten_unseen() {
    let server = RedisServer::start(&[]);
    let tickets = Tickets::open(&server.url()).await.unwrap();
    let mut agent = python(&server);
    let mut ticket = tickets.create(Some("t"), &[]).await.unwrap();
    for round in 0..20 {
        agent.step(&json!({"do": "change", "id": "t", "say": [format!("python {round:02}")]}));
        let changes = [Change::say(&format!("ours {round:02}"))];
        match tickets.apply("t", &changes, Some(&ticket.revision)).await {
            Err(Error::Conflict(Some(current))) => assert!(current.history.contains(&format!("python {round:02}"))),
            other => panic!("{other:?}"),
        }
        ticket = tickets.apply("t", &changes, None).await.unwrap();
    }
    assert_eq!(ticket.message_count(), 40);
}
