//! What the scanner accepts and refuses.

use super::*;

#[test]
fn json_is_accepted_and_its_entries_are_counted() {
    for (text, kind, entries, depth) in [
        ("{}", Kind::Object, 0, 1),
        (" [ ] ", Kind::Array, 0, 1),
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
        assert_eq!(check(text), Ok(Shape { kind, entries, depth }), "{text}");
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
fn strict_texts_have_no_duplicate_keys_however_they_are_written() {
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
fn the_fast_path_stops_where_the_slow_one_does() {
    for special in ['"', '\\', '\u{1f}', '\u{0}', '\n'] {
        for before in 0..40 {
            let text =
                format!("{}{special}zzzzzzzzzzzz", "aé~\u{7f}€".chars().cycle().take(before).collect::<String>());
            let slow = text.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            assert_eq!(Some(plain_until(text.as_bytes(), 0)), slow, "{text:?}");
        }
    }
}
