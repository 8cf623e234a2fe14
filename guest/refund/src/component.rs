//! The workflow as a component: reads the ticket, records slots and decision, answers what to do next.

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "workflow" });
}

use bindings::agent::workflow::ticket::{self, Refusal};
use bindings::exports::agent::workflow::handler::{Afterwards, Failure, Guest, Reply};
use serde_json::{Value, json};

use crate::refund::{Booking, decide};
use crate::slots::Slots;

/// Messages that are looked at: what was said long ago is in the facts already.
const MESSAGES: u32 = 50;

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn run(input: String) -> Result<Reply, Failure> {
        let booking: Option<Booking> = serde_json::from_str(&input).map_err(|error| failure("input", &error))?;
        let mut slots: Slots = serde_json::from_str(&ticket::facts()).map_err(|error| failure("facts", &error))?;
        for message in ticket::last_messages(MESSAGES) {
            if let Some(text) = said_by_user(&message) {
                slots.hear(&text);
            }
        }
        ticket::learn(&json!(slots).to_string()).map_err(refused)?;
        let next = next(&slots, booking.as_ref());
        ticket::decide(&next.to_string()).map_err(refused)?;
        Ok(Reply { output: next.to_string(), afterwards: Afterwards::KeepAlive })
    }
}

/// What the agent does next.
fn next(slots: &Slots, booking: Option<&Booking>) -> Value {
    let missing = slots.missing();
    match (booking, &slots.reason) {
        (Some(booking), Some(reason)) if missing.is_empty() => {
            let decision = decide(booking, reason);
            let action = if decision.refund { "refund" } else { "decline" };
            json!({ "action": action, "because": decision.because, "reservation_id": slots.reservation_id })
        }
        (None, _) if missing.is_empty() => json!({ "action": "look_up", "reservation_id": slots.reservation_id }),
        _ => json!({ "action": "ask", "for": missing }),
    }
}

/// The text of a message, if it is the user's: a message may be a text or an object.
fn said_by_user(message: &str) -> Option<String> {
    match serde_json::from_str(message).ok()? {
        Value::String(text) => Some(text),
        Value::Object(mut message) if message.get("role").is_none_or(|role| role == "user") => {
            if let Some(Value::String(text)) = message.remove("content") { Some(text) } else { None }
        }
        _ => None,
    }
}

fn refused(refusal: Refusal) -> Failure {
    let (Refusal::Invalid(text) | Refusal::TooLarge(text)) = refusal;
    failure("refused", &text)
}

fn failure(code: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure { code: code.to_owned(), text: why.to_string(), try_again: false }
}
