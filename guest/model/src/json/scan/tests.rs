//! What the scanner accepts and refuses.

use super::*;
use crate::json::compact;
use crate::json::strings::after_string;

#[test]
fn json_is_accepted_and_its_entries_are_counted() {
    for (text, kind, entries, depth) in [
        ("{}", Kind::Object, 0, 1),
        (" [ ] ", Kind::Array, 0, 1),
        ("[\" \"]", Kind::Array, 1, 1),
        ("{\" \": 1}", Kind::Object, 1, 1),
        ("1\n", Kind::Other, 0, 0),
        ("[1]", Kind::Array, 1, 1),
        ("[[1,2],[3],{\"a\":[4,5]}]", Kind::Array, 3, 3),
        ("[[[]],1]", Kind::Array, 2, 3),
        ("{\"a\":{\"b\":1,\"c\":2},\"d\":[1,2]}", Kind::Object, 2, 2),
        ("\"a,b\"", Kind::String, 0, 0),
        ("-0.5e-7", Kind::Other, 0, 0),
        ("123456789012345678901234567890", Kind::Other, 0, 0),
        ("1e400", Kind::Other, 0, 0),
        ("null", Kind::Other, 0, 0),
        ("[\"\\ud800\", \"\\u00e9\\n\", \"é\", true, false]", Kind::Array, 5, 1),
    ] {
        let spaced = compact(text) != text;
        assert_eq!(check(text), Ok(Shape { kind, entries, depth, spaced }), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "{\"a\" 1}",
        "]",
        "nul",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "0x10",
        "\"",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "\"a\nb\"",
        "\"a\tb\"",
        "'a'",
        "1 2",
        "{}{}",
        "[1}",
        "{\"a\":1]",
        "\u{feff}{}",
    ] {
        assert!(matches!(check(text), Err(Fault::Syntax(..))), "{text:?} gave {:?}", check(text));
        assert!(check_strict(text).is_err(), "{text:?}");
    }
}

#[test]
fn depth_ends_at_the_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(check(&nested(64)).is_ok());
    assert_eq!(check(&nested(65)), Err(Fault::TooDeep));
    assert_eq!(check(&"[".repeat(10_000_000)), Err(Fault::TooDeep));
    assert_eq!(check(&"{\"a\":".repeat(65)), Err(Fault::TooDeep));
}

#[test]
fn duplicate_keys_are_refused_whatever_their_escapes() {
    assert_eq!(check_strict("{\"a\":1,\"b\":{\"a\":2},\"c\":[{\"a\":3},{\"a\":4}]}").map(|shape| shape.entries), Ok(3));
    assert_eq!(check_strict("{\"a\":1,\"a\":2}"), Err(Fault::DuplicateKey(7)));
    assert_eq!(check_strict("{\"a\":1,\"\\u0061\":2}"), Err(Fault::DuplicateKey(7)));
    assert_eq!(check_strict("[{\"x\":{\"a\":1,\"a\":2}}]"), Err(Fault::DuplicateKey(13)));
    assert!(check("{\"a\":1,\"a\":2}").is_ok(), "stored text is taken as it is");
}

#[test]
fn strict_texts_have_no_lone_surrogates() {
    assert!(check_strict("\"\\ud83d\\ude00\"").is_ok());
    for text in ["\"\\ud800\"", "\"\\ude00\\ud83d\"", "{\"\\udc00\":1}", "[\"\\ud800x\"]"] {
        assert!(matches!(check_strict(text), Err(Fault::LoneSurrogate(_))), "{text}");
        assert!(check(text).is_ok(), "stored text is taken as it is: {text}");
    }
}

#[test]
fn strings_end_at_their_quote_and_faults_name_their_byte() {
    for before in 0..20 {
        let plain = "x".repeat(before);
        for escape in ["\\\"", "\\\\", "\\u00e9", "\\n"] {
            let text = format!("\"{plain}{escape}{plain}\"");
            assert!(check(&text).is_ok() && check_strict(&text).is_ok(), "{text}");
            assert_eq!(after_string(format!("{text},1").as_bytes(), 0), text.len(), "{text}");
            assert_eq!(check(&text[..text.len() - 1]), Err(Fault::Syntax("the end of a string", text.len() - 1)));
        }
        let control = format!("\"{plain}\n\"");
        assert_eq!(check(&control), Err(Fault::Syntax("an escape for a control character", before + 1)));
        let unknown = format!("\"{plain}\\x\"");
        assert_eq!(check(&unknown), Err(Fault::Syntax("an escape that JSON knows", before + 2)));
    }
}
