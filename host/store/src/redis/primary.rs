//! A Redis server as the primary of a fallback: single sendings over the link there is, and a new link on demand.

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Answer as Said};
use super::call::Loss;
use super::failure::{self, Verdict, judge};
use super::scripts::{self, Arguments, Script};
use super::{RedisStore, health, remove_arguments, touch_arguments, write_arguments};
use crate::entry::{Condition, Entry, Page, Revision};
use crate::error::{Error, Kind};
use crate::health::Health;
use crate::key::Key;
use crate::primary::{Answer, Cause, DatasetId, Expiry, Failure, HandshakeError, Primary, WriteRequest};

#[async_trait]
impl Primary for RedisStore {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn now_ms(&self) -> Option<u64> {
        self.link.now_ms()
    }

    async fn handshake(&self) -> Result<DatasetId, HandshakeError> {
        self.link.drop_live();
        match tokio::time::timeout(self.call_time, self.find_fit()).await {
            Ok(found) => found,
            Err(_) => {
                self.link.drop_live();
                let error = self.error(Kind::Unavailable, "cannot open the store".into(), "did not answer in time");
                Err(HandshakeError { error, is_incompatible: false })
            }
        }
    }

    fn disconnect(&self) {
        self.link.drop_live();
    }

    async fn disconnected(&self) {
        self.link.ended().await;
    }

    async fn ping(&self, until: Instant) -> Result<(), Failure> {
        let what = "cannot ask for TIME";
        let Some(live) = self.link.current() else { return Err(self.no_link(what.to_owned())) };
        match timeout_at(until, live.measure()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failure(Loss::Ask, what.to_owned(), &error)),
            Err(_) => Err(self.no_answer(Loss::Ask, what.to_owned())),
        }
    }

    async fn read(&self, key: &Key, until: Instant) -> Result<Option<Entry>, Failure> {
        let name = self.names.stored(key);
        let arguments = Arguments { name: &name, rest: Vec::new() };
        let sending = Sending { verb: "read", script: &scripts::READ, loss: Loss::Ask, repeated: false, until };
        match self.send(sending, &arguments).await? {
            Said::Entry(entry) => Ok(Some(entry)),
            Said::None => Ok(None),
            Said::Written { .. } | Said::Removed | Said::Refused(_) | Said::Clock { .. } => {
                Err(self.strange("read", &name, Loss::Ask))
            }
        }
    }

    async fn write(&self, request: WriteRequest<'_>, until: Instant) -> Result<Answer, Failure> {
        let WriteRequest { key, content, expiry, condition, repeated } = request;
        let name = self.names.stored(key);
        let arguments = write_arguments(&name, content, expiry, condition);
        let sending = Sending { verb: "write", script: &scripts::WRITE, loss: Loss::Settle, repeated, until };
        match self.send(sending, &arguments).await? {
            Said::Written { expires_at_ms, now_ms, .. } => {
                Ok(Answer::Written { revision: Revision::of(content.fields, expires_at_ms), expires_at_ms, now_ms })
            }
            Said::Refused(entry) => Ok(Answer::Refused(entry)),
            Said::Clock { now_ms } => Ok(Answer::Clock(now_ms)),
            Said::Entry(_) | Said::None | Said::Removed => Err(self.strange("write", &name, Loss::Settle)),
        }
    }

    async fn touch(
        &self,
        key: &Key,
        expiry: Expiry,
        from: Option<&Revision>,
        until: Instant,
    ) -> Result<Answer, Failure> {
        let name = self.names.stored(key);
        let arguments = touch_arguments(&name, expiry, from);
        let sending = Sending { verb: "touch", script: &scripts::TOUCH, loss: Loss::Settle, repeated: false, until };
        match self.send(sending, &arguments).await? {
            Said::Written { expires_at_ms, now_ms, revision: Some(revision) } => {
                Ok(Answer::Written { revision, expires_at_ms, now_ms })
            }
            Said::Refused(entry) => Ok(Answer::Refused(entry)),
            Said::Clock { now_ms } => Ok(Answer::Clock(now_ms)),
            Said::Written { revision: None, .. } | Said::Entry(_) | Said::None | Said::Removed => {
                Err(self.strange("touch", &name, Loss::Settle))
            }
        }
    }

    async fn remove(&self, key: &Key, when: &Condition, repeated: bool, until: Instant) -> Result<Answer, Failure> {
        let name = self.names.stored(key);
        let arguments = remove_arguments(&name, when);
        let sending = Sending { verb: "remove", script: &scripts::REMOVE, loss: Loss::Settle, repeated, until };
        match self.send(sending, &arguments).await? {
            Said::Removed => Ok(Answer::Removed),
            Said::Refused(entry) => Ok(Answer::Refused(entry)),
            Said::Entry(_) | Said::None | Said::Written { .. } | Said::Clock { .. } => {
                Err(self.strange("remove", &name, Loss::Settle))
            }
        }
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32, until: Instant) -> Result<Page, Failure> {
        let (command, what) =
            self.scan_command(cursor, limit).map_err(|error| Failure { error, cause: Cause::Data })?;
        let Some(live) = self.link.current() else { return Err(self.no_link(what)) };
        match timeout_at(until, live.command(&command)).await {
            Ok(Ok(value)) => self.page(value).ok_or_else(|| Failure {
                error: self.error(Kind::Unavailable, what, "gave an answer that is none to SCAN"),
                cause: Cause::Link,
            }),
            Ok(Err(error)) => Err(self.failure(Loss::Ask, what, &error)),
            Err(_) => Err(self.no_answer(Loss::Ask, what)),
        }
    }

    async fn health(&self) -> Result<Health, Error> {
        // A connection that has not qualified is none for calls.
        self.in_time("look at the server", async { health::look(self, &*self.link.apart().await?).await }).await
    }
}

/// One sending of a script.
struct Sending {
    verb: &'static str,
    script: &'static Script,
    loss: Loss,
    repeated: bool,
    until: Instant,
}

impl RedisStore {
    async fn find_fit(&self) -> Result<DatasetId, HandshakeError> {
        let fit = self.qualify_server().await;
        if fit.is_err() {
            // What was tried once is not to be met by callers.
            self.link.drop_live();
        }
        fit
    }

    async fn send(&self, sending: Sending, arguments: &Arguments<'_>) -> Result<Said, Failure> {
        let Sending { verb, script, loss, repeated, until } = sending;
        let what = || format!("cannot {verb} {}", arguments.name);
        let Some(live) = self.link.current() else { return Err(self.no_link(what())) };
        let sent = Instant::now();
        match timeout_at(until, script.run(&live.connection, arguments, repeated)).await {
            Ok(Ok(value)) => {
                let Ok(said) = answer::parse(value, arguments.name) else {
                    return Err(self.strange(verb, arguments.name, loss));
                };
                let said = said.map_err(|error| Failure { error, cause: Cause::Data })?;
                if let Said::Written { now_ms, .. } | Said::Clock { now_ms } = &said {
                    live.clock.observe(sent, *now_ms);
                }
                Ok(said)
            }
            Ok(Err(error)) => Err(self.failure(loss, what(), &error)),
            Err(_) => Err(self.no_answer(loss, what())),
        }
    }

    fn no_link(&self, what: String) -> Failure {
        Failure { error: self.error(Kind::Unavailable, what, "is not connected"), cause: Cause::Link }
    }

    fn no_answer(&self, loss: Loss, what: String) -> Failure {
        Failure { error: self.error(loss.kind(), what, "did not answer in time"), cause: Cause::Time }
    }

    fn strange(&self, verb: &str, name: &str, loss: Loss) -> Failure {
        let what = format!("cannot {verb} {name}");
        Failure { error: self.error(loss.kind(), what, "gave an answer that is none of ours"), cause: Cause::Link }
    }

    fn failure(&self, loss: Loss, what: String, error: &redis::RedisError) -> Failure {
        let (kind, cause) = match judge(error) {
            Verdict::Refused(Kind::Corrupt) => (Kind::Corrupt, Cause::Data),
            // Another server may answer to the name, or to a login anew.
            Verdict::Refused(kind) if failure::asks_for_new_connection(error) => (kind, Cause::Link),
            Verdict::Refused(kind) => (kind, Cause::Refused),
            Verdict::Unknown => (loss.kind(), Cause::Refused),
            Verdict::Lost => (loss.kind(), Cause::Link),
        };
        Failure { error: self.refused(kind, what, error), cause }
    }
}
