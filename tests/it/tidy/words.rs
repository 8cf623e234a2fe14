//! Plain technical English: words that a reader would have to learn here occur in no name, comment, message or page.
//!
//! Left of the arrow in the lists stands what is refused, right of it what says the same.

use super::files;
use super::source::Source;

/// Refused everywhere, also as a part of a name.
const WORDS: &[(&str, &str)] = &[
    ("ground grounds", "store, TestBackend"),
    ("lend lends lent lending lender", "provide, HostCtx"),
    ("shadow shadows shadowed", "replica, record"),
    ("unsaved", "pending"),
    ("homeward", "sync"),
    ("brought", "synced, changed, moved"),
    ("settle settles settled settling", "resolve"),
    ("conclude concludes concluded", "resolve"),
    ("lineage parting", "merge base"),
    ("aside", "conflict copy, branch"),
    ("away", "down"),
    ("unfit", "incompatible"),
    ("qualify qualifies qualified", "handshake"),
    ("deed deeds", "external write"),
    ("trouble", "BoxError, error"),
    ("moment moments", "time"),
    ("somebody", "another client, a caller"),
    ("nobody", "no client, no caller, no one"),
    ("shall", "must, is"),
];

/// Refused as names in code.
const NAMES: &[(&str, &str)] = &[
    ("turn turns", "KeyedLock, KeyGuard"),
    ("life lives", "incarnation"),
    ("home", "sync"),
    ("hand", "RawClient"),
    ("stage play plays played", "ScenarioHost, run"),
    ("strange", "unexpected"),
    ("bug", "internal"),
    ("tried", "unconfirmed"),
    ("there", "current, theirs"),
    ("goes_on_from", "descends_from"),
    ("covers", "supersedes"),
    ("reconcile", "sync"),
];

/// Refused in comments, messages and pages, unless it is "there is no".
const PHRASES: &[(&str, &str)] = &[
    ("stand-in", "fallback, FakeRedis"),
    ("stand_in", "fallback, FakeRedis"),
    (" is no ", "is not a, invalid"),
    (" are no ", "are not"),
    (" is none that ", "is not a"),
    (" is none of ", "is not"),
    (" that is none", "that is not one"),
    (" which is none", "which is not one"),
    ("none of ours", "unexpected"),
    ("foreign program", "another client"),
    (", for it ", "because it"),
    (", for they ", "because they"),
    (", for nothing ", "because nothing"),
];

/// Names on the wire and in files already written: beginnings of paths, and the words that may stand there.
const ALLOWED: &[(&str, &str)] = &[
    ("wit/tickets.wit", "aside"),
    ("wit/deps/agent-tickets-0.1.0/tickets.wit", "aside"),
    ("wit/adapters/interposed.wit", "deed deeds"),
    ("guest/interposed/src/component.rs", "deed deeds"),
    ("guest/engine/src/component.rs", "aside"),
    ("guest/engine/src/component/former.rs", "aside"),
    ("host/tickets/src/engine/wire.rs", "aside"),
    ("tests/hosts/", "aside deed deeds"),
    ("tests/scenarios/", "aside"),
    ("host/conformance/src/transcript.rs", "aside"),
    ("tests/bench/", "turn turns"),
    ("guest/builder/src", "home"),
    ("host/cli/src/state_folder.rs", "home"),
    ("tests/it/command.rs", "home"),
    ("tests/it/transfer_command.rs", "home"),
    ("tests/it/workflow_command.rs", "home"),
    ("tests/it/workflow_registry.rs", "home"),
    ("tests/it/fallback_command.rs", "home unsaved"),
    ("tests/harness/program.rs", "home"),
    ("host/fallback/src", "unsaved"),
    // The turn of an agent in a conversation.
    ("host/transcripts/src", "turn"),
    ("host/cli/src/replay", "turn"),
];

const TEST_NAME_CHARS_MAX: usize = 60;

#[test]
fn words_are_plain() {
    let mut faults = Vec::new();
    for (path, text) in texts() {
        let refused = |list: &[(&str, &'static str)], word: &str| {
            let with = list.iter().find(|(words, _)| words.split(' ').any(|one| one == word))?.1;
            let is_allowed =
                |(place, words): &(&str, &str)| path.starts_with(place) && words.split(' ').any(|one| one == word);
            (!ALLOWED.iter().any(is_allowed)).then_some(with)
        };
        for (number, line) in text.lines().enumerate() {
            for word in parts(line) {
                if let Some(with) = refused(WORDS, &word) {
                    faults.push(format!("{path}:{}: {word} -> {with}: {}", number + 1, line.trim()));
                }
            }
            let line_in_lower_case = format!(" {} ", line.to_lowercase());
            for (phrase, with) in PHRASES {
                let mut found = line_in_lower_case.match_indices(phrase);
                let existential = |at: usize, phrase: &str| {
                    line_in_lower_case[..at].ends_with("there")
                        || line_in_lower_case[..at].chars().all(|letter| "/! ".contains(letter))
                        || ["longer", "more"]
                            .iter()
                            .any(|word| line_in_lower_case[at + phrase.len()..].starts_with(word))
                };
                if found.any(|(at, phrase)| !existential(at, phrase)) {
                    faults.push(format!("{path}:{}: {} -> {with}: {}", number + 1, phrase.trim(), line.trim()));
                }
            }
        }
        if path.ends_with(".rs") {
            for (number, line) in Source::of(&text).code.lines().enumerate() {
                for name in line.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
                    if let Some(with) = refused(NAMES, &snake_case(name)) {
                        faults.push(format!("{path}:{}: name {name} -> {with}: {}", number + 1, line.trim()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} words\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn error_messages_are_lower_case_without_full_stop() {
    const MAKERS: [&str; 7] = ["Error::", "Failure::", ".error(", "bail!(", "context(", "anyhow!(", "#[error("];
    let mut faults = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| path.ends_with(".rs") && path.contains("/src/")) {
        let source = Source::of(&text);
        let lines: Vec<&str> = source.code.lines().collect();
        for (number, literal) in &source.strings {
            let makes_an_error = MAKERS.iter().any(|maker| lines[number - 1].contains(maker));
            let mut letters = literal.chars();
            // A name such as `INFO` or `Redis` keeps its capital.
            let capital =
                letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase);
            let capital = capital && !["Cargo", "Redis", "SQLite"].iter().any(|name| literal.starts_with(name));
            if makes_an_error && literal.contains(' ') && (capital || literal.ends_with('.')) {
                faults.push(format!("{path}:{number}: {literal}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} messages\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn test_names_are_short() {
    let mut faults = Vec::new();
    for (path, text) in files(&[".rs"]) {
        let mut marked = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let name = line.split_once("fn ").filter(|_| marked && !line.starts_with('#')).map(|(_, rest)| rest);
            if let Some(name) = name.and_then(|rest| rest.split('(').next()) {
                marked = false;
                if name.len() > TEST_NAME_CHARS_MAX {
                    faults.push(format!("{path}:{}: test name of {} characters: {name}", number + 1, name.len()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} names\n{}", faults.len(), faults.join("\n"));
}

/// The files that are written here, but for these lists.
fn texts() -> Vec<(String, String)> {
    let texts = files(&[".rs", ".lua", ".py", ".mjs", ".sh", ".wit", ".toml", ".ci/run"]).into_iter();
    texts
        .filter(|(path, _)| {
            !["tests/it/tidy/words.rs", "tests/it/documents.rs"].contains(&path.as_str())
                && !path.starts_with("wit/adapters/deps/")
        })
        .collect()
}

/// The words of a line in lower case; those of a name such as `LastAck` or `last_ack` one by one.
fn parts(line: &str) -> Vec<String> {
    let words = line.split(|letter: char| !letter.is_alphanumeric()).map(snake_case);
    words.flat_map(|word| word.split('_').map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// `last_ack` for `LastAck`, `LAST_ACK` and `last_ack`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut after_small = false;
    for letter in name.chars() {
        if letter.is_uppercase() && after_small {
            snake.push('_');
        }
        after_small = letter.is_lowercase();
        snake.extend(letter.to_lowercase());
    }
    snake
}
