//! What an operator must know about a store.

/// What a store says about itself.
#[derive(Clone, Debug)]
pub struct Health {
    /// Facts by name, for people and programs: `server`, `latency_us`, `path`, …
    pub facts: Vec<(&'static str, String)>,
    /// What is wrong, worst first; empty if nothing is.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong with a store.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, what follows from it, and what to do.
    pub text: String,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The store cannot keep its promises.
    Problem,
    /// The store keeps its promises, but the operator should act.
    Warning,
}
