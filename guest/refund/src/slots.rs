//! What a cancellation needs to know, found in what the user said.

use serde::{Deserialize, Serialize};

/// Characters of a reservation id.
const RESERVATION_CHARS: usize = 6;
/// Letters of an airline in a flight number.
const AIRLINE_CHARS: usize = 3;
/// Digits that end a user id.
const USER_DIGITS: usize = 4;

/// One thing that a cancellation needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// Who asks.
    UserId,
    /// What is to be cancelled.
    ReservationId,
    /// Why.
    Reason,
}

/// What is known so far; facts of the ticket under the same names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// As in `mia_li_3668`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// As in `M05KNL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<String>,
    /// The words of the user that name a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Slots {
    /// Takes what a message of the user says. Later messages win: users correct themselves.
    pub fn hear(&mut self, text: &str) {
        let words = || text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        if let Some(user) = words().rfind(|word| is_user_id(word)) {
            self.user_id = Some(user.to_owned());
        }
        let named = names_reservation(text);
        if let Some(reservation) = words().rfind(|word| is_reservation_id(word, named)) {
            self.reservation_id = Some(reservation.to_owned());
        }
        if let Some(reason) = reason(text) {
            self.reason = Some(reason.to_owned());
        }
    }

    /// What is still to be asked, in the order in which to ask.
    #[must_use]
    pub fn missing(&self) -> Vec<Slot> {
        let slots = [
            (Slot::UserId, self.user_id.is_none()),
            (Slot::ReservationId, self.reservation_id.is_none()),
            (Slot::Reason, self.reason.is_none()),
        ];
        slots.into_iter().filter(|(_, missing)| *missing).map(|(slot, _)| slot).collect()
    }
}

/// First name, last name and four digits.
fn is_user_id(word: &str) -> bool {
    let Some((names, digits)) = word.rsplit_once('_') else { return false };
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    digits.len() == USER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) && names.split('_').all(is_name)
}

/// Six capital letters and digits that are not a flight number. One without a digit is an id only where a reservation is
/// `named`: it may as well be a word.
fn is_reservation_id(word: &str, named: bool) -> bool {
    word.len() == RESERVATION_CHARS
        && !is_flight_number(word)
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && (named || word.bytes().any(|byte| byte.is_ascii_digit()))
        && word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Whether a text speaks of a reservation.
fn names_reservation(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["reservation", "booking", "confirmation"].iter().any(|word| text.contains(word))
}

/// The letters of an airline and digits, as in `HAT052`.
fn is_flight_number(word: &str) -> bool {
    let digits = word.trim_start_matches(|char: char| char.is_ascii_uppercase());
    digits.len() == RESERVATION_CHARS - AIRLINE_CHARS && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The reason that a text names, if it names one.
fn reason(text: &str) -> Option<&'static str> {
    const REASONS: [(&str, &[&str]); 4] = [
        (
            "airline cancelled",
            &["airline cancelled", "airline canceled", "flight was cancelled", "flight was canceled"],
        ),
        ("health", &["sick", "unwell", "ill", "injured", "hospital"]),
        ("weather", &["storm", "snow", "hurricane", "weather"]),
        ("change of plan", &["change of plan", "plans changed", "plans have changed"]),
    ];
    let text = format!(" {} ", text.to_lowercase().replace(|char: char| !char.is_alphanumeric(), " "));
    let says = |words: &&str| text.contains(&format!(" {words}"));
    REASONS.iter().find(|(_, words)| words.iter().any(&says)).map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(texts: &[&str]) -> Slots {
        let mut slots = Slots::default();
        texts.iter().for_each(|text| slots.hear(text));
        slots
    }

    #[test]
    fn ids_are_found_among_words() {
        let slots = heard(&["My user ID is mia_kim_4397, and the reservation ID is H9ZU1C.", "Thanks!"]);
        assert_eq!(slots.user_id.as_deref(), Some("mia_kim_4397"));
        assert_eq!(slots.reservation_id.as_deref(), Some("H9ZU1C"));
        assert_eq!(slots.missing(), [Slot::Reason]);
    }

    #[test]
    fn what_only_looks_like_an_id_is_none() {
        let slots = heard(&["FLIGHT HAT052 to EWR in 202405, code mia_4397x, Mia_Kim_4397, __1234, ABCDEF"]);
        assert_eq!(slots, Slots::default());
        assert_eq!(slots.missing(), [Slot::UserId, Slot::ReservationId, Slot::Reason]);
    }

    #[test]
    fn an_id_of_letters_is_one_where_a_reservation_is_named() {
        assert_eq!(heard(&["My reservation is HXDUBJ."]).reservation_id.as_deref(), Some("HXDUBJ"));
        assert_eq!(heard(&["PLEASE help me with HXDUBJ."]).reservation_id, None);
    }

    #[test]
    fn a_reason_is_named_by_whole_words() {
        for (text, expected) in [
            ("I'm feeling a bit unwell.", Some("health")),
            ("It will be fine, still.", None),
            ("There's a snow storm.", Some("weather")),
            ("It was a CHANGE of plan", Some("change of plan")),
            ("Your airline cancelled my flight because of weather", Some("airline cancelled")),
        ] {
            assert_eq!(heard(&[text]).reason.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_correction_wins() {
        let slots = heard(&["It is M05KNL.", "No, sorry: GV1N64."]);
        assert_eq!(slots.reservation_id.as_deref(), Some("GV1N64"));
    }
}
