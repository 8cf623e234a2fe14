//! Rust source text as code and string literals, without comments.

/// One source file.
pub(super) struct Source {
    /// The code with the line breaks of the file; comments and the contents of literals are left out.
    pub(super) code: String,
    /// The contents of each string literal with the number of its first line.
    pub(super) strings: Vec<(usize, String)>,
}

impl Source {
    pub(super) fn of(text: &str) -> Self {
        let mut source = Self { code: String::new(), strings: Vec::new() };
        let (mut rest, mut line) = (text, 1);
        while let Some(first) = rest.chars().next() {
            let length = source.take(rest, line).unwrap_or_else(|| {
                source.code.push(first);
                first.len_utf8()
            });
            let (taken, remaining) = rest.split_at(length);
            let breaks = taken.matches('\n').count();
            if taken.len() > first.len_utf8() {
                source.code.extend(std::iter::repeat_n('\n', breaks));
            }
            (rest, line) = (remaining, line + breaks);
        }
        source
    }

    /// Takes the comment or literal that `rest` begins with and returns its length.
    fn take(&mut self, rest: &str, line: usize) -> Option<usize> {
        if rest.starts_with("//") {
            return Some(rest.find('\n').unwrap_or(rest.len()));
        }
        if rest.starts_with("/*") {
            return Some(block_comment(rest));
        }
        if rest.starts_with('\'') {
            return char_literal(rest).inspect(|_| self.code.push_str("''"));
        }
        let inside_a_name = self.code.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let (open, close) = quotes(rest).filter(|_| !inside_a_name || rest.starts_with('"'))?;
        let length = if open.contains('r') {
            rest[open.len()..].find(&close).unwrap_or(rest.len() - open.len())
        } else {
            escaped(&rest[open.len()..])
        };
        self.strings.push((line, rest[open.len()..open.len() + length].to_owned()));
        self.code.push_str("\"\"");
        Some((open.len() + length + close.len()).min(rest.len()))
    }
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a character literal; none for a lifetime.
fn char_literal(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    match chars.next()?.1 {
        '\\' => text[3..].find('\'').map(|at| at + 4),
        _ => chars.next().filter(|(_, second)| *second == '\'').map(|(at, _)| at + 1),
    }
}

/// The opening and closing quotes of a string literal.
fn quotes(text: &str) -> Option<(&str, String)> {
    let prefix = text.find(|letter: char| !matches!(letter, 'b' | 'c' | 'r')).filter(|&length| length <= 2)?;
    let hashes = text[prefix..].find(|letter| letter != '#')?;
    let raw = text[..prefix].contains('r');
    let is_string = text[prefix + hashes..].starts_with('"') && (raw || hashes == 0);
    is_string.then(|| (&text[..=prefix + hashes], format!("\"{}", "#".repeat(hashes))))
}

/// The length of the contents of a literal with escapes.
fn escaped(text: &str) -> usize {
    let mut escape = false;
    let end = text.find(|letter| {
        let ends = letter == '"' && !escape;
        escape = letter == '\\' && !escape;
        ends
    });
    end.unwrap_or(text.len())
}
