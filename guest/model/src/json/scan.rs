//! One pass over a JSON text: is it JSON, how deep, what is it, how many entries.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::parts::text_of;
use super::strings::plain_until;
use crate::limits::JSON_DEPTH_MAX;

/// Deepest nesting: as many levels as the word has bits that is the scanner's stack.
const DEPTH_MAX: u32 = JSON_DEPTH_MAX;
const _: () = assert!(DEPTH_MAX == u64::BITS);

/// What a JSON text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    String,
    /// A number, `true`, `false` or `null`.
    Other,
}

/// What one pass over a JSON text shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What it is.
    pub kind: Kind,
    /// Members of the object, items of the array; 0 for anything else.
    pub entries: usize,
    /// Levels of containers, 0 without any.
    pub depth: u32,
    /// Whether there is white space outside of strings.
    pub spaced: bool,
}

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON: what was expected, and at which byte.
    Syntax(&'static str, usize),
    /// Nests deeper than [`JSON_DEPTH_MAX`].
    TooDeep,
    /// A duplicate key in an object; the byte of the second.
    DuplicateKey(usize),
    /// A `\u` escape of half a character; the byte of its string.
    LoneSurrogate(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(expected, at) => write!(f, "expected {expected} at byte {at}"),
            Self::TooDeep => write!(f, "nests deeper than {DEPTH_MAX}"),
            Self::DuplicateKey(at) => write!(f, "has a duplicate key at byte {at}"),
            Self::LoneSurrogate(at) => write!(f, "has a lone surrogate in the string at byte {at}"),
        }
    }
}

/// Checks a stored text: JSON of at most [`JSON_DEPTH_MAX`] levels.
///
/// # Errors
/// What is wrong with it, and where.
pub fn check(text: &str) -> Result<Shape, Fault> {
    Scanner { text, bytes: text.as_bytes(), at: 0, spaced: false, watch: Lenient }.run()
}

/// Checks a text from a caller: as [`check`], and no duplicate keys, no lone surrogates.
///
/// # Errors
/// What is wrong with it, and where.
pub fn check_strict(text: &str) -> Result<Shape, Fault> {
    Scanner { text, bytes: text.as_bytes(), at: 0, spaced: false, watch: Strict { keys: Vec::new() } }.run()
}

/// What else a pass looks at.
trait Watch<'a> {
    fn open(&mut self) {}
    fn close(&mut self) {}
    fn key(&mut self, _text: &'a str, _token: Range<usize>) -> Result<(), Fault> {
        Ok(())
    }
    /// A string, perhaps a key, that has escapes.
    fn escaped(&mut self, _text: &'a str, _token: Range<usize>) -> Result<(), Fault> {
        Ok(())
    }
}

struct Lenient;

impl Watch<'_> for Lenient {}

/// Keys seen so far, one set for every open container.
struct Strict<'a> {
    keys: Vec<BTreeSet<Cow<'a, [u8]>>>,
}

impl<'a> Watch<'a> for Strict<'a> {
    fn open(&mut self) {
        self.keys.push(BTreeSet::new());
    }

    fn close(&mut self) {
        self.keys.pop();
    }

    fn key(&mut self, text: &'a str, token: Range<usize>) -> Result<(), Fault> {
        let at = token.start;
        let new = self.keys.last_mut().is_none_or(|keys| keys.insert(text_of(&text[token])));
        if new { Ok(()) } else { Err(Fault::DuplicateKey(at)) }
    }

    fn escaped(&mut self, text: &'a str, token: Range<usize>) -> Result<(), Fault> {
        let at = token.start;
        let token = &text[token];
        // Escapes are well formed by now, so that only half a pair can fail to become text.
        if token.contains("\\u") && serde_json::from_str::<String>(token).is_err() {
            return Err(Fault::LoneSurrogate(at));
        }
        Ok(())
    }
}

struct Scanner<'a, W> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    spaced: bool,
    watch: W,
}

/// Which containers are open: one bit each, 1 for an object, the innermost lowest.
#[derive(Default)]
struct Open {
    bits: u64,
    depth: u32,
    deepest: u32,
}

impl Open {
    fn push(&mut self, object: bool) -> Result<(), Fault> {
        if self.depth == DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        Ok(())
    }

    fn pop(&mut self) {
        self.bits >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.bits & 1 == 1
    }
}

impl<'a, W: Watch<'a>> Scanner<'a, W> {
    fn run(mut self) -> Result<Shape, Fault> {
        let mut open = Open::default();
        let mut shape = Shape { kind: self.kind(), entries: 0, depth: 0, spaced: false };
        loop {
            let opened = self.value(&mut open)?;
            if opened {
                shape.entries += usize::from(open.depth == 1);
                continue;
            }
            loop {
                self.skip_space();
                if open.depth == 0 {
                    shape.depth = open.deepest;
                    shape.spaced = self.spaced;
                    return if self.at == self.bytes.len() { Ok(shape) } else { Err(self.expected("the end")) };
                }
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        shape.entries += usize::from(open.depth == 1);
                        if open.in_object() {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if open.in_object() => self.close(&mut open),
                    Some(b']') if !open.in_object() => self.close(&mut open),
                    _ => return Err(self.expected(if open.in_object() { "`,` or `}`" } else { "`,` or `]`" })),
                }
            }
        }
    }

    /// Passes a scalar or an empty container, or opens a container and stops before its first value;
    /// answers whether it opened one.
    fn value(&mut self, open: &mut Open) -> Result<bool, Fault> {
        self.skip_space();
        match self.peek() {
            Some(first @ (b'{' | b'[')) => {
                let object = first == b'{';
                open.push(object)?;
                self.watch.open();
                self.at += 1;
                self.skip_space();
                if self.peek() == Some(if object { b'}' } else { b']' }) {
                    self.close(open);
                    return Ok(false);
                }
                if object {
                    self.key()?;
                }
                Ok(true)
            }
            Some(b'"') => self.string().map(|_| false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b't') => self.word("true").map(|()| false),
            Some(b'f') => self.word("false").map(|()| false),
            Some(b'n') => self.word("null").map(|()| false),
            _ => Err(self.expected("a JSON value")),
        }
    }

    fn close(&mut self, open: &mut Open) {
        open.pop();
        self.watch.close();
        self.at += 1;
    }

    fn key(&mut self) -> Result<(), Fault> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key in quotes"));
        }
        let token = self.string()?;
        self.watch.key(self.text, token)?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    /// Passes a string, most of which have no escape, and gives its place.
    #[inline]
    fn string(&mut self) -> Result<Range<usize>, Fault> {
        let from = self.at;
        self.at = plain_until(self.bytes, from + 1);
        if self.peek() == Some(b'"') {
            self.at += 1;
        } else {
            self.string_from_escape()?;
            self.watch.escaped(self.text, from..self.at)?;
        }
        Ok(from..self.at)
    }

    /// Passes the rest of a string from its first escape on.
    #[inline(never)]
    fn string_from_escape(&mut self) -> Result<(), Fault> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.expected("an escape for a control character")),
                None => return Err(self.expected("the end of a string")),
            }
            self.at = plain_until(self.bytes, self.at);
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.expected("four hex digits after `\\u`"));
                }
                self.at += 5;
            }
            _ => return Err(self.expected("an escape that JSON knows")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.expected("a JSON value"))
    }

    fn kind(&mut self) -> Kind {
        self.skip_space();
        match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            _ => Kind::Other,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.spaced = true;
            self.at += 1;
        }
    }

    fn expected(&self, what: &'static str) -> Fault {
        Fault::Syntax(what, self.at)
    }
}

#[cfg(test)]
mod tests;
