//! Schema migrations: each a pure function from the fields of one version to those of the next.
//!
//! The golden files beside this crate (`golden/`) hold one record before and after each.

use ticket_model::field;
use ticket_model::port::Fields;

/// Version 0, the bare dict of the first agents (three JSON fields, perhaps the two times), as version 1.
///
/// A time that is missing is taken from the other one; where both are, it is 0, which means "unknown": the
/// current time would give the same record another creation time with every read.
pub(crate) fn from_v0(mut fields: Fields) -> Fields {
    let text = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    let created_at = text(field::CREATED_AT);
    let updated_at = text(field::UPDATED_AT);
    for (name, own, other) in
        [(field::CREATED_AT, &created_at, &updated_at), (field::UPDATED_AT, &updated_at, &created_at)]
    {
        if own.is_none() {
            fields.push((name.into(), other.clone().unwrap_or_else(|| "0".into())));
        }
    }
    fields.push((field::VERSION.into(), "1".into()));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(text: &str) -> Fields {
        text.lines().filter_map(|line| line.split_once('\t')).map(|(name, text)| (name.into(), text.into())).collect()
    }

    #[test]
    fn version_0_becomes_version_1_as_the_golden_files_say() {
        for (before, after) in [
            (include_str!("../golden/v0-bare.tsv"), include_str!("../golden/v0-bare.v1.tsv")),
            (include_str!("../golden/v0-timed.tsv"), include_str!("../golden/v0-timed.v1.tsv")),
            (include_str!("../golden/v0-updated.tsv"), include_str!("../golden/v0-updated.v1.tsv")),
        ] {
            let mut fields = from_v0(golden(before));
            fields.sort();
            assert_eq!(fields, golden(after));
        }
    }
}
