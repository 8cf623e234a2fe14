//! A store over a primary: it connects when needed, sends a call again if its answer is lost, and keeps the last known
//! state of entries.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout_at};

use crate::contract::Store;
use crate::entry::{Condition, Entry, Freshness, Outcome, Page};
use crate::error::{Error, Kind};
use crate::fields::{Fields, check_fields};
use crate::health::Health;
use crate::key::Key;
use crate::last_known::LastKnown;
use crate::limits::check_ttl;
use crate::options::Options;
use crate::primary::{Answer, Cause, Connected, Expiry, Failure, Primary, Reconnect, WriteRequest};

/// Pause between two attempts: a server that starts must not be flooded.
const RETRY_PAUSE: Duration = Duration::from_millis(25);
/// Least time between two links that are given up because the primary refuses calls on them: callers that do not pause
/// must not flood it with connections.
const GIVE_UP_PAUSE: Duration = Duration::from_secs(1);
/// Attempts to choose a deadline that the primary's clock accepts.
const DEADLINE_ATTEMPTS: u32 = 2;

/// A store over a primary without a fallback. A clone is another handle to the same link.
///
/// - A read is sent again until it is answered or the time of the call is over.
/// - A conditional write, a touch and a conditional removal are sent again in the same way: the primary recognizes a
///   change that it has applied already.
/// - A write or removal with [`Condition::Present`] is sent once: a second one could hit what another client has
///   written in the meantime. Without an answer it is `Uncertain`.
#[derive(Clone)]
pub struct RetryingStore<P> {
    primary: P,
    call_time: Duration,
    last_known: Arc<LastKnown>,
    /// When a link was last given up because the primary refused a call on it.
    given_up_at: Arc<Mutex<Option<Instant>>>,
}

impl<P: Reconnect> RetryingStore<P> {
    /// A store over this primary, with the time of a call and the size of the copies from the options.
    pub fn new(primary: P, options: &Options) -> Self {
        let last_known = Arc::new(LastKnown::new(options.cache_bytes_max));
        Self { primary, call_time: options.call_time, last_known, given_up_at: Arc::default() }
    }

    fn call<'a>(&self, verb: &'static str, key: &'a str) -> Call<'a> {
        Call { verb, key, until: Instant::now() + self.call_time }
    }

    /// A link, within the time of the call. If there is none, nothing has been sent.
    async fn connect(&self, call: &Call<'_>) -> Result<Connected, Error> {
        match timeout_at(call.until, self.primary.connect()).await {
            Ok(connected) => connected.map_err(|error| error.during(&call.to_string())),
            Err(_) => {
                let text = format!("{call}: {} could not be connected to in time", self.primary);
                Err(Error::new(Kind::Unavailable, text))
            }
        }
    }

    /// Waits for the answer to what was sent on a link, and closes the link if another one may be better.
    async fn answer<T>(
        &self,
        connected: Connected,
        sending: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let answer = sending.await;
        let is_given_up = match &answer {
            Err(Failure { cause: Cause::Link | Cause::Time, .. }) => true,
            Err(Failure { cause: Cause::Reconnect, .. }) => self.may_give_up(),
            Ok(_) | Err(Failure { cause: Cause::Refused | Cause::Unwritable | Cause::Data, .. }) => false,
        };
        if is_given_up {
            self.primary.disconnect_from(connected.link);
        }
        answer
    }

    /// Whether a link may be given up because the primary refuses calls on it; then it is.
    fn may_give_up(&self) -> bool {
        let mut given_up_at = self.given_up_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = given_up_at.is_none_or(|at| at.elapsed() >= GIVE_UP_PAUSE);
        if may {
            *given_up_at = Some(Instant::now());
        }
        may
    }

    /// Sends a question until it is answered or its time is over; asking twice changes nothing.
    async fn ask<T, F>(&self, call: Call<'_>, question: impl Fn(Instant) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut attempt_until = call.half_of_time();
        let mut pause = Duration::ZERO;
        loop {
            let connected = self.connect(&call).await?;
            let lost = match self.answer(connected, question(attempt_until)).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if failure.cause.is_unanswered() => failure.error,
                Err(failure) => return Err(failure.error),
            };
            if Instant::now() + pause >= call.until {
                return Err(lost);
            }
            sleep(pause).await;
            pause = RETRY_PAUSE;
            attempt_until = call.until;
        }
    }

    /// Applies the change that `request` makes for the primary's time.
    async fn change<'a>(&self, call: Call<'_>, request: impl Fn(u64) -> Request<'a>) -> Result<Outcome, Error> {
        for _ in 0..DEADLINE_ATTEMPTS {
            let connected = self.connect(&call).await?;
            let request = request(connected.now_ms);
            match self.send(&call, &request, connected).await? {
                Answer::Written { revision, expires_at_ms, .. } => {
                    return Ok(Outcome::Written { revision, expires_at_ms });
                }
                Answer::Removed => return Ok(Outcome::Removed),
                Answer::Refused(current) => return Ok(Outcome::Refused(current)),
                Answer::Clock(_) => {}
            }
        }
        let text = format!("{call}: the clock of {} is too unsteady to choose a deadline by", self.primary);
        Err(Error::new(Kind::Unavailable, text))
    }

    /// Sends a change until it is answered, its time is over, or it must not be sent again.
    async fn send(&self, call: &Call<'_>, request: &Request<'_>, connected: Connected) -> Result<Answer, Error> {
        // The second half of the time is for finding out what became of a change whose answer was lost.
        let until = if request.may_be_repeated() { call.half_of_time() } else { call.until };
        match self.answer(connected, request.send(&self.primary, false, until)).await {
            Ok(answer) => Ok(answer),
            Err(failure) if failure.cause.is_unanswered() && request.may_be_repeated() => {
                self.send_again(call, request, failure.error).await
            }
            Err(failure) => Err(failure.error),
        }
    }

    /// Sends a change again whose answer was lost, until the primary says whether it was applied.
    async fn send_again(&self, call: &Call<'_>, request: &Request<'_>, lost: Error) -> Result<Answer, Error> {
        let uncertain = |why: &str| {
            let text = format!("{call}: {} may or may not have applied it{why}", self.primary);
            Error::new(Kind::Uncertain, text)
        };
        let mut lost = lost;
        let mut pause = Duration::ZERO;
        while Instant::now() + pause < call.until {
            sleep(pause).await;
            pause = RETRY_PAUSE;
            // The link may have ended before the first sending.
            let was_sent = lost.kind() == Kind::Uncertain;
            let answer = match self.connect(call).await {
                Ok(connected) => self.answer(connected, request.send(&self.primary, was_sent, call.until)).await,
                Err(error) => Err(Failure { error, cause: Cause::Link }),
            };
            lost = match answer {
                // Not applied, or applied and changed since: it cannot be known.
                Ok(Answer::Refused(Some(_)) | Answer::Clock(_)) if was_sent => {
                    return Err(uncertain(", and the entry differs now: read it again").caused_by(lost));
                }
                Ok(answer) => return Ok(answer),
                Err(failure) if !was_sent && !failure.cause.is_unanswered() => return Err(failure.error),
                Err(Failure { error, cause: Cause::Data }) => return Err(uncertain("").caused_by(error)),
                // That the primary refuses this sending says nothing about the one before.
                Err(Failure { error, .. }) if was_sent && error.kind() != Kind::Uncertain => {
                    uncertain("").caused_by(error)
                }
                Err(failure) => failure.error,
            };
        }
        Err(lost)
    }

    /// Remembers what an outcome says about the entry; after an error nothing is known about it.
    fn note(&self, key: &Key, outcome: &Result<Outcome, Error>, written: impl FnOnce(u64) -> Option<Entry>) {
        match outcome {
            Ok(outcome) => self.last_known.changed(key, outcome, written),
            Err(_) => self.last_known.observed(key, None),
        }
    }
}

/// One call of the store and its time. `Display` begins its errors.
struct Call<'a> {
    verb: &'static str,
    key: &'a str,
    until: Instant,
}

impl Call<'_> {
    fn half_of_time(&self) -> Instant {
        let now = Instant::now();
        now + self.until.saturating_duration_since(now) / 2
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.verb, self.key)
    }
}

/// A change with its deadline, to be sent once or several times.
enum Request<'a> {
    /// Its `repeated` is set at each sending.
    Write(WriteRequest<'a>),
    Touch(&'a Key, Expiry),
    Remove(&'a Key, &'a Condition),
}

impl Request<'_> {
    fn may_be_repeated(&self) -> bool {
        match self {
            Self::Write(WriteRequest { condition, .. }) | Self::Remove(_, condition) => {
                **condition != Condition::Present
            }
            // A second touch does what the first did.
            Self::Touch(..) => true,
        }
    }

    async fn send(&self, primary: &impl Primary, repeated: bool, until: Instant) -> Result<Answer, Failure> {
        match *self {
            Self::Write(request) => primary.write(WriteRequest { repeated, ..request }, until).await,
            Self::Touch(key, expiry) => primary.touch(key, expiry, None, until).await,
            Self::Remove(key, condition) => primary.remove(key, condition, repeated, until).await,
        }
    }
}

impl<P: Primary> fmt::Display for RetryingStore<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.primary, f)
    }
}

impl<P: Primary> fmt::Debug for RetryingStore<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryingStore").field("primary", &self.primary).finish_non_exhaustive()
    }
}

#[async_trait]
impl<P: Reconnect> Store for RetryingStore<P> {
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error> {
        if freshness == Freshness::Recent
            && let Some(now_ms) = self.primary.now_ms()
            && let Some(copy) = self.last_known.get(key, now_ms)
        {
            return Ok(Some(copy));
        }
        let entry = self.ask(self.call("read", key.as_str()), |until| self.primary.read(key, until)).await;
        self.last_known.observed(key, entry.as_ref().ok().and_then(Option::as_ref));
        entry
    }

    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        check_fields(&fields)?;
        let (base, previous_ms) = match when {
            Condition::At(revision) => (self.last_known.at(key, revision), revision.deadline_ms()),
            Condition::Absent | Condition::Present => (None, 0),
        };
        let request = |now_ms| {
            let expiry = Expiry::choose(now_ms, ttl_ms, previous_ms);
            let (fields, base) = (&fields, base.as_ref());
            Request::Write(WriteRequest { key, fields, base, expiry, condition: when, repeated: false })
        };
        let outcome = self.change(self.call("write", key.as_str()), request).await;
        self.note(key, &outcome, |expires_at_ms| Some(Entry::new(fields, expires_at_ms)));
        outcome
    }

    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
        check_ttl(ttl_ms)?;
        let request = |now_ms| Request::Touch(key, Expiry::choose(now_ms, ttl_ms, 0));
        let outcome = self.change(self.call("touch", key.as_str()), request).await;
        // The touched entry may differ from the copy.
        self.note(key, &outcome, |_| None);
        outcome
    }

    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
        let outcome = self.change(self.call("remove", key.as_str()), |_| Request::Remove(key, when)).await;
        self.note(key, &outcome, |_| None);
        outcome
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
        self.ask(self.call("list", "tickets"), |until| self.primary.scan(cursor, limit, until)).await
    }

    async fn health(&self) -> Result<Health, Error> {
        self.primary.health().await
    }
}
