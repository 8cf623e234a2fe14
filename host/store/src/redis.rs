//! The store in a Redis or Valkey server, 7.0 or newer: one HASH an entry, one script an operation.
//!
//! The host names the deadline of each write by the server's clock, and the deadline is the identity of the
//! write: a call whose answer was lost is sent again as it was, and the script knows what it has made already.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::{RedisError, Value};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::deadline::{self, TTL_MS_MAX};
use super::entry::{Condition, Content, Entry, Fields, Freshness, Outcome, Page, Revision, check_fields};
use super::error::{Error, Kind};
use super::health::Health;
use super::key::{Key, KeyNames, Namespace};
use super::options::Options;
use super::primary::Expiry;
use super::{Store, check_limit};
use answer::Answer;
use call::{Call, Loss};
use copies::Copies;
use failure::{Verdict, judge};
use link::{Link, Live};
use scripts::{Argument, Arguments, Script};
use target::{Address, Target};

pub use target::{Connector, Stream};

mod answer;
mod call;
mod copies;
mod failure;
mod handshake;
mod health;
mod link;
mod primary;
mod scripts;
mod target;

/// Bytes of a digest that tell a handful of stores apart.
const IDENTITY_BYTES: usize = 8;

/// Entries in a Redis or Valkey server. A clone is another handle to the same connection.
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    names: KeyNames,
    identity: String,
    call_time: Duration,
    copies: Arc<Copies>,
}

impl RedisStore {
    /// Connects, and finds out whether the server will do: its version, and by a write that leaves nothing.
    ///
    /// # Errors
    /// `Invalid` for a URL that is none, `Denied` for a server that is no Redis, too old or forbids what we need,
    /// `Unavailable` for one that cannot be reached or does not serve now.
    pub async fn open(url: &str, options: &Options) -> Result<Self, Error> {
        let store = Self::unconnected(url, None, options)?;
        store.in_time("open the store", async { store.qualify_server().await.map_err(|unfit| unfit.error) }).await?;
        Ok(store)
    }

    /// The store of a URL, without a connection yet; `connector` opens its streams in place of TCP and TLS.
    ///
    /// # Errors
    /// `Invalid` for a URL that is none, `Denied` where the system's certificates cannot be read.
    pub fn unconnected(url: &str, connector: Option<Box<dyn Connector>>, options: &Options) -> Result<Self, Error> {
        let target = Target::parse(url)?;
        let connector = connector.unwrap_or_else(|| target.connector());
        Ok(Self {
            identity: Self::identity_of(url, options.namespace.as_ref())?,
            link: Arc::new(Link::new(target, connector)),
            names: KeyNames::new(options.namespace.as_ref()),
            call_time: options.call_time,
            copies: Arc::new(Copies::new(options.cache_bytes_max)),
        })
    }

    /// Tells the tickets of a URL and namespace from those of any other, without secrets: a digest of server, database,
    /// user and namespace. The password may change, and so may the way there.
    ///
    /// # Errors
    /// `Invalid` for a URL that is none.
    pub fn identity_of(url: &str, namespace: Option<&Namespace>) -> Result<String, Error> {
        let Address { host, port, login, .. } = Address::parse(url)?;
        let parts = [
            host.to_lowercase(),
            port.to_string(),
            login.db().to_string(),
            login.username().unwrap_or_default().to_owned(),
            namespace.map(|namespace| namespace.as_str().to_owned()).unwrap_or_default(),
        ];
        let digest = Sha256::digest(parts.join("\n"));
        Ok(digest.iter().take(IDENTITY_BYTES).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Runs something that changes no entry within the time of a call.
    async fn in_time<T>(&self, verb: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let timed = tokio::time::timeout(self.call_time, work).await;
        timed.unwrap_or_else(|_| Err(self.error(Kind::Unavailable, format!("cannot {verb}"), "did not answer in time")))
    }

    fn error(&self, kind: Kind, what: String, why: &str) -> Error {
        Error::new(kind, format!("{what}: redis at {} {why}", self.link.target.address()))
    }

    fn call<'call>(
        &'call self,
        verb: &'static str,
        name: &'call str,
        script: &'static Script,
        loss: Loss,
    ) -> Call<'call> {
        let until = Instant::now() + self.call_time;
        Call { store: self, verb, name, script, loss, until }
    }
}

impl fmt::Display for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.target.fmt(f)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.to_string();
        f.debug_struct("RedisStore").field("url", &url).field("names", &self.names).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        if freshness == Freshness::Recent
            && let Some(now_ms) = self.link.now_ms()
            && let Some(copy) = self.copies.get(key, now_ms)
        {
            return Ok(Some(copy));
        }
        let name = self.names.stored(key);
        let call = self.call("read", &name, &scripts::READ, Loss::Ask);
        let shown = match call.run(&Arguments { name: &name, rest: Vec::new() }).await {
            Ok(Answer::Entry(entry)) => Ok(Some(entry)),
            Ok(Answer::None) => Ok(None),
            Ok(Answer::Written { .. } | Answer::Removed | Answer::Refused(_) | Answer::Clock { .. }) => {
                Err(call.strange())
            }
            Err(error) => Err(error),
        };
        self.copies.shown(key, shown.as_ref().ok().and_then(Option::as_ref));
        shown
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        deadline::check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        let base = if let Condition::At(revision) = when { self.copies.at(key, revision) } else { None };
        let outcome = self.send_write(key, Content { fields: &fields, base: base.as_ref() }, ttl_ms, when).await;
        self.note(key, &outcome, |expires_at_ms| Some(Entry::new(fields, expires_at_ms)));
        outcome
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        deadline::check_ttl(ttl_ms)?;
        let outcome = self.send_touch(key, ttl_ms).await;
        // Whatever is there has a new deadline: of what our copy is, nothing tells any more.
        self.note(key, &outcome, |_| None);
        outcome
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let name = self.names.stored(key);
        let call = self.call("remove", &name, &scripts::REMOVE, Loss::of(when));
        let outcome = match call.run(&remove_arguments(&name, when)).await {
            Ok(Answer::Removed) => Ok(Outcome::Removed),
            Ok(Answer::Refused(entry)) => Ok(Outcome::Refused(entry)),
            Ok(Answer::Entry(_) | Answer::None | Answer::Written { .. } | Answer::Clock { .. }) => Err(call.strange()),
            Err(error) => Err(error),
        };
        self.note(key, &outcome, |_| None);
        outcome
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        let (command, what) = self.scan_command(cursor, limit)?;
        self.page(self.ask(&command, &what).await?)
            .ok_or_else(|| self.error(Kind::Unavailable, what, "gave an answer that is none to SCAN"))
    }

    async fn health(&self) -> Result<Health, Error> {
        self.in_time("look at the server", async { health::look(self, &*self.link.live().await?).await }).await
    }
}

impl RedisStore {
    /// Notes how a change of an entry ended; after an error nothing is known of it.
    fn note(&self, key: &Key, outcome: &Result<Outcome, Error>, made: impl FnOnce(u64) -> Option<Entry>) {
        match outcome {
            Ok(outcome) => self.copies.changed(key, outcome, made),
            Err(_) => self.copies.shown(key, None),
        }
    }

    async fn send_write(
        &self,
        key: &Key,
        content: Content<'_>,
        ttl_ms: u64,
        when: &Condition,
    ) -> Result<Outcome, Error> {
        let name = self.names.stored(key);
        let call = self.call("write", &name, &scripts::WRITE, Loss::of(when));
        let previous_ms = if let Condition::At(revision) = when { revision.deadline_ms() } else { 0 };
        let arguments = |expires_at_ms: u64| write_arguments(&name, content, Expiry { expires_at_ms, ttl_ms }, when);
        match call.run_with_deadline(ttl_ms, previous_ms, arguments).await? {
            Answer::Written { expires_at_ms, .. } => {
                Ok(Outcome::Written { revision: Revision::of(content.fields, expires_at_ms), expires_at_ms })
            }
            Answer::Refused(entry) => Ok(Outcome::Refused(entry)),
            Answer::Entry(_) | Answer::None | Answer::Removed | Answer::Clock { .. } => Err(call.strange()),
        }
    }

    async fn send_touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        let name = self.names.stored(key);
        // A second touch does what the first did.
        let call = self.call("touch", &name, &scripts::TOUCH, Loss::Settle);
        let arguments = |expires_at_ms: u64| touch_arguments(&name, Expiry { expires_at_ms, ttl_ms }, None);
        match call.run_with_deadline(ttl_ms, 0, arguments).await? {
            Answer::Written { expires_at_ms, revision: Some(revision), .. } => {
                Ok(Outcome::Written { revision, expires_at_ms })
            }
            Answer::Refused(None) => Ok(Outcome::Refused(None)),
            Answer::Written { revision: None, .. }
            | Answer::Refused(Some(_))
            | Answer::Entry(_)
            | Answer::None
            | Answer::Removed
            | Answer::Clock { .. } => Err(call.strange()),
        }
    }

    /// The command for a page, and what it is called in errors.
    fn scan_command(&self, cursor: Option<&str>, limit: u32) -> Result<(redis::Cmd, String), Error> {
        const DIGITS_MAX: usize = 20;
        let limit = check_limit(limit)?;
        let cursor = match cursor {
            None => 0,
            Some(text) => match text.parse::<u64>() {
                Ok(number) if text.len() <= DIGITS_MAX && !text.starts_with('+') => number,
                Ok(_) | Err(_) => return Err(Error::invalid("cursor is none that a page of this store gave")),
            },
        };
        // Namespaces and `ticket:` hold no character that MATCH takes for a pattern.
        let pattern = format!("{}*", self.names.stored_prefix());
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(limit);
        Ok((command, format!("cannot list {pattern}")))
    }

    /// Asks the server something that changes no entry, on this connection and no other.
    async fn ask_on(&self, live: &Live, command: &redis::Cmd, what: &str) -> Result<Value, Error> {
        live.command(command).await.map_err(|error| match judge(&error) {
            Verdict::Refused(kind) => self.refused(kind, what.to_owned(), &error),
            Verdict::Unknown | Verdict::Lost => self.refused(Kind::Unavailable, what.to_owned(), &error),
        })
    }

    /// Asks the server something that changes no entry, on a new connection if the first gives no answer.
    async fn ask(&self, command: &redis::Cmd, what: &str) -> Result<Value, Error> {
        const ATTEMPTS: u32 = 2;
        let until = Instant::now() + self.call_time;
        let mut lost = self.error(Kind::Unavailable, what.to_owned(), "did not answer in time");
        for attempt in 1..=ATTEMPTS {
            let now = Instant::now();
            let attempt_until = now + until.saturating_duration_since(now) / (1 + ATTEMPTS - attempt);
            let Ok(live) = timeout_at(attempt_until, self.link.live()).await else { continue };
            let live = live.map_err(|error| error.during(what))?;
            match timeout_at(attempt_until, live.command(command)).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => match judge(&error) {
                    Verdict::Refused(kind) => return Err(self.refused(kind, what.to_owned(), &error)),
                    Verdict::Unknown => return Err(self.refused(Kind::Unavailable, what.to_owned(), &error)),
                    Verdict::Lost => lost = self.refused(Kind::Unavailable, what.to_owned(), &error),
                },
                Err(_) => {}
            }
            self.link.replace(&live);
        }
        Err(lost)
    }

    fn page(&self, value: Value) -> Option<Page> {
        let Value::Array(parts) = value else { return None };
        let [cursor, Value::Array(names)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
        let cursor = answer::number(Some(cursor)).ok()?;
        let keys = names.into_iter().filter_map(|name| self.names.key(&answer::text(Some(name)).ok()?)).collect();
        Some(Page { keys, cursor: (cursor != 0).then(|| cursor.to_string()) })
    }

    fn refused(&self, kind: Kind, what: String, error: &RedisError) -> Error {
        let why = match kind {
            Kind::Denied => "does not permit it",
            Kind::Corrupt => "has something else there",
            Kind::Uncertain => "may have done it or not",
            Kind::Unavailable | Kind::Invalid | Kind::TooLarge(_) => "does not serve now",
        };
        failure::error(kind, format!("{what}: redis at {} {why}", self.link.target.address()), error)
    }
}

fn write_arguments<'call>(
    name: &'call str,
    content: Content<'call>,
    expiry: Expiry,
    when: &'call Condition,
) -> Arguments<'call> {
    let (kept, changed) = content.split(when);
    let mut rest = Vec::with_capacity(6 + kept.len() + 2 * changed.len());
    rest.extend(when_arguments(when));
    rest.extend(expiry_arguments(expiry));
    rest.push(Argument::Number(kept.len() as u64));
    rest.extend(kept.into_iter().map(Argument::Text));
    rest.extend(changed.into_iter().flat_map(|(name, text)| [Argument::Text(name), Argument::Text(text)]));
    Arguments { name, rest }
}

fn touch_arguments<'call>(name: &'call str, expiry: Expiry, from: Option<&'call Revision>) -> Arguments<'call> {
    let from = from.map(Revision::as_str).unwrap_or_default();
    Arguments { name, rest: expiry_arguments(expiry).into_iter().chain([from.into()]).collect() }
}

fn remove_arguments<'call>(name: &'call str, when: &'call Condition) -> Arguments<'call> {
    Arguments { name, rest: when_arguments(when).into() }
}

/// A condition as the scripts take it: its name and the revision.
fn when_arguments(when: &Condition) -> [Argument<'_>; 2] {
    match when {
        Condition::Absent => ["absent".into(), "".into()],
        Condition::Present => ["present".into(), "".into()],
        Condition::At(revision) => ["at".into(), revision.as_str().into()],
    }
}

/// The deadline of a change as the scripts take it: wanted, slack, furthest from now.
fn expiry_arguments(expiry: Expiry) -> [Argument<'static>; 3] {
    let ahead_ms_max = TTL_MS_MAX + deadline::slack_ms(TTL_MS_MAX);
    [expiry.expires_at_ms.into(), deadline::slack_ms(expiry.ttl_ms).into(), ahead_ms_max.into()]
}
