//! Which steps transcripts become, and which transcripts are refused.

use super::*;

/// The steps of a conversation with these messages, written as JSON.
fn steps(messages: &str) -> Result<Vec<Step>, String> {
    parse(&format!("{{\"id\":\"order-1\",\"messages\":[{messages}]}}")).map(|conversation| conversation.steps)
}

fn call(id: &str, tool: &str, arguments: &str) -> String {
    let arguments = serde_json::to_string(arguments).unwrap();
    format!(r#"{{"id":"{id}","type":"function","function":{{"name":"{tool}","arguments":{arguments}}}}}"#)
}

fn calls(calls: &[String]) -> String {
    format!(r#"{{"role":"assistant","content":null,"tool_calls":[{}]}}"#, calls.join(","))
}

fn result(id: &str, content: &str) -> String {
    let content = serde_json::to_string(content).unwrap();
    format!(r#"{{"role":"tool","tool_call_id":"{id}","content":{content}}}"#)
}

fn learn(tool: &str, value: &str) -> Step {
    Step::Learn([format!("{{\"{tool}\":null}}"), format!("{{\"{tool}\":{value}}}")])
}

#[test]
fn a_conversation_becomes_steps() {
    let messages = [
        r#"{"role":"system","content":"Be kind."}"#.to_owned(),
        r#"{"role":"user","content":"Where is my parcel?"}"#.to_owned(),
        calls(&[call("c1", "track", "{\"order\": 123456789012345678901234567890, \"w\": 1.0}")]),
        result("c1", "{\"state\": \"lost\"}"),
        r#"{"role":"assistant","content":"It is lost."}"#.to_owned(),
    ];
    let decision = r#"{"tool":"track","arguments":{"order": 123456789012345678901234567890, "w": 1.0}}"#;
    assert_eq!(
        steps(&messages.join(",")).unwrap(),
        [
            Step::Say("\"Where is my parcel?\"".into()),
            Step::Decide(vec![decision.into()]),
            learn("track", "{\"state\": \"lost\"}"),
        ]
    );
}

#[test]
fn an_error_rolls_back_to_before_its_call() {
    let messages = [
        calls(&[call("c1", "a", "{}")]),
        calls(&[call("c2", "b", "{}"), call("c3", "c", "{}")]),
        result("c3", "Error: no"),
        result("c1", "Error"),
        result("c2", "fine"),
    ];
    let steps = steps(&messages.join(",")).unwrap();
    assert_eq!(steps[2..], [Step::RollBack(1), Step::RollBack(0), learn("b", "\"fine\"")]);
}

#[test]
fn the_newest_of_calls_with_one_id_is_answered() {
    let messages = [
        calls(&[call("c1", "a", "{}")]),
        result("c1", "1"),
        calls(&[call("c1", "b", "{}")]),
        result("c1", "2"),
        r#"{"role":"tool","tool_call_id":"c1","name":"d","content":"Error: not asked"}"#.to_owned(),
    ];
    let steps = steps(&messages.join(",")).unwrap();
    assert_eq!(steps[1], learn("a", "1"));
    assert_eq!(steps[3..], [learn("b", "2"), learn("d", "\"Error: not asked\"")]);
}

#[test]
fn json_that_a_ticket_does_not_take_is_a_string() {
    for text in ["plain", "{\"a\":1,\"a\":2}", "NaN", "[\"\\ud800\"]", "", "{} {}"] {
        let as_string = serde_json::to_string(text).unwrap();
        let decision = format!("{{\"tool\":\"a\",\"arguments\":{as_string}}}");
        let messages = [calls(&[call("c1", "a", text)]), result("c1", text)];
        let expected = [Step::Decide(vec![decision]), learn("a", &as_string)];
        assert_eq!(steps(&messages.join(",")).unwrap(), expected, "{text}");
    }
}

#[test]
fn content_may_come_in_parts_and_arguments_as_json() {
    let said = r#"{"role":"user","content":[{"type":"text","text":"hi"}]}"#;
    let asked = r#"{"role":"assistant","tool_calls":[{"function":{"name":"a","arguments":{"n":1}}}]}"#;
    let answered = r#"{"role":"tool","name":"a","content":[{"type":"text","text":"[1,"},{"type":"text","text":"2]"}]}"#;
    assert_eq!(
        steps(&[said, asked, answered].join(",")).unwrap(),
        [Step::Say(said.into()), Step::Decide(vec![r#"{"tool":"a","arguments":{"n":1}}"#.into()]), learn("a", "[1,2]"),]
    );
}

#[test]
fn invalid_messages_are_refused_by_number() {
    let user = r#"{"role":"user","content":"hi"}"#;
    for wrong in [
        r#"{"role":"user"}"#,
        r#"{"role":"user","content":7}"#,
        r#"{"role":"user","content":"\ud800"}"#,
        r#"{"role":"function","content":"x"}"#,
        r#"{"content":"x"}"#,
        r#"{"role":"tool","content":"x"}"#,
        r#"{"role":"tool","name":"a","content":null}"#,
        r#"{"role":"assistant","tool_calls":[{"function":{"name":"a"}}]}"#,
        "7",
    ] {
        let error = steps(&format!("{user},{wrong}")).unwrap_err();
        assert!(error.starts_with("message 2: "), "{wrong}: {error}");
    }
    for line in ["", "[]", "{\"id\":\"a\"}", "{\"messages\":[]}", "{\"id\":\"a b\",\"messages\":[]}"] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn json_is_checked_as_the_engine_does() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for json in
        ["null", "1.0", "123456789012345678901234567890", " {\"a\":[{}],\"b\":\"\\ud83d\\ude00\"} ", &nested(62)]
    {
        assert_eq!(check(json), Ok(()), "{json}");
    }
    for json in
        ["", "nothing", "NaN", "1e400", "{} {}", "{\"a\":1,\"\\u0061\":2}", "[\"\\ud83d\"]", &nested(63), &nested(65)]
    {
        assert!(check(json).is_err(), "{json}");
    }
}
