//! The link to the primary as calls see it: whether it may be used, until when, and what a failure does to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::breaker::Breaker;
use super::outage::Outage;
use super::status::Reporter;
use ticket_store::clock::Clock;
use ticket_store::operation;
use ticket_store::{Cause, Error, Failure, Kind, Primary};

/// Pause between two health checks of a primary that is down: with the supervisor's attempts about two
/// connections a second at most.
const PROBE_PAUSE: Duration = Duration::from_secs(5);

/// The primary behind its breaker.
pub(super) struct PrimaryLink {
    pub(super) primary: Arc<dyn Primary>,
    pub(super) reporter: Reporter,
    /// Wakes the supervisor: the breaker opened, or something is pending while it is closed.
    pub(super) wake: Notify,
    /// How long one call may wait for an answer.
    pub(super) call_time: Duration,
    /// Until the primary's time is known.
    clock: Arc<dyn Clock>,
    breaker: Mutex<Breaker>,
    /// Where the breaker's time starts.
    began: Instant,
    /// The last health check of a primary that was down, or an attempt that says as much.
    probed_at: Mutex<Option<Instant>>,
}

/// Permission for one call to the primary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    link: u64,
    /// When the call must have its answer.
    pub(super) until: Instant,
    /// Whether the call has time enough that its silence says something about the primary.
    is_fair: bool,
}

impl PrimaryLink {
    pub(super) fn new(
        primary: Arc<dyn Primary>,
        reporter: Reporter,
        clock: Arc<dyn Clock>,
        call_time: Duration,
    ) -> Self {
        Self {
            primary,
            reporter,
            wake: Notify::new(),
            call_time,
            clock,
            breaker: Mutex::new(Breaker::new()),
            began: Instant::now(),
            probed_at: Mutex::default(),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether calls may use the primary; if not, the fallback serves.
    pub(super) fn is_up(&self) -> bool {
        self.number().is_some()
    }

    /// The number of the connection that calls may use; none while the breaker is open.
    pub(super) fn number(&self) -> Option<u64> {
        self.breaker().link()
    }

    /// The time that deadlines are compared with: the primary's as soon as it is known.
    pub(super) fn now_ms(&self) -> u64 {
        self.primary.now_ms().unwrap_or_else(|| self.clock.now_ms())
    }

    /// Permission to call the primary; none if the fallback serves, or if the time of the operation is over.
    pub(super) fn route(&self) -> Option<Route> {
        let link = self.number()?;
        let now = Instant::now();
        let until = (now + self.call_time).min(operation::until().unwrap_or(now + self.call_time));
        (until > now).then_some(Route { link, until, is_fair: until - now >= self.call_time / 2 })
    }

    /// Reports how a call by a route ended. Silence counts only if the call had time enough.
    pub(super) fn report_call(&self, route: Route, failure: Option<&Failure>) {
        match failure {
            Some(failure) if failure.cause == Cause::Time && !route.is_fair => {
                self.reporter.failed(&failure.error.chain());
            }
            failure => self.report(route.link, failure),
        }
    }

    /// Reports how a call over the connection of a number ended.
    pub(super) fn report(&self, number: u64, failure: Option<&Failure>) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Held until all is done, so that no connection that is ready meanwhile is closed or reported as down.
        let mut breaker = self.breaker();
        let opened = breaker.note(number, failure.map(|failure| failure.cause), now_ms);
        let Some(failure) = failure else { return };
        if opened {
            self.primary.disconnect();
            self.reporter.down(&failure.error);
            self.wake.notify_one();
        } else if failure.cause == Cause::Unwritable && breaker.link() == Some(number) {
            self.reporter.writes_refused(&failure.error);
        } else {
            self.reporter.failed(&failure.error.chain());
        }
    }

    /// The connection has ended by itself.
    pub(super) fn ended(&self) {
        let Some(number) = self.number() else { return };
        let error = Error::new(Kind::Unavailable, format!("{}: the connection ended", self.primary));
        self.report(number, Some(&Failure { error, cause: Cause::Link }));
    }

    /// A new connection is ready: calls go to the primary from now on.
    pub(super) fn close_breaker(&self) {
        let mut breaker = self.breaker();
        breaker.close();
        self.reporter.up();
    }

    pub(super) async fn ping(&self) {
        let Some(number) = self.number() else { return };
        let answer = self.primary.ping(Instant::now() + self.call_time).await;
        self.report(number, answer.as_ref().err());
    }

    /// An attempt to connect used up its time: a health check would only wait as long again.
    pub(super) fn waited_in_vain(&self) {
        *self.probed_at() = Some(Instant::now());
    }

    fn probed_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.probed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a health check may connect to a primary that is down: the supervisor does so too.
    pub(super) fn may_probe(&self) -> bool {
        let mut probed_at = self.probed_at();
        let may = probed_at.is_none_or(|probed_at| probed_at.elapsed() >= PROBE_PAUSE);
        if may {
            *probed_at = Some(Instant::now());
        }
        may
    }

    /// The error of a call about a ticket that neither the primary nor the replica can answer for.
    pub(super) fn unavailable(&self) -> Error {
        match self.reporter.outage() {
            None => Error::new(Kind::Unavailable, format!("no time was left to ask {}", self.primary)),
            Some(outage) => self.unserved(&outage, "its fallback does not know this ticket"),
        }
    }

    /// The error of a call that neither the primary nor the fallback can serve, and why the fallback cannot.
    pub(super) fn unserved(&self, outage: &Outage, why: &str) -> Error {
        match outage {
            Outage::Down { error } => {
                let text = format!("{} is down and {why}", self.primary);
                Error::new(Kind::Unavailable, text).caused_by(error.as_str())
            }
            Outage::Misconfigured { misconfiguration, .. } => {
                let text = format!("{}; {why}", outage.describe(&self.primary.to_string(), "the store URL"));
                Error::new(Kind::Unavailable, text).with_misconfiguration(misconfiguration.clone())
            }
        }
    }
}
