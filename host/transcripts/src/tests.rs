//! What every form has: ids, places, the form that is told from a conversation, random texts.

use proptest::prelude::*;

use ticket_model::id;

use super::*;

/// All conversations of a text.
pub(crate) fn all(text: &str, reading: &Reading) -> Result<Vec<Conversation>, String> {
    all_of(text.as_bytes(), reading)
}

fn all_of(bytes: &[u8], reading: &Reading) -> Result<Vec<Conversation>, String> {
    let mut documents = Documents::new(bytes);
    let mut conversations = Vec::new();
    while let Some(text) = documents.read_next().map_err(|wrong| wrong.to_string())? {
        for document in text.conversations().map_err(|wrong| wrong.to_string())? {
            let read = read(&document, reading).map_err(|wrong| format!("{}: {wrong}", document.place))?;
            conversations.push(read);
        }
    }
    Ok(conversations)
}

fn ids(text: &str) -> Vec<String> {
    all(text, &Reading::default()).expect("conversations").into_iter().map(|it| it.id).collect()
}

const HI: &str = r#"{"role":"user","content":"hi"}"#;

#[test]
fn a_conversation_may_have_a_number_as_id_or_none() {
    assert_eq!(ids(&format!(r#"{{"id":17,"messages":[{HI}]}}"#)), ["17"]);
    let none = ids(&format!("{{\"messages\":[{HI}]}}\n{{\"id\":null,\"messages\":[{HI}]}}\n[{HI}]"));
    assert_eq!(none.len(), 3);
    for (place, id) in none.iter().enumerate() {
        assert!(id.starts_with(&format!("conversation-{}-", place + 1)) && id::is_id(id), "{id}");
    }
    assert_eq!(none, ids(&format!("{{\"messages\":[{HI}]}}\n{{\"id\":null,\"messages\":[{HI}]}}\n[{HI}]")));
    for wrong in [r#""a b""#, "1.5", "-1", "[]", "{}", "true", r#""""#] {
        assert!(all(&format!(r#"{{"id":{wrong},"messages":[]}}"#), &Reading::default()).is_err(), "{wrong}");
    }
}

#[test]
fn conversations_come_as_lines_or_in_one_document() {
    let (a, b) = (format!(r#"{{"id":"a","messages":[{HI}]}}"#), format!("{{\"id\":\"b\",\n \"messages\":[{HI}]\n}}"));
    for text in [format!("[{a},{b}]"), format!("[\n{a},\n{b}\n]\n"), format!("{a}\n\n{b}\n"), format!("{b}{a}")] {
        let mut ids = ids(&text);
        ids.sort();
        assert_eq!(ids, ["a", "b"], "{text}");
    }
    let utf16 = |little: bool| -> Vec<u8> {
        let text = format!("\u{feff}{a}\n{b}");
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    };
    for bytes in [format!("\u{feff}{a}\n{b}").into_bytes(), utf16(true), utf16(false)] {
        assert_eq!(all_of(&bytes, &Reading::default()).expect("a byte order mark").len(), 2);
    }
}

#[test]
fn an_error_names_its_place() {
    for (text, place) in [
        (
            format!("{{\"id\":\"a\",\"messages\":[{HI}]}}\n{{\"id\":\"b\",\"messages\":[{HI},7]}}"),
            "line 2: message 2: ",
        ),
        (format!("\n[{{\"messages\":[{HI}]}},{{\"input\":[{{\"role\":\"king\"}}]}}]"), "line 2, item 2: message 1: "),
        (format!("{{\"id\":\"a\",\"messages\":[{HI}]}}\nhello"), "line 2 is not JSON: "),
        ("{\"id\":\"a\",\n\"messages\":[7,}".into(), "the JSON that begins on line 1 is not complete or invalid: "),
        (r#"["a18",[["user","hello",null,null,null]]]"#.into(), "line 1: item 1 of an array, "),
        (
            format!(r#"[{HI},{{"messages":[]}}]"#),
            "line 1: an array holds conversations or the messages of one, not both",
        ),
        (r#"{"id":"a"}"#.into(), "line 1: it is of no known form: "),
        (r#"{"id":"a","id":"b","messages":[]}"#.into(), "line 1: the name `id` repeats"),
        (r#"{"messages":[["user","hi"]]}"#.into(), "line 1: message 1: `[\\\"user"),
        (format!(r#"{{"messages":{HI}}}"#), "line 1: messages: "),
        ("7".into(), "line 1: `7` is not an object"),
    ] {
        let error = all(&text, &Reading::default()).expect_err(&text);
        assert!(error.starts_with(place), "{text}: {error}");
    }
}

#[test]
fn the_form_is_told_from_the_conversation() {
    for (conversation, form) in [
        (r#"{"messages":[{"role":"user","content":"hi"}]}"#, Form::OpenAi),
        (r#"{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#, Form::OpenAi),
        (
            r#"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"a","input":{}}]}]}"#,
            Form::Anthropic,
        ),
        (r#"{"system":"Be kind.","messages":[{"role":"user","content":"hi"}]}"#, Form::Anthropic),
        (r#"{"messages":[{"type":"human","content":"hi"}]}"#, Form::LangChain),
        (r#"{"messages":[{"type":"human","data":{"content":"hi"}}]}"#, Form::LangChain),
        (
            r#"[{"lc":1,"type":"constructor","id":["langchain","HumanMessage"],"kwargs":{"content":"hi"}}]"#,
            Form::LangChain,
        ),
        (r#"{"input":[{"role":"user","content":"hi"}]}"#, Form::Responses),
        (r#"{"input":"hi"}"#, Form::Responses),
        (r#"[{"type":"message","role":"user","content":"hi"}]"#, Form::Responses),
        (r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#, Form::Gemini),
        (r#"[{"parts":[{"text":"hi"}]}]"#, Form::Gemini),
    ] {
        let read = all(conversation, &Reading::default()).expect(conversation);
        assert_eq!(read[0].form, form, "{conversation}");
        assert_eq!(read[0].steps[0], Step::Say("\"hi\"".into()), "{conversation}");
    }
    let forced = Reading { form: Some(Form::Gemini), ..Reading::default() };
    let error = all(&format!(r#"{{"messages":[{HI}]}}"#), &forced).expect_err("of another form");
    assert!(error.contains("`contents` is missing, which the form gemini has"), "{error}");
}

/// JSON that is likely to be something in one of the forms.
fn json() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "id",
        "role",
        "type",
        "content",
        "messages",
        "input",
        "contents",
        "parts",
        "text",
        "tool_calls",
        "function",
        "function_call",
        "functionCall",
        "functionResponse",
        "response",
        "name",
        "arguments",
        "args",
        "call_id",
        "tool_call_id",
        "tool_use_id",
        "output",
        "data",
        "kwargs",
        "source",
        "inlineData",
        "mimeType",
        "is_error",
    ]);
    let texts = prop::sample::select(vec![
        "user",
        "assistant",
        "tool",
        "human",
        "ai",
        "model",
        "function",
        "constructor",
        "tool_use",
        "tool_result",
        "text",
        "function_call",
        "function_call_output",
        "message",
        "image",
        "c1",
        "Error",
        "error: x",
        "data:image/png;base64,AAAA",
        "{\"a\":1}",
        "\u{e9}\u{1f600}",
        "",
    ]);
    let leaf = prop_oneof![
        texts.prop_map(|text| serde_json::to_string(text).expect("JSON")),
        prop::sample::select(vec!["null", "true", "7", "1e999", "\"\\ud800\"", "{}", "[]"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            2 => prop::collection::vec((names.clone(), inner.clone()), 0..6).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
            1 => prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in json(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for form in Form::ALL.map(Some).into_iter().chain([None]) {
            let reading = Reading { form, ..Reading::default() };
            for member in ["messages", "input", "contents"] {
                let _ = all(&format!("{{\"id\":\"a\",\"{member}\":[{text},{text}]}}"), &reading);
            }
            let _ = all(&text, &reading);
        }
        let _ = all_of(&bytes, &Reading::default());
    }
}
