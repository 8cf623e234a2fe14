//! The store's functions, each after what its host has scripted for it; types go over one to one.

mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "../../wit/adapters"],
        world: "agent:adapters/interposed",
        generate_all,
    });
}

use bindings::agent::adapters::interposition::{self, BrokenRule, Call, Deed, Refusal, Replacement};
use bindings::agent::tickets::{environment as lent_environment, key_value as lent};
use bindings::exports::agent::tickets::{environment, key_value};

/// Shortest time to live that a store takes, in milliseconds.
const TTL_MS_MIN: u64 = 1_000;

struct Component;

bindings::export!(Component with_types_in bindings);

impl key_value::Guest for Component {
    fn read(key: String, freshness: key_value::Freshness) -> Result<key_value::Lookup, key_value::Error> {
        let freshness = match freshness {
            key_value::Freshness::Latest => lent::Freshness::Latest,
            key_value::Freshness::Recent => lent::Freshness::Recent,
        };
        let lookup = scripted(Call::Read, || lent::read(&key, freshness))?;
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
            let outcome = lent::write(&key, &broken.fields(fields), broken.ttl_ms(ttl_ms), &when)?;
            Ok(broken.outcome(outcome))
        })?
        .into())
    }

    fn touch(key: String, ttl_ms: u64) -> Result<key_value::Outcome, key_value::Error> {
        Ok(scripted(Call::Touch, || {
            let broken = Broken::before(&key);
            Ok(broken.outcome(lent::touch(&key, broken.ttl_ms(ttl_ms))?))
        })?
        .into())
    }

    fn remove(key: String, when: key_value::Condition) -> Result<key_value::Outcome, key_value::Error> {
        let when = when.into();
        Ok(scripted(Call::Remove, || lent::remove(&key, &when))?.into())
    }

    fn scan(cursor: Option<String>, limit: u32) -> Result<key_value::Page, key_value::Error> {
        let page = scripted(Call::Scan, || lent::scan(cursor.as_deref(), limit))?;
        Ok(key_value::Page { keys: page.keys, cursor: page.cursor })
    }
}

impl environment::Guest for Component {
    fn now_ms() -> u64 {
        lent_environment::now_ms().saturating_add_signed(interposition::ahead_ms())
    }

    fn fresh_id() -> String {
        lent_environment::fresh_id()
    }

    fn current_settings() -> environment::Settings {
        let settings = lent_environment::current_settings();
        environment::Settings {
            ttl_ms: settings.ttl_ms,
            message_bytes_max: settings.message_bytes_max,
            ticket_bytes_max: settings.ticket_bytes_max,
            history_entries_max: settings.history_entries_max,
        }
    }

    fn try_again(attempt: u32) -> bool {
        lent_environment::try_again(attempt)
    }
}

/// A rule that is broken, and what was there before the change that breaks it; none where none is.
struct Broken(Option<(BrokenRule, lent::Entry)>);

impl Broken {
    fn before(key: &str) -> Self {
        let before = |rule| Some((rule, lent::read(key, lent::Freshness::Latest).ok()?.entry?));
        Self(interposition::broken().and_then(before))
    }

    fn ttl_ms(&self, ttl_ms: u64) -> u64 {
        match &self.0 {
            Some((BrokenRule::TtlNotRefreshed, before)) => {
                before.expires_at_ms.saturating_sub(lent_environment::now_ms()).max(TTL_MS_MIN)
            }
            _ => ttl_ms,
        }
    }

    fn fields(&self, mut fields: lent::Fields) -> lent::Fields {
        if let Some((BrokenRule::MergeInsteadOfReplace, before)) = &self.0 {
            let kept = before.fields.iter().filter(|(name, _)| !fields.iter().any(|(given, _)| given == name));
            fields.extend(kept.cloned().collect::<Vec<_>>());
        }
        fields
    }

    fn outcome(&self, outcome: lent::Outcome) -> lent::Outcome {
        match &self.0 {
            Some((BrokenRule::RevisionNotRaised, before)) if outcome.applied => {
                lent::Outcome { revision: Some(before.revision.clone()), ..outcome }
            }
            _ => outcome,
        }
    }
}

/// Does what is scripted for this call, and makes it unless it is to fail without.
fn scripted<T>(call: Call, make: impl FnOnce() -> Result<T, lent::Error>) -> Result<T, key_value::Error> {
    let script = interposition::before(call);
    for deed in script.deeds {
        act(deed)?;
    }
    let Some(fault) = script.fault else { return make().map_err(Into::into) };
    if fault.made {
        make()?;
    }
    let text = "the scenario has the store fail".to_owned();
    Err(match fault.answer {
        Refusal::Invalid => key_value::Error::Invalid(text),
        Refusal::TooLarge => key_value::Error::TooLarge(1),
        Refusal::Denied => key_value::Error::Denied(text),
        Refusal::Unavailable => key_value::Error::Unavailable(text),
        Refusal::Uncertain => key_value::Error::Uncertain(text),
        Refusal::Corrupt => key_value::Error::Corrupt(text),
    })
}

fn act(deed: Deed) -> Result<(), lent::Error> {
    let key = match &deed {
        Deed::Put(Replacement { key, .. }) | Deed::Drop(key) => key,
    };
    lent::remove(key, &lent::Condition::Present)?;
    if let Deed::Put(Replacement { key, fields, ttl_ms }) = &deed {
        lent::write(key, fields, *ttl_ms, &lent::Condition::Absent)?;
    }
    Ok(())
}

impl From<key_value::Condition> for lent::Condition {
    fn from(when: key_value::Condition) -> Self {
        match when {
            key_value::Condition::Absent => Self::Absent,
            key_value::Condition::Present => Self::Present,
            key_value::Condition::At(revision) => Self::At(revision),
        }
    }
}

impl From<lent::Entry> for key_value::Entry {
    fn from(entry: lent::Entry) -> Self {
        Self { fields: entry.fields, revision: entry.revision, expires_at_ms: entry.expires_at_ms }
    }
}

impl From<lent::Outcome> for key_value::Outcome {
    fn from(outcome: lent::Outcome) -> Self {
        Self {
            applied: outcome.applied,
            revision: outcome.revision,
            expires_at_ms: outcome.expires_at_ms,
            current: outcome.current.map(Into::into),
        }
    }
}

impl From<lent::Error> for key_value::Error {
    fn from(error: lent::Error) -> Self {
        match error {
            lent::Error::Invalid(text) => Self::Invalid(text),
            lent::Error::TooLarge(bytes_max) => Self::TooLarge(bytes_max),
            lent::Error::Denied(text) => Self::Denied(text),
            lent::Error::Unavailable(text) => Self::Unavailable(text),
            lent::Error::Uncertain(text) => Self::Uncertain(text),
            lent::Error::Corrupt(text) => Self::Corrupt(text),
        }
    }
}
