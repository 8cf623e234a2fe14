//! Which steps the messages of each form become.

use crate::tests::all;
use crate::{Call, Conversation, Form, Reading, Step};

use super::*;

fn conversation(messages: &str) -> Result<Conversation, String> {
    let text = format!("{{\"id\":\"order-1\",\"messages\":[{messages}]}}");
    all(&text, &Reading::default()).map(|mut all| all.remove(0))
}

fn steps(messages: &str) -> Result<Vec<Step>, String> {
    conversation(messages).map(|conversation| conversation.steps)
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

fn at(turn: usize, decision: usize) -> Call {
    Call { turn, decision }
}

fn learn(tool: &str, value: &str, call: Option<Call>) -> Step {
    Step::Learn([format!("{{\"{tool}\":null}}"), format!("{{\"{tool}\":{value}}}")], call)
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
            learn("track", "{\"state\": \"lost\"}", Some(at(1, 0))),
        ]
    );
}

#[test]
fn an_error_undoes_its_own_call() {
    let messages = [
        calls(&[call("c1", "a", "{}")]),
        calls(&[call("c2", "b", "{}"), call("c3", "c", "{}")]),
        result("c3", "Error: no"),
        result("c1", "Error"),
        result("c2", "fine"),
        result("c2", "error again"),
        result("c2", "ERROR once more"),
    ];
    let steps = steps(&messages.join(",")).unwrap();
    let expected = [
        Step::Undo(at(1, 1)),
        Step::Undo(at(0, 0)),
        learn("b", "\"fine\"", Some(at(1, 0))),
        // A call can be undone once.
        Step::Undo(at(1, 0)),
    ];
    assert_eq!(steps[2..], expected);
}

#[test]
fn a_failure_says_so_in_its_first_word() {
    let pattern = Reading { error_pattern: Some(Regex::new("(?i)not found").unwrap()), ..Reading::default() };
    for (text, failed, by_pattern) in [
        ("Error", true, true),
        ("error", true, true),
        (" ERROR: boom", true, true),
        ("Error\nboom", true, true),
        ("Errors: 0, all fine", false, false),
        ("Error-free", false, false),
        ("Erro", false, false),
        ("\u{e9}rror", false, false),
        ("no error", false, false),
        ("Order not found", false, true),
        ("\"Error\"", false, false),
    ] {
        let text = format!("{{\"messages\":[{},{}]}}", calls(&[call("c1", "a", "{}")]), result("c1", text));
        for (reading, expected) in [(&Reading::default(), failed), (&pattern, by_pattern)] {
            let steps = &all(&text, reading).unwrap()[0].steps;
            assert_eq!(matches!(steps[1], Step::Undo(_)), expected, "{text}");
        }
    }
}

#[test]
fn a_result_answers_by_id_or_by_name() {
    let messages = [
        calls(&[call("c1", "a", "{}")]),
        result("c1", "1"),
        calls(&[call("c1", "b", "{}")]),
        result("c1", "2"),
        r#"{"role":"assistant","function_call":{"name":"e","arguments":"{}"}}"#.to_owned(),
        r#"{"role":"function","name":"e","content":"3"}"#.to_owned(),
        r#"{"role":"tool","tool_call_id":"c9","name":"d","content":"Error: not asked"}"#.to_owned(),
        result("c9", "4"),
    ];
    let read = conversation(&messages.join(",")).unwrap();
    assert_eq!(read.steps[1], learn("a", "1", Some(at(0, 0))));
    assert_eq!(read.steps[3], learn("b", "2", Some(at(2, 0))));
    assert_eq!(read.steps[5..], [learn("e", "3", Some(at(4, 0))), learn("d", "\"Error: not asked\"", None)]);
    let [skipped] = &read.skipped[..] else { panic!("{:?}", read.skipped) };
    assert_eq!(skipped.place, "message 8");
    assert!(skipped.what.contains("`c9`"), "{}", skipped.what);
}

#[test]
fn json_that_a_ticket_does_not_take_is_a_string() {
    for text in ["plain", "{\"a\":1,\"a\":2}", "NaN", "[\"\\ud800\"]", "", "{} {}"] {
        let as_string = serde_json::to_string(text).unwrap();
        let decision = format!("{{\"tool\":\"a\",\"arguments\":{as_string}}}");
        let messages = [calls(&[call("c1", "a", text)]), result("c1", text)];
        let expected = [Step::Decide(vec![decision]), learn("a", &as_string, Some(at(0, 0)))];
        assert_eq!(steps(&messages.join(",")).unwrap(), expected, "{text}");
    }
}

#[test]
fn content_may_come_in_parts_and_arguments_as_json() {
    let one = r#"{"role":"user","content":[{"type":"text","text":"hi"}]}"#;
    let said = r#"{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://h/i.png"}}]}"#;
    let asked = r#"{"role":"assistant","tool_calls":[{"function":{"name":"a","arguments":{"n":1}}}]}"#;
    let answered = r#"{"role":"tool","name":"a","content":[{"type":"text","text":"[1,"},{"type":"text","text":"2]"}]}"#;
    let custom =
        r#"{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"b","input":"ls -l"}}]}"#;
    assert_eq!(
        steps(&[one, said, asked, answered, custom].join(",")).unwrap(),
        [
            Step::Say("\"hi\"".into()),
            Step::Say(said.into()),
            Step::Decide(vec![r#"{"tool":"a","arguments":{"n":1}}"#.into()]),
            learn("a", "[1,2]", Some(at(2, 0))),
            Step::Decide(vec![r#"{"tool":"b","arguments":"ls -l"}"#.into()]),
        ]
    );
}

#[test]
fn a_reference_takes_the_place_of_media() {
    // SHA-256 of the three bytes `abc`.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let reference = |medium: &str, media_type: &str| {
        format!(r#"{{"type":"{medium}","media_type":"{media_type}","bytes":3,"sha256":"{digest}"}}"#)
    };
    let png = reference("image", "image/png");
    for (form, part, expected) in [
        (Form::OpenAi, r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,YWJj"}}"#, &png),
        (
            Form::OpenAi,
            r#"{"type":"input_audio","input_audio":{"data":"YWJj","format":"wav"}}"#,
            &reference("audio", "audio/wav"),
        ),
        (
            Form::OpenAi,
            r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,YWJj"}}"#,
            &reference("file", "application/pdf"),
        ),
        (
            Form::Anthropic,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"YWJj"}}"#,
            &png,
        ),
        (Form::LangChain, r#"{"type":"image","base64":"YWJj","mime_type":"image/png"}"#, &png),
        (Form::OpenAi, r#"{"type":"input_image","image_url":"data:image/png;base64,YWJj"}"#, &png),
    ] {
        let role = if form == Form::LangChain { r#""type":"human""# } else { r#""role":"user""# };
        let text = format!(r#"{{"messages":[{{{role},"content":[{{"type":"text","text":"see"}},{part}]}}]}}"#);
        let reading = Reading { form: Some(form), ..Reading::default() };
        let read = all(&text, &reading).unwrap().remove(0);
        let said = format!(r#"{{"role":"user","content":[{{"type":"text","text":"see"}},{expected}]}}"#);
        assert_eq!((read.references, &read.steps[..]), (1, &[Step::Say(said)][..]), "{part}");
        let kept = all(&text, &Reading { keep_media: true, ..reading }).unwrap().remove(0);
        assert!(kept.references == 0 && matches!(&kept.steps[0], Step::Say(said) if said.contains(part)), "{part}");
    }
    let gemini = r#"{"contents":[{"parts":[{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"YWJj"}}]}]}"#;
    let said = format!(r#"{{"role":"user","content":[{{"type":"text","text":"see"}},{png}]}}"#);
    assert_eq!(all(gemini, &Reading::default()).unwrap()[0].steps, [Step::Say(said)]);
    let result = r#"{"role":"tool","name":"camera","content":[{"type":"text","text":"ok"},{"type":"image","data":"YWJj","mimeType":"image/png"}]}"#;
    let value = format!(r#"[{{"type":"text","text":"ok"}},{png}]"#);
    assert_eq!(steps(result).unwrap(), [learn("camera", &value, None)]);
}

#[test]
fn results_of_anthropic_are_not_said() {
    let conversation = concat!(
        r#"{"id":"a","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"ok"},"#,
        r#"{"type":"tool_use","id":"t1","name":"weather","input":{"city":"Oslo"}}]},"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"15 degrees"}]},"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"boom"}]},"#,
        r#"{"type":"text","text":"Try again."}]}]}"#
    );
    assert_eq!(
        all(conversation, &Reading::default()).unwrap()[0].steps,
        [
            Step::Say("\"hi\"".into()),
            Step::Decide(vec![r#"{"tool":"weather","arguments":{"city":"Oslo"}}"#.into()]),
            learn("weather", "\"15 degrees\"", Some(at(1, 0))),
            Step::Undo(at(1, 0)),
            Step::Say("\"Try again.\"".into()),
        ]
    );
}

#[test]
fn parallel_calls_of_gemini_are_answered_in_order() {
    let conversation = concat!(
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"a","args":{"n":1}}},{"function_call":{"name":"a"}}]},"#,
        r#"{"role":"user","parts":[{"functionResponse":{"name":"a","response":{"error":"boom"}}},"#,
        r#"{"functionResponse":{"name":"a","response":{"output":"[2]"}}}]}]}"#
    );
    let decisions = [r#"{"tool":"a","arguments":{"n":1}}"#, r#"{"tool":"a","arguments":{}}"#];
    assert_eq!(
        all(conversation, &Reading::default()).unwrap()[0].steps,
        [Step::Decide(decisions.map(str::to_owned).into()), Step::Undo(at(0, 0)), learn("a", "[2]", Some(at(0, 1)))]
    );
}

#[test]
fn calls_of_responses_that_follow_each_other_are_one_turn() {
    let conversation = concat!(
        r#"{"input":[{"type":"function_call","call_id":"c1","name":"a","arguments":"{}"},{"type":"reasoning","summary":[]},"#,
        r#"{"type":"custom_tool_call","call_id":"c2","name":"b","input":"ls"},{"type":"web_search_call","id":"w"},"#,
        r#"{"type":"function_call_output","call_id":"c2","output":"error: no"}]}"#
    );
    let read = all(conversation, &Reading::default()).unwrap().remove(0);
    let decisions = [r#"{"tool":"a","arguments":{}}"#, r#"{"tool":"b","arguments":"ls"}"#];
    assert_eq!(read.steps, [Step::Decide(decisions.map(str::to_owned).into()), Step::Undo(at(0, 1))]);
    assert_eq!(read.skipped[0].what, "an item of type `web_search_call`");
}

#[test]
fn invalid_messages_are_refused_by_number() {
    let user = r#"{"role":"user","content":"hi"}"#;
    for wrong in [
        r#"{"role":"user"}"#,
        r#"{"role":"user","content":7}"#,
        r#"{"role":"user","content":"\ud800"}"#,
        r#"{"role":"king","content":"x"}"#,
        r#"{"content":"x"}"#,
        r#"{"role":"tool","name":"a","content":null}"#,
        r#"{"role":"assistant","tool_calls":[{"function":{"name":"a"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"a"}]}"#,
        r#"{"role":"assistant","function_call":{"arguments":"{}"}}"#,
        "7",
        "[]",
    ] {
        let error = steps(&format!("{user},{wrong}")).unwrap_err();
        assert!(error.starts_with("line 1: message 2: "), "{wrong}: {error}");
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
