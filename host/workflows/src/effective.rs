//! What a workflow may do: what its manifest asks for, its grants allow, and the operator's ceiling leaves.

use std::collections::BTreeSet;

use ticket_host::workflow::{Grant, Grants as RunGrants, RunLimits};

use super::error::Error;
use super::grants::Granted;
use super::manifest::Manifest;
use super::operator::Operator;

/// What a workflow may do, when its manifest, its grants and the ceiling are considered.
#[derive(Clone, Debug)]
pub struct Effective {
    /// What it may import besides its ticket.
    pub grants: BTreeSet<Grant>,
    /// What a run may take.
    pub limits: RunLimits,
    /// The same grants with the tools themselves.
    pub(crate) run_grants: RunGrants,
}

impl Effective {
    pub(crate) fn of(manifest: &Manifest, granted: &Granted, operator: &Operator) -> Result<Self, Error> {
        let refused =
            |grant: &str, reason| Error::Grant { name: manifest.name.clone(), grant: grant.to_owned(), reason };
        let mut grants = BTreeSet::new();
        for text in &granted.grants {
            if !manifest.grants.contains(text) {
                return Err(refused(text, "its manifest does not ask for it"));
            }
            grants.insert(text.parse::<Grant>().map_err(|_| refused(text, "there is no such grant"))?);
        }
        let run_grants = operator.grants(&grants);
        let run_grants =
            run_grants.map_err(|tool| refused(&format!("tool:{tool}"), "operator.toml has no such tool"))?;
        let ceiling = operator.ceiling();
        let wanted = manifest.limits.over(&RunLimits::default());
        let limits = wanted.intersect(&granted.limits.over(&ceiling)).intersect(&ceiling);
        limits.check().map_err(|source| Error::Load { name: manifest.name.clone(), source })?;
        Ok(Self { grants, limits, run_grants })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::manifest::Limits;

    fn manifest(more: &str) -> Manifest {
        let text = format!("name = \"a\"\nversion = \"1\"\ncomponent = \"a.wasm\"\n{more}");
        Manifest::parse(&text, Path::new("workflow.toml")).expect("a manifest")
    }

    #[test]
    fn a_limit_is_the_smallest_of_the_three() {
        let ms = |time_ms| Limits { time_ms: Some(time_ms), ..Limits::default() };
        let operator: Operator =
            toml::from_str("[ceiling]\ntime_ms = 200\nmemory_bytes = 2000000").expect("an operator");
        for (asked, granted, expected) in [(100, 150, 100), (1_000, 150, 150), (1_000, 900, 200)] {
            let granted = Granted { limits: ms(granted), ..Granted::default() };
            let manifest = manifest(&format!("[limits]\ntime_ms = {asked}"));
            let effective = Effective::of(&manifest, &granted, &operator).expect("effective");
            assert_eq!(effective.limits.time_max, Duration::from_millis(expected));
            assert_eq!(effective.limits.memory_bytes_max, 2_000_000);
        }
    }

    #[test]
    fn what_is_not_asked_for_or_not_there_is_not_granted() {
        let granted = |grant: &str| Granted { grants: vec![grant.to_owned()], ..Granted::default() };
        let manifest = manifest("grants = [\"log\", \"tool:look-up\"]");
        let operator = Operator::default();
        let effective = Effective::of(&manifest, &granted("log"), &operator).expect("effective");
        assert_eq!(effective.grants, BTreeSet::from([Grant::Log]));
        for (grant, expected) in
            [("clock", "its manifest does not ask for it"), ("tool:look-up", "operator.toml has no such tool")]
        {
            let error = Effective::of(&manifest, &granted(grant), &operator).expect_err(grant).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
