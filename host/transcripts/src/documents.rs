//! A stream of bytes as JSON documents, and the conversations in them: JSON lines, or documents over several lines.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, Read};

use serde_json::value::RawValue;

use crate::invalid::Invalid;
use crate::object::{self, Object};

/// Longest line, in bytes: far more than any ticket takes.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of documents over several lines, which are read as a whole.
const WHOLE_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Members that make an object a conversation.
const MESSAGES: [&str; 3] = ["messages", "input", "contents"];

/// Where a conversation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// Its place in an array of conversations, from 1.
    pub item: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}", self.line)?;
        self.item.map_or(Ok(()), |item| write!(formatter, ", item {item}"))
    }
}

/// The JSON of one conversation: an object, or an array of its messages alone.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// Where it begins.
    pub place: Place,
    /// The JSON.
    pub json: &'a RawValue,
}

/// A JSON document, and the line on which it begins.
#[derive(Debug)]
pub struct Text {
    line: usize,
    text: String,
}

impl Text {
    /// The conversations of a document: itself, or the elements of an array.
    ///
    /// # Errors
    /// [`Invalid`] if an element of an array is not a conversation.
    pub fn conversations(&self) -> Result<Vec<Document<'_>>, Invalid> {
        self.documents().map_err(|wrong| wrong.within(&format!("line {}", self.line)))
    }

    fn documents(&self) -> Result<Vec<Document<'_>>, Invalid> {
        let json: &RawValue = serde_json::from_str(&self.text)?;
        let here = |item| Place { line: self.line, item };
        if !json.get().starts_with('[') {
            return Ok(vec![Document { place: here(None), json }]);
        }
        let items = object::items(json)?;
        if items.is_empty() {
            return Ok(vec![]);
        }
        let mut documents = Vec::with_capacity(items.len());
        let mut messages = 0;
        for (place, item) in items.into_iter().enumerate() {
            let object = Object::parse(item).map_err(|wrong| {
                wrong.within(&format!("item {} of an array, which is a conversation or a message", place + 1))
            })?;
            if object.any(&MESSAGES).is_none() {
                messages += 1;
            }
            documents.push(Document { place: here(Some(place + 1)), json: item });
        }
        match messages {
            0 => Ok(documents),
            all if all == documents.len() => Ok(vec![Document { place: here(None), json }]),
            _ => Err(Invalid::new("an array holds conversations or the messages of one, not both")),
        }
    }
}

/// Reads documents from a stream, which may begin with a byte order mark and may be UTF-16.
pub struct Documents<R> {
    reader: R,
    line: usize,
    queue: VecDeque<Text>,
    read: u64,
}

impl<R: BufRead> Documents<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, line: 0, queue: VecDeque::new(), read: 0 }
    }

    /// Bytes that were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// The next document; none at the end.
    ///
    /// # Errors
    /// [`Invalid`] names the line: it cannot be read, is too long, or is not JSON.
    pub fn read_next(&mut self) -> Result<Option<Text>, Invalid> {
        loop {
            if let Some(text) = self.queue.pop_front() {
                return Ok(Some(text));
            }
            let Some(text) = self.next_line()? else { return Ok(None) };
            if text.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<&RawValue>(&text) {
                Ok(_) => return Ok(Some(Text { line: self.line, text })),
                // It goes on in the next lines, or was read as a whole.
                Err(error) if error.is_eof() || text.trim_end().contains('\n') => self.whole(text)?,
                Err(error) => return Err(Invalid::from(error).within(&format!("line {} is not JSON", self.line))),
            }
        }
    }

    fn next_line(&mut self) -> Result<Option<String>, Invalid> {
        let first = self.line == 0;
        self.line += 1;
        let mut line = Vec::new();
        self.take(&mut line, LINE_BYTES_MAX, true)?;
        if line.is_empty() {
            return Ok(None);
        }
        if first {
            if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = line[..] {
                self.take(&mut line, WHOLE_BYTES_MAX, false)?;
                return self.utf16(&line).map(Some);
            }
            if line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3);
            }
        }
        self.utf8(line).map(Some)
    }

    /// Reads the rest as documents over several lines, the first of which begins with `head`.
    fn whole(&mut self, head: String) -> Result<(), Invalid> {
        let mut bytes = head.into_bytes();
        self.take(&mut bytes, WHOLE_BYTES_MAX, false)?;
        let text = self.utf8(bytes)?;
        let mut documents = serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>();
        let mut line = self.line;
        let mut from = 0;
        loop {
            let blank = text[from..].len() - text[from..].trim_start().len();
            line += text[from..from + blank].matches('\n').count();
            from += blank;
            match documents.next() {
                None => return Ok(()),
                Some(Ok(json)) => {
                    self.queue.push_back(Text { line, text: json.get().to_owned() });
                    let end = documents.byte_offset();
                    line += text[from..end].matches('\n').count();
                    from = end;
                }
                Some(Err(error)) => {
                    let at = self.line + error.line() - 1;
                    let what = error.to_string();
                    let what = what.split(" at line ").next().unwrap_or_default();
                    return Err(Invalid::new(format!(
                        "the JSON that begins on line {line} is not complete or invalid: {what} at line {at} column {}",
                        error.column()
                    )));
                }
            }
        }
    }

    /// Appends a line, or everything, to `bytes`.
    fn take(&mut self, bytes: &mut Vec<u8>, max: usize, line: bool) -> Result<(), Invalid> {
        let before = bytes.len();
        let mut limited = (&mut self.reader).take(max as u64 + 1);
        let taken = if line { limited.read_until(b'\n', bytes) } else { limited.read_to_end(bytes) };
        taken.map_err(|error| Invalid::new(format!("line {} cannot be read: {error}", self.line)))?;
        self.read += (bytes.len() - before) as u64;
        if bytes.len() - before > max {
            return Err(Invalid::new(format!("line {} has more than {max} bytes", self.line)));
        }
        Ok(())
    }

    fn utf8(&self, bytes: Vec<u8>) -> Result<String, Invalid> {
        String::from_utf8(bytes)
            .map_err(|error| Invalid::new(format!("line {} is not UTF-8: {}", self.line, error.utf8_error())))
    }

    /// A text in UTF-16 after its byte order mark, which is read as documents over several lines.
    fn utf16(&mut self, bytes: &[u8]) -> Result<String, Invalid> {
        let little = bytes[0] == 0xff;
        let unit = |pair: &[u8]| {
            let pair = [pair[0], pair[1]];
            if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
        };
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(pair)).collect();
        if !rest.is_empty() {
            return Err(Invalid::new("the text in UTF-16 ends in half of a character"));
        }
        String::from_utf16(&units).map_err(|error| Invalid::new(format!("the text is not UTF-16: {error}")))
    }
}

impl<R> fmt::Debug for Documents<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Documents").field("line", &self.line).finish_non_exhaustive()
    }
}
