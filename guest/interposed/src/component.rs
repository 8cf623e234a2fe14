//! The store's functions, each after what the host's script has for the call; types are converted one to one.

mod bindings {
    wit_bindgen::generate!({
        path: ["wit", "wit/adapters"],
        world: "agent:adapters/interposed",
        generate_all,
    });
}

use bindings::agent::adapters::interposition::{self, BrokenRule, Call, Deed as ExternalWrite, Refusal, Replacement};
use bindings::agent::tickets0_1_0::{environment as store_environment, key_value as store};
use bindings::exports::agent::tickets0_1_0::{environment, key_value};

/// Shortest time to live that a store takes, in milliseconds.
const TTL_MS_MIN: u64 = 1_000;

struct Component;

bindings::export!(Component with_types_in bindings);

impl key_value::Guest for Component {
    fn read(key: String, freshness: key_value::Freshness) -> Result<key_value::Lookup, key_value::Error> {
        let freshness = match freshness {
            key_value::Freshness::Latest => store::Freshness::Latest,
            key_value::Freshness::Recent => store::Freshness::Recent,
        };
        let lookup = scripted(Call::Read, || store::read(&key, freshness))?;
        Ok(key_value::Lookup { entry: lookup.entry.map(Into::into) })
    }

    fn write(
        key: String,
        fields: key_value::Fields,
        ttl_ms: u64,
        when: key_value::Condition,
    ) -> Result<key_value::Outcome, key_value::Error> {
        let when = when.into();
        Ok(scripted(Call::Write, || {
            let broken = Broken::before(&key);
            let outcome = store::write(&key, &broken.fields(fields), broken.ttl_ms(ttl_ms), &when)?;
            Ok(broken.outcome(outcome))
        })?
        .into())
    }

    fn touch(key: String, ttl_ms: u64) -> Result<key_value::Outcome, key_value::Error> {
        Ok(scripted(Call::Touch, || {
            let broken = Broken::before(&key);
            Ok(broken.outcome(store::touch(&key, broken.ttl_ms(ttl_ms))?))
        })?
        .into())
    }

    fn remove(key: String, when: key_value::Condition) -> Result<key_value::Outcome, key_value::Error> {
        let when = when.into();
        Ok(scripted(Call::Remove, || store::remove(&key, &when))?.into())
    }

    fn scan(cursor: Option<String>, limit: u32) -> Result<key_value::Page, key_value::Error> {
        let page = scripted(Call::Scan, || store::scan(cursor.as_deref(), limit))?;
        Ok(key_value::Page { keys: page.keys, cursor: page.cursor })
    }
}

impl environment::Guest for Component {
    fn now_ms() -> u64 {
        store_environment::now_ms().saturating_add_signed(interposition::ahead_ms())
    }

    fn fresh_id() -> String {
        store_environment::fresh_id()
    }

    fn current_settings() -> environment::Settings {
        let settings = store_environment::current_settings();
        environment::Settings {
            ttl_ms: settings.ttl_ms,
            message_bytes_max: settings.message_bytes_max,
            ticket_bytes_max: settings.ticket_bytes_max,
            history_entries_max: settings.history_entries_max,
        }
    }

    fn try_again(attempt: u32) -> bool {
        store_environment::try_again(attempt)
    }
}

/// The rule that is broken, and the entry before the change; `None` if no rule is broken.
struct Broken(Option<(BrokenRule, store::Entry)>);

impl Broken {
    fn before(key: &str) -> Self {
        let before = |rule| Some((rule, store::read(key, store::Freshness::Latest).ok()?.entry?));
        Self(interposition::broken().and_then(before))
    }

    fn ttl_ms(&self, ttl_ms: u64) -> u64 {
        match &self.0 {
            Some((BrokenRule::TtlNotRefreshed, before)) => {
                before.expires_at_ms.saturating_sub(store_environment::now_ms()).max(TTL_MS_MIN)
            }
            _ => ttl_ms,
        }
    }

    fn fields(&self, mut fields: store::Fields) -> store::Fields {
        if let Some((BrokenRule::MergeInsteadOfReplace, before)) = &self.0 {
            let kept = before.fields.iter().filter(|(name, _)| !fields.iter().any(|(given, _)| given == name));
            fields.extend(kept.cloned().collect::<Vec<_>>());
        }
        fields
    }

    fn outcome(&self, outcome: store::Outcome) -> store::Outcome {
        match &self.0 {
            Some((BrokenRule::RevisionNotRaised, before)) if outcome.applied => {
                store::Outcome { revision: Some(before.revision.clone()), ..outcome }
            }
            _ => outcome,
        }
    }
}

/// Runs the script of this call, then makes the call unless the script has it fail before.
fn scripted<T>(call: Call, make: impl FnOnce() -> Result<T, store::Error>) -> Result<T, key_value::Error> {
    let script = interposition::before(call);
    for write in script.deeds {
        apply(write)?;
    }
    let Some(fault) = script.fault else { return make().map_err(Into::into) };
    if fault.made {
        make()?;
    }
    let text = "fault of the scenario".to_owned();
    Err(match fault.answer {
        Refusal::Invalid => key_value::Error::Invalid(text),
        Refusal::TooLarge => key_value::Error::TooLarge(1),
        Refusal::Denied => key_value::Error::Denied(text),
        Refusal::Unavailable => key_value::Error::Unavailable(text),
        Refusal::Uncertain => key_value::Error::Uncertain(text),
        Refusal::Corrupt => key_value::Error::Corrupt(text),
    })
}

fn apply(write: ExternalWrite) -> Result<(), store::Error> {
    let key = match &write {
        ExternalWrite::Put(Replacement { key, .. }) | ExternalWrite::Drop(key) => key,
    };
    store::remove(key, &store::Condition::Present)?;
    if let ExternalWrite::Put(Replacement { key, fields, ttl_ms }) = &write {
        store::write(key, fields, *ttl_ms, &store::Condition::Absent)?;
    }
    Ok(())
}

impl From<key_value::Condition> for store::Condition {
    fn from(when: key_value::Condition) -> Self {
        match when {
            key_value::Condition::Absent => Self::Absent,
            key_value::Condition::Present => Self::Present,
            key_value::Condition::At(revision) => Self::At(revision),
        }
    }
}

impl From<store::Entry> for key_value::Entry {
    fn from(entry: store::Entry) -> Self {
        Self { fields: entry.fields, revision: entry.revision, expires_at_ms: entry.expires_at_ms }
    }
}

impl From<store::Outcome> for key_value::Outcome {
    fn from(outcome: store::Outcome) -> Self {
        Self {
            applied: outcome.applied,
            revision: outcome.revision,
            expires_at_ms: outcome.expires_at_ms,
            current: outcome.current.map(Into::into),
        }
    }
}

impl From<store::Error> for key_value::Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Invalid(text) => Self::Invalid(text),
            store::Error::TooLarge(bytes_max) => Self::TooLarge(bytes_max),
            store::Error::Denied(text) => Self::Denied(text),
            store::Error::Unavailable(text) => Self::Unavailable(text),
            store::Error::Uncertain(text) => Self::Uncertain(text),
            store::Error::Corrupt(text) => Self::Corrupt(text),
        }
    }
}
