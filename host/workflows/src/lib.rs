//! A registry of workflows: components that others wrote, each with a manifest, and what the operator lets each do.
//!
//! A workflow asks in its manifest, the operator grants by the digest of its component, and a ceiling holds for all: what
//! a run may do is what all three allow. A component is compiled when it is added, in a process of its own where there is
//! a program for it. While a changed one is checked and compiled the old one serves, and it stays if the new one is bad.
//!
//! ```no_run
//! use ticket_host::Tickets;
//! use ticket_workflows::{Compiler, Workflows};
//!
//! # async fn agent() -> Result<(), Box<dyn std::error::Error>> {
//! let tickets = Tickets::open("redis://127.0.0.1/").await?;
//! let workflows = Workflows::open("/etc/tickets/workflows", Compiler::InProcess).await?;
//! let run = workflows.run(&tickets, "mia", "refund", r#"{"cabin":"economy"}"#).await?;
//! println!("{}", run.output);
//! # Ok(())
//! # }
//! ```
//!
//! # The folder
//!
//! | path | what it is |
//! |---|---|
//! | `NAME/workflow.toml` | the [`Manifest`], with the digest of the component |
//! | `NAME/DIGEST.wasm` | the component |
//! | `operator.toml` | the [`Operator`]'s ceiling and tools; written by hand, optional |
//! | `grants.toml` | what is granted to which component, by digest |
//! | `.images/` | compiled components |
//! | `audit.jsonl` | every refusal, and every grant that was given or used |
//!
//! # Modules
//!
//! | module | what it has |
//! |---|---|
//! | `manifest`, `schema`, `package` | what an author ships: the manifest, its schemas, the folder of both |
//! | `operator`, `tool`, `grants` | what an operator decides: ceiling, tools, grants |
//! | `effective` | what a workflow may do when both are considered |
//! | `compile` | compiling in a process with caps |
//! | `registry`, `entry`, `backoff` | [`Workflows`]: the workflows of a folder, and those that are suspended for a while |
//! | `audit` | the log of refusals and grants |
//! | `failed_run` | files of failed runs, which can be replayed |
//! | `cases` | an author's tests |
#![deny(missing_docs)]

mod audit;
mod backoff;
mod cases;
mod compile;
mod effective;
mod entry;
mod error;
mod failed_run;
mod files;
mod grants;
mod manifest;
mod operator;
mod package;
mod registry;
mod schema;
mod tool;

pub use audit::Audit;
pub use cases::{Case, CaseResult, run_cases};
pub use compile::{Compiler, compile_with_caps};
pub use effective::Effective;
pub use error::{Error, with_sources};
pub use failed_run::FailedRun;
pub use grants::{Granted, Grants};
pub use manifest::{Limits, Manifest, check_name};
pub use operator::Operator;
pub use package::Package;
pub use registry::{Listed, Workflows};
