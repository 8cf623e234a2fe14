//! All contenders at all sizes: microseconds of one interaction, by store, history and callers.

use std::fmt::Write;
use std::sync::Arc;

use ticket_tests::RedisServer;

use crate::contenders::{Bare, ByHand, Component, Contender, Native, python};
use crate::rounds::{Load, cost};

/// Messages of a new ticket.
pub(crate) const HISTORIES: [usize; 3] = [10, 100, 1_000];
const CALLERS: [usize; 4] = [1, 8, 64, 512];
/// Approximate interactions of a turn; fewer with long histories, which take long to create.
const INTERACTIONS: usize = 2_000;
const INTERACTIONS_LONG: usize = 1_000;

/// The table of one store, printed as it grows.
pub(crate) struct Grid {
    /// What is measured with one caller, in the order of [`HISTORIES`], by name.
    pub(crate) alone_us: Vec<(&'static str, Vec<f64>)>,
}

impl Grid {
    fn new(store: &str) -> Self {
        let callers = CALLERS.map(|callers| format!("{callers} at once |")).join(" ");
        println!("\n| {store}: µs | history | {callers}\n|---|---|{}", "---|".repeat(CALLERS.len()));
        Self { alone_us: Vec::new() }
    }

    /// Measures a contender with each number of `callers` that it supports.
    async fn add(&mut self, contender: &Arc<dyn Contender>, callers: &[usize]) {
        let mut alone_us = Vec::new();
        for history in HISTORIES {
            let mut line = format!("| {} | {history} |", contender.name());
            for at_once in CALLERS {
                if !callers.contains(&at_once) {
                    line.push_str(" — |");
                    continue;
                }
                let interactions = if history == 1_000 { INTERACTIONS_LONG } else { INTERACTIONS };
                let load = Load { callers: at_once, interactions: interactions.div_ceil(at_once).max(2), history };
                let us = cost(contender, load).await * 1e6;
                if at_once == 1 {
                    alone_us.push(us);
                }
                let _ = write!(line, " {us:.1} |");
            }
            println!("{line}");
        }
        self.alone_us.push((contender.name(), alone_us));
    }
}

pub(crate) async fn in_memory() -> Grid {
    let mut grid = Grid::new("memory");
    let component: Arc<dyn Contender> = Arc::new(Component::in_memory().await);
    let fresh: Arc<dyn Contender> = Arc::new(Component::in_memory_fresh().await);
    let native: Arc<dyn Contender> = Arc::new(Native::in_memory());
    for contender in [&component, &fresh, &native] {
        grid.add(contender, &CALLERS).await;
    }
    let python: Arc<dyn Contender> = Arc::new(python::dict());
    grid.add(&python, &[1]).await;
    grid
}

pub(crate) async fn on_sqlite() -> Grid {
    let mut grid = Grid::new("SQLite");
    let component: Arc<dyn Contender> = Arc::new(Component::on_sqlite().await);
    grid.add(&component, &CALLERS).await;
    grid
}

pub(crate) async fn on_redis(server: &RedisServer) -> Grid {
    let mut grid = Grid::new("Redis");
    let component: Arc<dyn Contender> = Arc::new(Component::on_redis(server).await);
    let asked: Arc<dyn Contender> = Arc::new(Component::on_redis_asked(server).await);
    let by_hand: Arc<dyn Contender> = Arc::new(ByHand::on_redis(server).await);
    let bare: Arc<dyn Contender> = Arc::new(Bare::hset(server).await);
    let evalsha: Arc<dyn Contender> = Arc::new(Bare::evalsha(server).await);
    for contender in [&component, &asked, &by_hand, &bare, &evalsha] {
        grid.add(contender, &CALLERS).await;
    }
    let python: Arc<dyn Contender> = Arc::new(python::redis_py(server));
    grid.add(&python, &[1]).await;
    grid
}
