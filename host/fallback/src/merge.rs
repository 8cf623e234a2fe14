//! The function that merges states; the crate of the engine provides it.

use std::pin::Pin;
use std::sync::Arc;

use ticket_model::ticket::{Merged, State};
use ticket_store::Error;

/// Merges two states that descend from one: base, ours, theirs.
pub type Merge =
    Arc<dyn Fn(State, State, State) -> Pin<Box<dyn Future<Output = Result<Merged, Error>> + Send>> + Send + Sync>;
