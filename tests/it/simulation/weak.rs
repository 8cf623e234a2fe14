//! The same fallback with one thing done wrong, through the seams it has: its primary and its merge.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ticket_host::Merged;
use ticket_host::fallback::Merge;
use ticket_host::store::{
    Answer, Condition, DatasetId, Entry, Error, Evictions, Expiry, Failure, HandshakeError, Health, Key, Kind, Page,
    Primary, Revision, WriteRequest,
};
use tokio::time::Instant;

/// One thing done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weakness {
    /// A write whose condition does not hold is made all the same.
    BlindWrite,
    /// Where both sides changed, ours is taken.
    OursWins,
    /// Where both sides changed, theirs is taken and ours forgotten.
    TheirsWins,
    /// A server that started anew is taken for the old one.
    NoCheckAfterRestart,
    /// A write that was not answered is taken for one that was applied.
    SilenceIsSuccess,
}

impl Weakness {
    pub(super) const ALL: [Self; 5] =
        [Self::BlindWrite, Self::OursWins, Self::TheirsWins, Self::NoCheckAfterRestart, Self::SilenceIsSuccess];

    /// The merge, done wrong.
    pub(super) fn merge(self, merge: Merge) -> Merge {
        match self {
            Self::OursWins => Arc::new(|_, ours, _| Box::pin(async { Ok(Merged { state: ours, branch: None }) })),
            Self::TheirsWins => Arc::new(|_, _, theirs| Box::pin(async { Ok(Merged { state: theirs, branch: None }) })),
            Self::BlindWrite | Self::NoCheckAfterRestart | Self::SilenceIsSuccess => merge,
        }
    }
}

/// A primary, done wrong.
pub(super) struct Weak<P> {
    pub(super) inner: P,
    pub(super) weakness: Option<Weakness>,
}

impl<P: Primary> Weak<P> {
    fn written(&self, request: WriteRequest<'_>) -> Answer {
        let Entry { revision, expires_at_ms, .. } = Entry::new(request.fields.clone(), request.expiry.expires_at_ms);
        Answer::Written { revision, expires_at_ms, now_ms: self.inner.now_ms().unwrap_or_default() }
    }
}

impl<P: Primary> fmt::Debug for Weak<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl<P: Primary> fmt::Display for Weak<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, f)
    }
}

#[async_trait]
impl<P: Primary> Primary for Weak<P> {
    fn identity(&self) -> String {
        self.inner.identity()
    }

    fn now_ms(&self) -> Option<u64> {
        self.inner.now_ms()
    }

    async fn handshake(&self) -> Result<DatasetId, HandshakeError> {
        let dataset = self.inner.handshake().await?;
        if self.weakness == Some(Weakness::NoCheckAfterRestart) {
            return Ok(DatasetId(Some("always the same".into())));
        }
        Ok(dataset)
    }

    fn disconnect(&self) {
        self.inner.disconnect();
    }

    async fn disconnected(&self) {
        self.inner.disconnected().await;
    }

    async fn ping(&self, until: Instant) -> Result<(), Failure> {
        self.inner.ping(until).await
    }

    async fn read(&self, key: &Key, until: Instant) -> Result<Option<Entry>, Failure> {
        self.inner.read(key, until).await
    }

    async fn write(&self, request: WriteRequest<'_>, until: Instant) -> Result<Answer, Failure> {
        let answer = self.inner.write(request, until).await;
        if self.weakness == Some(Weakness::BlindWrite)
            && let Ok(Answer::Refused(Some(_))) = &answer
        {
            let blind = WriteRequest { condition: &Condition::Present, repeated: false, ..request };
            return self.inner.write(blind, until).await;
        }
        if self.weakness == Some(Weakness::SilenceIsSuccess)
            && let Err(failure) = &answer
            && failure.error.kind() == Kind::Uncertain
        {
            return Ok(self.written(request));
        }
        answer
    }

    async fn touch(
        &self,
        key: &Key,
        expiry: Expiry,
        from: Option<&Revision>,
        until: Instant,
    ) -> Result<Answer, Failure> {
        self.inner.touch(key, expiry, from, until).await
    }

    async fn remove(&self, key: &Key, when: &Condition, repeated: bool, until: Instant) -> Result<Answer, Failure> {
        self.inner.remove(key, when, repeated, until).await
    }

    async fn scan(&self, cursor: Option<&str>, limit: u32, until: Instant) -> Result<Page, Failure> {
        self.inner.scan(cursor, limit, until).await
    }

    async fn health(&self) -> Result<Health, Error> {
        self.inner.health().await
    }

    async fn evictions(&self, until: Instant) -> Result<Option<Evictions>, Error> {
        self.inner.evictions(until).await
    }
}
