//! Advances the epoch of the workflow engines while a run is under way: that is how a loop is interrupted.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use wasmtime::Engine;

/// How often a run is looked at: much finer than the shortest time that people set.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a run before the thread sleeps: to wake it costs as much as a short run.
const IDLE_TICKS: u32 = 200;

#[derive(Default)]
struct State {
    engines: Vec<Engine>,
    runs: usize,
    is_asleep: bool,
}

struct Ticker {
    state: Mutex<State>,
    begun: Condvar,
}

impl Ticker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        let mut idle = 0;
        loop {
            std::thread::sleep(TICK);
            let mut state = self.state();
            idle = if state.runs == 0 { idle + 1 } else { 0 };
            if idle > IDLE_TICKS {
                state.is_asleep = true;
                while state.runs == 0 {
                    state = self.begun.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.is_asleep = false;
                idle = 0;
            }
            state.engines.iter().for_each(Engine::increment_epoch);
        }
    }
}

/// The one of this process, with its thread.
fn ticker() -> &'static Ticker {
    static TICKER: OnceLock<Ticker> = OnceLock::new();
    static THREAD: OnceLock<()> = OnceLock::new();
    let ticker = TICKER.get_or_init(|| Ticker { state: Mutex::default(), begun: Condvar::new() });
    THREAD.get_or_init(|| {
        let thread = std::thread::Builder::new().name("workflow-ticker".to_owned());
        if let Err(error) = thread.spawn(|| ticker.tick()) {
            tracing::error!(%error, "no thread can be started: workflows that loop are not interrupted");
        }
    });
    ticker
}

/// Advances the epoch of an engine from now on.
pub(super) fn add(engine: &Engine) {
    ticker().state().engines.push(engine.clone());
}

/// While it lives, time goes on.
pub(super) struct Ticking(&'static Ticker);

impl Ticking {
    pub(super) fn begin() -> Self {
        let ticker = ticker();
        let mut state = ticker.state();
        state.runs += 1;
        if state.is_asleep {
            ticker.begun.notify_one();
        }
        drop(state);
        Self(ticker)
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.state().runs -= 1;
    }
}
