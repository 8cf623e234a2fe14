//! JSON for the model: a tree that prints exactly what was parsed, independent of the engine's scanner.

use std::collections::HashSet;

/// Deepest nesting of a text.
const DEPTH_MAX: usize = 64;

/// A value with its original text.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Object(Object),
    Array { text: String, items: Vec<Node> },
    String(String),
    Other(String),
}

/// An object: the text before its first member, its members, and the text after the last one.
#[derive(Clone, Debug)]
pub(super) struct Object {
    open: String,
    members: Vec<Member>,
    close: String,
}

#[derive(Clone, Debug)]
struct Member {
    /// The comma and spaces before it.
    before: String,
    key: String,
    /// The colon and spaces.
    middle: String,
    value: Node,
}

/// A parsed text.
pub(super) struct Parsed {
    pub(super) node: Node,
    /// Whether it has a duplicate key or a lone surrogate.
    pub(super) is_odd: bool,
}

/// The tree of a text; `None` if it is invalid or nests too deep.
pub(super) fn parse(text: &str) -> Option<Parsed> {
    let mut parser = Parser { text, at: 0, is_odd: false };
    parser.space();
    let node = parser.value(0)?;
    parser.space();
    (parser.at == text.len()).then_some(Parsed { node, is_odd: parser.is_odd })
}

/// A text without the spaces between its tokens.
pub(super) fn compact(text: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    for char in text.chars() {
        if in_string || !matches!(char, ' ' | '\t' | '\r' | '\n') {
            out.push(char);
        }
        let is_quote = char == '"' && !escaped;
        escaped = in_string && char == '\\' && !escaped;
        in_string ^= is_quote;
    }
    out
}

/// A merge patch (RFC 7396) of an object by an object, which keeps every byte that it does not have to change.
pub(super) fn patched(target: &str, patch: &str) -> Option<String> {
    let (Node::Object(target), Node::Object(patch)) = (parse(target)?.node, parse(&compact(patch))?.node) else {
        return None;
    };
    Some(Node::Object(target.patched(&patch)).text())
}

/// Whether a text is a JSON pointer to a member.
pub(super) fn is_member_pointer(pointer: &str) -> bool {
    let has_escapes = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    pointer.starts_with('/') && has_escapes && pointer.matches('/').count() <= DEPTH_MAX
}

/// Facts with one member set. The outer `None` if there is no object for it, the inner one if the member stays.
pub(super) fn put(facts: &str, pointer: &str, value: &str, only_if_absent: bool) -> Option<Option<String>> {
    let Node::Object(facts) = parse(facts)?.node else { return None };
    let keys: Vec<String> =
        pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    let set = facts.with(&keys, &parse(value)?.node, only_if_absent)?;
    Some(set.map(|object| Node::Object(object).text()))
}

/// The string under `id` of a message that is an object.
pub(super) fn message_id(message: &Node) -> Option<String> {
    let Node::Object(object) = message else { return None };
    let member = object.members.iter().rfind(|member| said(&member.key) == "id")?;
    match &member.value {
        Node::String(token) => Some(said(token)),
        Node::Object(_) | Node::Array { .. } | Node::Other(_) => None,
    }
}

/// Whether two texts are the same JSON, numbers by their kind.
pub(super) fn same(left: &str, right: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    value(left).is_some() && value(left) == value(right)
}

/// The value of a string token; the token itself if it has none.
fn said(token: &str) -> String {
    serde_json::from_str(token).unwrap_or_else(|_| token.to_owned())
}

impl Node {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Object(object) => {
                let mut out = object.open.clone();
                for (index, member) in object.members.iter().enumerate() {
                    let before = if index == 0 { "" } else { &member.before };
                    out.extend([before, &member.key, &member.middle, &member.value.text()]);
                }
                out + &object.close
            }
            Self::Array { text, .. } | Self::String(text) | Self::Other(text) => text.clone(),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Other(text) if text == "null")
    }
}

impl Object {
    fn with(mut self, keys: &[String], value: &Node, only_if_absent: bool) -> Option<Option<Self>> {
        let (key, rest) = keys.split_first()?;
        let index = self.members.iter().rposition(|member| said(&member.key) == *key);
        match (index, rest.is_empty()) {
            (Some(_), true) if only_if_absent => return Some(None),
            (Some(index), true) => self.members[index].value = value.clone(),
            (Some(index), false) => {
                let Node::Object(inner) = self.members[index].value.clone() else { return None };
                match inner.with(rest, value, only_if_absent)? {
                    Some(inner) => self.members[index].value = Node::Object(inner),
                    None => return Some(None),
                }
            }
            (None, true) => {
                if self.members.is_empty() {
                    (self.open, self.close) = ("{".to_owned(), "}".to_owned());
                }
                let (before, middle) = (",".to_owned(), ":".to_owned());
                let key = serde_json::Value::from(key.as_str()).to_string();
                self.members.push(Member { before, key, middle, value: value.clone() });
            }
            (None, false) => return None,
        }
        Some(Some(self))
    }

    fn patched(mut self, patch: &Self) -> Self {
        let was_empty = self.members.is_empty();
        for Member { key, value, .. } in &patch.members {
            let index = self.members.iter().rposition(|member| said(&member.key) == said(key));
            match index {
                Some(index) if value.is_null() => drop(self.members.remove(index)),
                Some(index) => {
                    let old = self.members[index].value.clone();
                    self.members[index].value = after(Some(old), value);
                }
                None if value.is_null() => {}
                None => {
                    let (before, middle) = (",".to_owned(), ":".to_owned());
                    self.members.push(Member { before, key: key.clone(), middle, value: after(None, value) });
                }
            }
        }
        if was_empty && !self.members.is_empty() {
            self.open = "{".to_owned();
            self.close = "}".to_owned();
        }
        self
    }
}

/// A value after a patch of it.
fn after(old: Option<Node>, patch: &Node) -> Node {
    let Node::Object(patch) = patch else { return patch.clone() };
    let old = match old {
        Some(Node::Object(object)) => object,
        _ => Object { open: "{".to_owned(), members: Vec::new(), close: "}".to_owned() },
    };
    Node::Object(old.patched(patch))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    is_odd: bool,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Option<Node> {
        let from = self.at;
        match self.peek()? {
            b'{' if depth < DEPTH_MAX => self.object(depth + 1).map(Node::Object),
            b'[' if depth < DEPTH_MAX => {
                let items = self.items(depth + 1)?;
                Some(Node::Array { text: self.since(from), items })
            }
            b'"' => self.string().map(Node::String),
            _ => {
                let rest = &self.text[from..];
                let end = rest.find(|char: char| !(char.is_ascii_alphanumeric() || "+-.".contains(char)));
                self.at += end.unwrap_or(rest.len());
                let token = self.since(from);
                // A scalar, which has no keys, no surrogates and no depth.
                serde_json::from_str::<serde_json::Value>(&token)
                    .is_ok_and(|value| !value.is_string())
                    .then_some(())
                    .or_else(|| is_huge_number(&token).then_some(()))
                    .map(|()| Node::Other(token))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Object> {
        let from = self.at;
        self.at += 1;
        self.space();
        let open = self.since(from);
        let (mut members, mut keys) = (Vec::new(), HashSet::new());
        let mut mark = self.at;
        if self.peek()? != b'}' {
            let mut before = String::new();
            loop {
                let key = self.string()?;
                self.is_odd |= !keys.insert(said(&key));
                mark = self.at;
                self.space();
                self.expect(b':')?;
                self.space();
                let middle = self.since(mark);
                let value = self.value(depth)?;
                members.push(Member { before, key, middle, value });
                mark = self.at;
                self.space();
                if self.peek()? == b'}' {
                    break;
                }
                self.expect(b',')?;
                self.space();
                before = self.since(mark);
            }
        }
        self.at += 1;
        Some(Object { open, members, close: self.since(mark) })
    }

    fn items(&mut self, depth: usize) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.peek()? != b']' {
            loop {
                items.push(self.value(depth)?);
                self.space();
                if self.peek()? == b']' {
                    break;
                }
                self.expect(b',')?;
                self.space();
            }
        }
        self.at += 1;
        Some(items)
    }

    fn string(&mut self) -> Option<String> {
        let from = self.at;
        self.expect(b'"')?;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                byte if byte < 0x20 => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let token = self.text.get(from..self.at)?.to_owned();
        if serde_json::from_str::<String>(&token).is_err() {
            // A lone surrogate or an invalid string: the former is valid with other digits.
            let mended = mend(&token);
            serde_json::from_str::<String>(&mended).ok()?;
            self.is_odd = true;
        }
        Some(token)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn since(&self, from: usize) -> String {
        self.text[from..self.at].to_owned()
    }
}

/// The token with every escaped surrogate replaced.
fn mend(token: &str) -> String {
    let mut mended = token.to_owned();
    for first in ["d", "D"] {
        for second in ["8", "9", "a", "b", "c", "d", "e", "f", "A", "B", "C", "D", "E", "F"] {
            mended = mended.replace(&format!("\\u{first}{second}"), "\\u00");
        }
    }
    mended
}

/// Whether it is a valid number beyond the range of a float.
fn is_huge_number(token: &str) -> bool {
    let Some((digits, exponent)) = token.split_once(['e', 'E']) else { return false };
    let exponent = exponent.trim_start_matches(['+', '-']);
    let is_exponent = !exponent.is_empty() && exponent.bytes().all(|byte| byte.is_ascii_digit());
    is_exponent && serde_json::from_str::<serde_json::Number>(digits).is_ok()
}
