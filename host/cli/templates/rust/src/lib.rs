//! Greets the user: a workflow that acts on one ticket.

use serde_json::{Value, json};

wit_bindgen::generate!({ path: "wit", world: "workflow" });

use agent::workflow::ticket::{self, Refusal};
use exports::agent::workflow::handler::{Afterwards, Failure, Guest, Reply};

struct Workflow;

export!(Workflow);

impl Guest for Workflow {
    fn run(input: String) -> Result<Reply, Failure> {
        let input: Value = serde_json::from_str(&input).map_err(|error| failed("input", error))?;
        let user = input["user"].as_str().unwrap_or_default();
        if ticket::message_count() == 0 {
            return Err(failed("nothing-said", "the user has said nothing yet"));
        }
        ticket::learn(&json!({ "user": user }).to_string()).map_err(refused)?;
        ticket::decide(&json!({ "action": "greet" }).to_string()).map_err(refused)?;
        let output = json!({ "text": format!("Hello, {user}.") });
        Ok(Reply { output: output.to_string(), afterwards: Afterwards::KeepAlive })
    }
}

fn refused(refusal: Refusal) -> Failure {
    let (Refusal::Invalid(text) | Refusal::TooLarge(text)) = refusal;
    failed("refused", text)
}

fn failed(code: &str, why: impl ToString) -> Failure {
    Failure { code: code.to_owned(), text: why.to_string(), try_again: false }
}
