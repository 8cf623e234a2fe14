//! One call of a script: its time, and how it is settled when its answer is lost.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use tokio::time::{Instant, sleep, timeout_at};

use super::RedisStore;
use super::answer::{self, Answer};
use super::failure::{self, Verdict, judge};
use super::link::Live;
use super::scripts::{Arguments, Script};
use crate::deadline;
use crate::entry::Condition;
use crate::error::{Error, Kind};

/// Pause before another attempt to settle a call: a server that starts is not to be hurried.
const SETTLE_PAUSE: Duration = Duration::from_millis(25);

/// What to do when the answer to a call is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// It is a read: ask again, and give up as soon as nobody is there.
    Ask,
    /// Send the very same call again until it is answered: the script knows what it has made already.
    Settle,
    /// Nothing: a second time it might hit what others have made since.
    Leave,
}

impl Loss {
    pub(super) fn of(when: &Condition) -> Self {
        match when {
            Condition::Absent | Condition::At(_) => Self::Settle,
            Condition::Present => Self::Leave,
        }
    }

    /// What it is called when no answer can be had.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Ask => Kind::Unavailable,
            Self::Settle | Self::Leave => Kind::Uncertain,
        }
    }
}

/// One call of a script about one key, and the time it has.
pub(super) struct Call<'call> {
    pub(super) store: &'call RedisStore,
    pub(super) verb: &'static str,
    pub(super) name: &'call str,
    pub(super) script: &'static Script,
    pub(super) loss: Loss,
    pub(super) until: Instant,
}

impl Call<'_> {
    /// Runs a change that names its deadline, once more if the server's clock was not what we thought.
    pub(super) async fn run_with_deadline<'args>(
        &self,
        ttl_ms: u64,
        previous_ms: u64,
        arguments: impl Fn(u64) -> Arguments<'args>,
    ) -> Result<Answer, Error> {
        for _ in 0..2 {
            let now_ms = self.live().await?.clock.now_ms();
            let wanted_ms = deadline::name(now_ms, ttl_ms, previous_ms);
            match self.run(&arguments(wanted_ms)).await? {
                Answer::Clock { .. } => {}
                answer => return Ok(answer),
            }
        }
        Err(self.store.error(Kind::Unavailable, self.what(), "has a clock too unsteady to name a deadline by"))
    }

    /// Sends the call until it is answered, its time is over, or it must not be sent again.
    pub(super) async fn run(&self, arguments: &Arguments<'_>) -> Result<Answer, Error> {
        let live = self.live().await?;
        let now = Instant::now();
        let first_until = match self.loss {
            Loss::Leave => self.until,
            // The other half is for settling what a dead connection swallowed.
            Loss::Ask | Loss::Settle => now + self.until.saturating_duration_since(now) / 2,
        };
        let mut lost = match self.attempt(&live, arguments, false, first_until).await {
            Attempt::Answered(answer) => return answer,
            Attempt::Lost(error) => error,
        };
        let mut pause = Duration::ZERO;
        while self.loss != Loss::Leave && Instant::now() + pause < self.until {
            sleep(pause).await;
            pause = SETTLE_PAUSE;
            let attempt = match self.live().await {
                Ok(live) => self.attempt(&live, arguments, true, self.until).await,
                Err(error) => Attempt::Answered(Err(error)),
            };
            lost = match attempt {
                Attempt::Answered(answer) if self.loss == Loss::Ask => return answer,
                // Never made, or made and changed by somebody since: nobody can tell.
                Attempt::Answered(Ok(Answer::Refused(Some(_)) | Answer::Clock { .. })) => {
                    return Err(self.lost("may have done it or not, and something else is there now"));
                }
                Attempt::Answered(Ok(answer)) => return Ok(answer),
                Attempt::Answered(Err(error)) if matches!(error.kind(), Kind::Corrupt | Kind::TooLarge(_)) => {
                    return Err(self.lost("may have done it or not").caused_by(error));
                }
                // That the server does not serve now says nothing about the time before.
                Attempt::Answered(Err(error)) => self.lost("may have done it or not").caused_by(error),
                Attempt::Lost(error) => error,
            };
        }
        Err(lost)
    }

    /// A connection. Nothing of the call has been sent where there is none in time.
    async fn live(&self) -> Result<Arc<Live>, Error> {
        match timeout_at(self.until, self.store.link.live()).await {
            Ok(live) => live.map_err(|error| error.during(&self.what())),
            Err(_) => Err(self.store.error(Kind::Unavailable, self.what(), "could not be connected to in time")),
        }
    }

    async fn attempt(&self, live: &Arc<Live>, arguments: &Arguments<'_>, repeated: bool, until: Instant) -> Attempt {
        let sent = Instant::now();
        match timeout_at(until, self.script.run(&live.connection, arguments, repeated)).await {
            Ok(Ok(value)) => {
                let Ok(answer) = answer::parse(value, self.name) else { return Attempt::Answered(Err(self.strange())) };
                if let Ok(Answer::Written { now_ms, .. } | Answer::Clock { now_ms }) = &answer {
                    live.clock.observe(sent, *now_ms);
                }
                Attempt::Answered(answer)
            }
            Ok(Err(error)) => self.failed(live, error),
            Err(_) => {
                self.store.link.replace(live);
                Attempt::Lost(self.lost("did not answer in time"))
            }
        }
    }

    fn failed(&self, live: &Arc<Live>, error: RedisError) -> Attempt {
        let verdict = judge(&error);
        if verdict == Verdict::Lost || failure::asks_for_new_connection(&error) {
            self.store.link.replace(live);
        }
        match verdict {
            Verdict::Refused(kind) => Attempt::Answered(Err(self.store.refused(kind, self.what(), &error))),
            Verdict::Unknown => Attempt::Answered(Err(self.store.refused(self.loss.kind(), self.what(), &error))),
            Verdict::Lost => Attempt::Lost(self.store.refused(self.loss.kind(), self.what(), &error)),
        }
    }

    fn what(&self) -> String {
        format!("cannot {} {}", self.verb, self.name)
    }

    fn lost(&self, why: &str) -> Error {
        self.store.error(self.loss.kind(), self.what(), why)
    }

    /// The error of an answer that none of our scripts gives to this call.
    pub(super) fn strange(&self) -> Error {
        self.lost("gave an answer that is none of ours")
    }
}

/// How one sending of a call ended.
enum Attempt {
    Answered(Result<Answer, Error>),
    Lost(Error),
}
