//! Input besides the arguments: files, stdin, and changes as JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ticket_host::Change;
use ticket_model::written::WrittenChange;

use super::exit::Failure;

/// Stands for stdin.
const STDIN: &str = "-";
/// Most bytes of one input: a snapshot of the largest ticket that a store takes, with all characters escaped.
const BYTES_MAX: u64 = 128 * 1024 * 1024;

/// A file that is read line by line, and its length if it has one.
pub(crate) struct Lines {
    /// The text.
    pub(crate) reader: Box<dyn BufRead>,
    /// Bytes of the whole; none for a pipe.
    pub(crate) bytes: Option<u64>,
}

/// Opens a file, or stdin for `-`.
pub(crate) fn open(path: &Path) -> Result<Lines, Failure> {
    if path == Path::new(STDIN) {
        return Ok(Lines { reader: Box::new(io::stdin().lock()), bytes: None });
    }
    let unreadable = |error| Failure::Input(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::Input(format!("{} is a directory, not a file", path.display())));
    }
    let bytes = metadata.is_file().then_some(metadata.len());
    Ok(Lines { reader: Box::new(BufReader::new(file)), bytes })
}

/// The whole text of a file, or of stdin for `-`.
pub(crate) fn file(path: &Path) -> Result<String, Failure> {
    let name = if path == Path::new(STDIN) { "stdin".into() } else { path.display().to_string() };
    let mut text = Vec::new();
    let read = open(path)?.reader.take(BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| Failure::Input(format!("cannot read {name}: {error}")))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Failure::Input(format!("{name} has more than {BYTES_MAX} bytes")));
    }
    String::from_utf8(text).map_err(|error| Failure::Input(format!("{name} is not UTF-8: {error}")))
}

/// What was typed, or the whole of stdin for `-`.
pub(crate) fn typed(text: String) -> Result<String, Failure> {
    if text == STDIN { file(Path::new(STDIN)) } else { Ok(text) }
}

/// What the user said: what was typed, or for `-` stdin without its last line break.
pub(crate) fn said(text: String) -> Result<String, Failure> {
    if text != STDIN {
        return Ok(text);
    }
    let mut text = file(Path::new(STDIN))?;
    // A command before the pipe that failed says nothing; a user who says nothing on purpose types "".
    if text.is_empty() {
        return Err(Failure::Input("stdin is empty, so there is no message: type \"\" for an empty one".into()));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// Parses changes: one JSON array, or JSON values one after the other.
pub(crate) fn changes(text: &str) -> Result<Vec<Change>, Failure> {
    let written: Result<Vec<WrittenChange<'_>>, _> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text)
    } else {
        serde_json::Deserializer::from_str(text).into_iter().collect()
    };
    let written = written.map_err(|error| {
        Failure::Input(format!(
            "invalid changes: write them as [{{\"say\":\"…\"}},{{\"learn\":{{…}}}}], see `ticket apply --help`: {error}"
        ))
    })?;
    Ok(written.into_iter().map(Change::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_keep_their_values_as_written() {
        let expected = vec![
            Change::Say("\"h\\u00e9\"".into()),
            Change::Learn("{\"n\": 123456789012345678901234567890, \"f\": 1.0}".into()),
            Change::Decide("null".into()),
        ];
        let array = r#" [{"say":"h\u00e9"}, {"learn":{"n": 123456789012345678901234567890, "f": 1.0}},
            {"decide": null}] "#;
        let lines = "{\"say\":\"h\\u00e9\"}\n\n{\"learn\":{\"n\": 123456789012345678901234567890, \"f\": 1.0}}\n\
                     {\"decide\":\nnull}\n";
        assert_eq!(changes(array).expect("array"), expected);
        assert_eq!(changes(lines).expect("lines"), expected);
        assert_eq!(changes("").expect("nothing"), []);
    }

    #[test]
    fn invalid_changes_are_refused() {
        for text in
            ["{", "7", "{\"shout\":1}", "{\"say\":1,\"learn\":{}}", "{}", "[{\"say\":1}] 2", "[[]]", "say hello"]
        {
            assert!(matches!(changes(text), Err(Failure::Input(_))), "{text}");
        }
    }
}
