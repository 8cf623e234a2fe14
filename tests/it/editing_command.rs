//! `ticket put`, `retract`, `trim`, `exists`, `show` of parts, `--create` and bounded histories, as a user types them.

use serde_json::json;
use ticket_tests::RedisServer;
use ticket_tests::program::User;

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_edited_on_every_store() {
    let server = RedisServer::start(&[]);
    for user in [User::new(), User::of(&server.url())] {
        a_ticket_is_created_by_its_first_change(&user);
        facts_are_put_and_shown_one_by_one(&user);
        messages_are_taken_back_and_dropped(&user);
    }
}

fn a_ticket_is_created_by_its_first_change(user: &User) {
    let absent = user.run(&["exists", "t"]);
    assert_eq!((absent.code, absent.stdout.as_str(), absent.stderr.as_str()), (Some(3), "", ""));
    assert_eq!(user.run(&["say", "t", "one"]).code, Some(3));
    assert_eq!(user.json(&["say", "t", "one", "--create"])["history"], json!(["one"]));
    assert_eq!(user.json(&["say", "t", "two", "--create"])["history"], json!(["one", "two"]));
    assert_eq!(user.run(&["exists", "t"]).code, Some(0));
    assert_eq!(user.run(&["say", "t", "x", "--create", "--at", "1"]).code, Some(2));
}

fn facts_are_put_and_shown_one_by_one(user: &User) {
    user.json(&["learn", "t", r#"{"address":{}}"#]);
    user.json(&["put", "t", "/address/city", "\"Köln\""]);
    let kept = user.json(&["put", "t", "/address/city", "\"Bonn\"", "--only-if-absent"]);
    assert_eq!(kept["facts"], json!({"address": {"city": "Köln"}}));
    user.json(&["put", "t", "/none", "null"]);
    let refused = user.run(&["put", "t", "/missing/city", "1"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("/missing/city"), "{refused:?}");
    assert_eq!(user.run(&["show", "t", "--fact", "/address/city"]).stdout, "\"Köln\"\n");
    assert_eq!(user.run(&["show", "t", "--fact", "/none"]).stdout, "null\n");
    assert_eq!(user.run(&["show", "t", "--fact", "/address/street"]).code, Some(3));
    assert_eq!(user.run(&["show", "t", "--last", "1"]).stdout, "\"two\"\n");
    let summary = user.json(&["show", "t", "--summary"]);
    assert_eq!((&summary["history_entries"], &summary["history_bytes"]), (&json!(2), &json!(13)));
}

fn messages_are_taken_back_and_dropped(user: &User) {
    let back = user.json(&["retract", "t"]);
    assert_eq!((&back["history"], &back["retracted"]), (&json!(["one"]), &json!(["two"])));
    let changes = r#"[{"say":"2"},{"say":"3"},{"say":"4"},{"trim":{"entries_max":3}}]"#;
    let applied = user.run_with(&["apply", "t", "-", "--format", "json"], changes);
    assert!(applied.stdout.contains(r#""history":["2","3","4"]"#) && applied.stdout.contains(r#""trimmed":1"#));
    assert_eq!(user.json(&["trim", "t", "--entries", "2"])["history"], json!(["3", "4"]));
    assert_eq!(user.json(&["trim", "t", "--bytes", "6"])["history"], json!(["4"]));
    assert_eq!(user.run(&["trim", "t"]).code, Some(2), "no bound");
    let bounded = user.json(&["say", "t", "5", "--history-max-entries", "1"]);
    assert_eq!((&bounded["history"], &bounded["trimmed"]), (&json!(["5"]), &json!(1)));
    let told = user.run(&["say", "t", "6", "--history-max-bytes", "4", "--format", "table"]);
    assert!(told.stdout.contains("oldest message was dropped"), "{told:?}");
    let positional = user.run_with(&["apply", "t", "-"], r#"[{"trim":[1,2]}]"#);
    assert_eq!(positional.code, Some(2), "not an object: {positional:?}");
}

#[test]
fn tickets_are_listed_by_prefix() {
    let user = User::new();
    for id in ["order-1", "order-2", "user-1"] {
        user.json(&["new", "--id", id]);
    }
    assert_eq!(user.json(&["list", "order-"]), json!(["order-1", "order-2"]));
    let rows = user.json(&["list", "user-", "--long"]);
    assert_eq!((&rows[0]["id"], &rows[0]["bytes"], rows[1].is_null()), (&json!("user-1"), &json!(6), true));
    assert_eq!(user.run(&["list", "user:"]).code, Some(2));
    let none = user.run(&["list", "x", "--format", "table"]);
    assert!(none.stderr.contains("begin with `x`"), "{none:?}");
}

#[test]
fn a_command_names_its_time_to_live() {
    let user = User::new();
    let usual = user.json(&["new", "--id", "t"])["expires_at_ms"].as_u64().unwrap();
    let longer = user.json(&["touch", "t", "--ttl", "7d"])["expires_at_ms"].as_u64().unwrap();
    assert!(longer > usual + 6 * 24 * 3_600_000);
    let again = user.json(&["touch", "t"])["expires_at_ms"].as_u64().unwrap();
    assert!(again < usual + 60_000, "the last writer's time counts");
}
