//! The fields of an entry.

use crate::error::{Error, Kind};
use crate::limits::ENTRY_BYTES_MAX;
use crate::text::excerpt;

/// Names and texts of one entry, each name once, in no guaranteed order.
pub type Fields = Vec<(String, String)>;

/// Refuses fields that no store accepts as an entry.
///
/// # Errors
/// `Invalid` if there is no field or a name occurs twice, `TooLarge` for more than [`ENTRY_BYTES_MAX`] bytes.
pub fn check_fields(fields: &Fields) -> Result<(), Error> {
    let bytes: usize = fields.iter().map(|(name, text)| name.len() + text.len()).sum();
    if bytes > ENTRY_BYTES_MAX {
        let limit = ENTRY_BYTES_MAX as u64;
        return Err(Error::new(Kind::TooLarge(limit), format!("entry of {bytes} bytes is over the limit of {limit}")));
    }
    if fields.is_empty() {
        return Err(Error::invalid("entry has no field: give at least one"));
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            Err(Error::invalid(format!("field {} is given twice: each name must occur once", excerpt(pair[0]))))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn empty_repeated_and_oversized_fields_are_refused() {
        assert_eq!(check_fields(&Fields::new()).expect_err("empty").kind(), Kind::Invalid);
        assert_eq!(check_fields(&fields(&[("a", "1"), ("a", "2")])).expect_err("twice").kind(), Kind::Invalid);
        let most = vec![("a".to_owned(), "x".repeat(ENTRY_BYTES_MAX - 1))];
        assert!(check_fields(&most).is_ok());
        let more = vec![("a".to_owned(), "x".repeat(ENTRY_BYTES_MAX))];
        let limit = ENTRY_BYTES_MAX as u64;
        assert_eq!(check_fields(&more).expect_err("large").kind(), Kind::TooLarge(limit));
    }
}
