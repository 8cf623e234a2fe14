//! Changes to a state: their order, their limits, and that what is not looked at again is sound all the same.

use super::*;

const SETTINGS: Settings =
    Settings { ttl_ms: 1_800_000, message_bytes_max: 64, ticket_bytes_max: 400, history_entries_max: 3 };

fn checked(change: Change) -> Result<Checked, Error> {
    Checked::new(change, &SETTINGS)
}

fn say(text: &str) -> Checked {
    checked(Change::Say(text.into())).unwrap()
}

#[test]
fn changes_apply_in_order_and_time_never_goes_back() {
    let old = State { updated_at: 50, ..Sound::new(10).into_state() };
    let changes = [
        say("\"a\""),
        checked(Change::Learn("{\"x\": 1, \"y\": null}".into())).unwrap(),
        say("{\"id\": \"m\"}"),
        checked(Change::Decide("[ 1 ]".into())).unwrap(),
        checked(Change::Learn("{\"x\":null,\"z\":{}}".into())).unwrap(),
    ];
    let (new, done) = Sound::of(old, &SETTINGS).unwrap().with(&changes, 40, &SETTINGS).unwrap();
    let new = new.into_state();
    assert!(done.changed());
    assert_eq!(new.history, "[\"a\",{\"id\":\"m\"}]");
    assert_eq!(new.facts, "{\"z\":{}}");
    assert_eq!(new.last_decision, "[1]");
    assert_eq!((new.created_at, new.updated_at), (10, 50));
}

#[test]
fn a_known_message_alone_changes_nothing() {
    let (old, _) = Sound::new(10).with(&[say("{\"id\":\"m\"}")], 10, &SETTINGS).unwrap();
    let (same, done) = old.clone().with(&[say("{\"id\":\"m\"}")], 99, &SETTINGS).unwrap();
    assert!(!done.changed());
    assert_eq!(same, old);
    let (more, done) = old.with(&[say("{\"id\":\"m\"}"), say("\"b\"")], 99, &SETTINGS).unwrap();
    assert!(done.changed());
    assert_eq!((more.state.history.as_str(), more.state.updated_at), ("[{\"id\":\"m\"},\"b\"]", 99));
}

#[test]
fn input_past_a_limit_or_of_the_wrong_kind_is_refused() {
    let long = format!("\"{}\"", "x".repeat(63));
    assert!(matches!(checked(Change::Say(long)), Err(Error::TooLarge(_))));
    for bad in ["1", "[]", "null", "true", "", "{\"a\":1,\"a\":1}", "\"\\ud800\"", "NaN"] {
        assert!(matches!(checked(Change::Say(bad.into())), Err(Error::Invalid(_))), "{bad}");
    }
    for bad in ["[]", "1", "null", "\"a\"", "{\"a\":NaN}", "{\"a\":1"] {
        assert!(matches!(checked(Change::Learn(bad.into())), Err(Error::Invalid(_))), "{bad}");
    }
    assert!(matches!(checked(Change::Decide("nope".into())), Err(Error::Invalid(_))));
    assert!(checked(Change::Decide("null".into())).is_ok());
}

#[test]
fn a_message_may_nest_as_deep_as_its_history_may() {
    let settings = Settings { message_bytes_max: 1_000, ..SETTINGS };
    let said = |depth: usize| {
        let message = Checked::new(Change::Say(nested(depth)), &settings).unwrap();
        Sound::new(0).with(&[message], 0, &settings)
    };
    assert!(said(63).is_ok());
    assert!(matches!(said(64), Err(Error::Invalid(_))));
}

#[test]
fn a_state_past_a_limit_is_refused() {
    let four: Vec<Checked> = (0..4).map(|n| say(&format!("\"{n}\""))).collect();
    assert!(matches!(Sound::new(0).with(&four, 0, &SETTINGS), Err(Error::TooLarge(_))));
    let big = checked(Change::Decide(format!("\"{}\"", "x".repeat(392)))).unwrap();
    assert!(matches!(Sound::new(0).with(&[big], 0, &SETTINGS), Err(Error::TooLarge(_))));
    let exact = 400 - "{}[]1".len() - 2 - 2;
    let fits = checked(Change::Decide(format!("\"{}\"", "x".repeat(exact)))).unwrap();
    assert!(Sound::new(0).with(&[fits], 0, &SETTINGS).is_ok(), "the limit itself is allowed");
}

/// JSON of so many levels: lists in an object.
fn nested(depth: usize) -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

#[test]
fn depth_is_checked_after_the_bytes_and_before_the_entries() {
    let deep = |bytes_max| {
        let settings = Settings { message_bytes_max: 1_000, ticket_bytes_max: bytes_max, ..SETTINGS };
        let says = ["{}", "{}", "{}", &nested(64)];
        let changes = says.map(|text| Checked::new(Change::Say(text.into()), &settings).unwrap());
        Sound::new(0).with(&changes, 0, &settings).unwrap_err()
    };
    let text = "with these changes, field `history` is not JSON: nests deeper than 64";
    assert_eq!(deep(400), Error::Invalid(text.into()));
    assert_eq!(deep(100), Error::TooLarge("ticket has 150 bytes in its six fields, the limit is 100".into()));
    let four = [0, 1, 2, 3].map(|n| say(&format!("\"{n}\"")));
    let error = Sound::new(0).with(&four, 0, &SETTINGS).unwrap_err();
    assert_eq!(error, Error::TooLarge("history has 4 entries, the limit is 3".into()));
}

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % sides
    }

    fn one_of(&mut self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].into()
    }
}

#[test]
fn the_check_after_a_change_agrees_with_a_full_check() {
    let mut dice = Dice(2_026);
    let (deepest, deep) = (nested(64), nested(63));
    let messages = ["\"a\"", "{\"id\":\"m\"}", "{\"id\":\"m\",\"x\":1}", "{ \"id\" : \"n\" }", "{}", &deep, &deepest];
    let patches = ["{}", "{\"a\":1}", "{\"a\":null}", "{\"a\":{\"b\":[2]}}", &deepest];
    let mut seen = [0; 3];
    for _ in 0..20_000 {
        let settings =
            Settings { message_bytes_max: 1_000, ticket_bytes_max: [50, 200, 500, 5_000][dice.below(4)], ..SETTINGS };
        let state = State {
            facts: dice.one_of(&["{}", "{ \"a\": 1 }", "{\"a\":{\"b\":1},\"a\":2}", &deepest]),
            history: dice.one_of(&["[]", " [ ] ", "[1, \"]\" ]\n", "[{\"id\":\"m\"}]", "[[[]],{\"id\":\"m\"},{}]"]),
            last_decision: dice.one_of(&["{}", "null", &deepest]),
            ..Sound::new(7).into_state()
        };
        let changes: Vec<_> = (0..dice.below(4))
            .map(|_| match dice.below(7) {
                0 => Change::Decide(dice.one_of(&["1", "[ 2 ]", &deepest])),
                1 => Change::Learn(dice.one_of(&patches)),
                2 => Change::Put(Put {
                    pointer: dice.one_of(&["/a", "/a/b", "/n~0"]),
                    value: dice.one_of(&["null", "{}", &deepest]),
                    only_if_absent: dice.below(2) == 0,
                }),
                3 => Change::Retract(dice.below(3) as u32),
                4 => Change::Trim(Bounds { entries_max: Some(dice.below(4) as u32), bytes_max: None }),
                _ => Change::Say(dice.one_of(&messages)),
            })
            .filter_map(|change| Checked::new(change, &settings).ok())
            .collect();
        let Ok(sound) = Sound::of(state, &settings) else { continue };
        let now_s = dice.below(20) as u64;
        let after = sound.clone().with(&changes, now_s, &settings).map(|(sound, _)| sound);
        let mut next = sound;
        let mut done = Done::default();
        let in_full = changes.iter().try_for_each(|change| next.apply(change, &mut done)).and_then(|()| {
            if done.changed() {
                next.state.updated_at = now_s.max(7);
            }
            Sound::of(next.state, &settings).map_err(|error| match error {
                Error::Corrupt(text) => Error::Invalid(format!("with these changes, {text}")),
                other => other,
            })
        });
        match &after {
            Ok(_) => seen[0] += 1,
            Err(Error::Invalid(_)) => seen[1] += 1,
            Err(_) => seen[2] += 1,
        }
        assert_eq!(after, in_full, "{changes:?}");
    }
    assert!(seen.iter().all(|&times| times > 1_000), "{seen:?}");
}
