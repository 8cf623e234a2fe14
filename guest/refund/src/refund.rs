//! Whether a cancelled booking is paid back.

use serde::{Deserialize, Serialize};

/// A booking can be cancelled within a day, whatever it is.
const FREE_HOURS: f64 = 24.0;

/// The class of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cabin {
    /// The cheapest.
    BasicEconomy,
    /// The usual.
    Economy,
    /// The most expensive, which can always be cancelled.
    Business,
}

/// What the airline knows of a booking: the input of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Booking {
    /// Its class.
    pub cabin: Cabin,
    /// Hours since it was booked.
    pub booked_hours_ago: f64,
    /// Whether it is insured.
    pub insured: bool,
}

/// Why a booking is paid back, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The airline cancelled the flight.
    AirlineCancelled,
    /// It was booked within a day.
    BookedToday,
    /// The class can always be cancelled.
    Business,
    /// The insurance covers the reason.
    Insured,
    /// None of these.
    NotCovered,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it is paid back.
    pub refund: bool,
    /// Why.
    pub because: Reason,
}

/// Decides on a booking whose user gave this reason.
#[must_use]
pub fn decide(booking: &Booking, reason: &str) -> Decision {
    let covered = ["health", "weather"].contains(&reason);
    let because = match booking {
        _ if reason == "airline cancelled" => Reason::AirlineCancelled,
        Booking { booked_hours_ago, .. } if *booked_hours_ago <= FREE_HOURS => Reason::BookedToday,
        Booking { cabin: Cabin::Business, .. } => Reason::Business,
        Booking { insured: true, .. } if covered => Reason::Insured,
        _ => Reason::NotCovered,
    };
    Decision { refund: because != Reason::NotCovered, because }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_decides() {
        let booking = |cabin, booked_hours_ago, insured| Booking { cabin, booked_hours_ago, insured };
        for (booking, reason, because) in [
            (booking(Cabin::BasicEconomy, 99.0, false), "airline cancelled", Reason::AirlineCancelled),
            (booking(Cabin::BasicEconomy, 24.0, false), "change of plan", Reason::BookedToday),
            (booking(Cabin::Business, 99.0, false), "change of plan", Reason::Business),
            (booking(Cabin::Economy, 99.0, true), "health", Reason::Insured),
            (booking(Cabin::Economy, 99.0, true), "change of plan", Reason::NotCovered),
            (booking(Cabin::Economy, 24.1, false), "weather", Reason::NotCovered),
        ] {
            let decision = decide(&booking, reason);
            assert_eq!((decision.because, decision.refund), (because, because != Reason::NotCovered), "{booking:?}");
        }
    }
}
