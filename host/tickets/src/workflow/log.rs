//! The lines that a workflow writes for the operator.

/// Kept lines, within limits.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) lines: Vec<String>,
    /// How many lines were dropped.
    pub(super) dropped: u64,
    bytes_left: usize,
    lines_max: usize,
}

impl Log {
    pub(super) fn new(lines_max: usize, bytes_max: usize) -> Self {
        Self { lines: Vec::new(), dropped: 0, bytes_left: bytes_max, lines_max }
    }

    /// Keeps a line if there is room for it as a whole.
    pub(super) fn write(&mut self, line: String) {
        if self.lines.len() >= self.lines_max || line.len() > self.bytes_left {
            self.dropped += 1;
            return;
        }
        self.bytes_left -= line.len();
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_past_a_limit_are_counted() {
        let mut log = Log::new(3, 10);
        for line in ["12345", "123456", "12345", "", "x"] {
            log.write(line.to_owned());
        }
        assert_eq!((log.lines, log.dropped), (vec!["12345".to_owned(), "12345".to_owned(), String::new()], 2));
    }
}
