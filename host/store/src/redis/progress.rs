//! How far an attempt to reach a server came, for the error of one that ran out of time.
//!
//! It is a task-local value and not an argument, because a [`Connector`](super::Connector) of one's own has none for it.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::timeout;

/// A step of an attempt, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing yet.
    Begun,
    /// TCP is connected.
    Tcp,
    /// The stream is ready: TCP, and TLS if the URL asks for it.
    Connected,
    /// The login was accepted, if the URL has one.
    LoggedIn,
    /// The server has answered a command.
    Answered,
}

tokio::task_local! {
    static STEP: Cell<Step>;
}

/// An attempt that ran out of time.
#[derive(Debug)]
pub(super) struct Timeout {
    time: Duration,
    reached: Step,
}

/// Notes that the current attempt has come so far.
pub(super) fn reached(step: Step) {
    // Outside of an attempt with a time of its own there is no one to tell.
    let _ = STEP.try_with(|reached| reached.set(step));
}

/// Runs an attempt for so long at most.
pub(super) async fn within<T>(time: Duration, attempt: impl Future<Output = T>) -> Result<T, Timeout> {
    let watched = async {
        let done = timeout(time, attempt).await;
        done.map_err(|_| Timeout { time, reached: STEP.with(Cell::get) })
    };
    STEP.scope(Cell::new(Step::Begun), watched).await
}

impl Timeout {
    /// What the server did not do, what it did before, and what to check.
    pub(super) fn describe(&self, is_encrypted: bool, has_login: bool) -> String {
        let connected = if is_encrypted { "TCP and TLS connected" } else { "TCP connected" };
        let (done, check) = match self.reached {
            Step::Begun => {
                let check = "check host and port, and that no firewall drops the packets";
                ("no TCP connection".to_owned(), check)
            }
            Step::Tcp => {
                let check = "check that this port speaks TLS, and that the server is not stopped or overloaded";
                ("TCP connected, TLS not".to_owned(), check)
            }
            step => {
                let done = match step {
                    Step::LoggedIn | Step::Answered if has_login => format!("{connected}, login accepted"),
                    Step::Connected if has_login => format!("{connected}, login not answered"),
                    Step::Answered => format!("{connected}, one command answered"),
                    _ => format!("{connected}, no command answered"),
                };
                (done, "check that the server process is not stopped, and that no slow command keeps it busy")
            }
        };
        format!("did not answer within {} ms ({done}): {check}", self.time.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_names_the_time_and_what_was_reached() {
        for (has_login, reached, done) in [
            (false, Step::Begun, "no TCP connection"),
            (false, Step::Tcp, "TCP connected, TLS not"),
            (false, Step::Connected, "TCP and TLS connected, no command answered"),
            (false, Step::Answered, "TCP and TLS connected, one command answered"),
            (true, Step::Connected, "TCP and TLS connected, login not answered"),
            (true, Step::LoggedIn, "TCP and TLS connected, login accepted"),
        ] {
            let text = Timeout { time: Duration::from_millis(150), reached }.describe(true, has_login);
            assert!(text.contains(&format!("within 150 ms ({done}): check ")), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_notes_how_far_it_came() {
        let attempt = async {
            reached(Step::Tcp);
            std::future::pending::<()>().await;
        };
        let timeout = within(Duration::from_secs(1), attempt).await.expect_err("it never ends");
        assert_eq!(timeout.reached, Step::Tcp);
        assert_eq!(within(Duration::from_secs(1), async { 7 }).await.ok(), Some(7));
    }
}
