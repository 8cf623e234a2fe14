//! The Redis protocol on the server side: requests in, RESP2 replies out.

/// Limits of Redis for requests before a login.
const UNAUTHENTICATED_PARTS_MAX: usize = 10;
const UNAUTHENTICATED_BYTES_MAX: usize = 16_384;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Simple(&'static str),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    pub(super) fn bulk(text: impl Into<Vec<u8>>) -> Self {
        Self::Bulk(text.into())
    }

    pub(super) fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, '+', text),
            // An error is one line.
            Self::Error(text) => line(out, '-', &text.replace(['\r', '\n'], " ")),
            Self::Int(number) => line(out, ':', &number.to_string()),
            Self::Nil => line(out, '$', "-1"),
            Self::Bulk(bytes) => {
                line(out, '$', &bytes.len().to_string());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Array(parts) => {
                line(out, '*', &parts.len().to_string());
                for part in parts {
                    part.encode_to(out);
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, mark: char, text: &str) {
    out.extend_from_slice(format!("{mark}{text}\r\n").as_bytes());
}

/// The parts of one request: command and arguments.
pub(super) type Request = Vec<Vec<u8>>;

/// The content of the received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Not yet a complete request.
    Incomplete,
    /// A request.
    Request(Request),
    /// Invalid; the error before the server closes.
    Wrong(String),
}

/// Takes the first request out of `bytes`. Only arrays of bulk strings are supported, not inline commands.
pub(super) fn take(bytes: &mut Vec<u8>, authenticated: bool) -> Parsed {
    let mut at = 0;
    match request(bytes, &mut at, authenticated) {
        Ok(Some(request)) => {
            bytes.drain(..at);
            Parsed::Request(request)
        }
        Ok(None) => Parsed::Incomplete,
        Err(why) => Parsed::Wrong(format!("ERR Protocol error: {why}")),
    }
}

fn request(bytes: &[u8], at: &mut usize, authenticated: bool) -> Result<Option<Request>, String> {
    let Some(count) = header(bytes, at, b'*', "invalid multibulk length")? else { return Ok(None) };
    if !authenticated && count > UNAUTHENTICATED_PARTS_MAX {
        return Err("unauthenticated multibulk length".to_owned());
    }
    let mut parts = Vec::new();
    for _ in 0..count {
        let Some(length) = header(bytes, at, b'$', "invalid bulk length")? else { return Ok(None) };
        if !authenticated && length > UNAUTHENTICATED_BYTES_MAX {
            return Err("unauthenticated bulk length".to_owned());
        }
        let Some(part) = bytes.get(*at..*at + length + 2) else { return Ok(None) };
        parts.push(part[..length].to_vec());
        *at += length + 2;
    }
    Ok(Some(parts))
}

/// The number in a line that begins with `mark`.
fn header(bytes: &[u8], at: &mut usize, mark: u8, wrong: &str) -> Result<Option<usize>, String> {
    let Some(rest) = bytes.get(*at..).filter(|rest| !rest.is_empty()) else { return Ok(None) };
    if rest[0] != mark {
        return Err(format!("expected '{}', got '{}'", char::from(mark), char::from(rest[0])));
    }
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let number = std::str::from_utf8(&rest[1..end]).ok().and_then(|digits| digits.parse().ok());
    *at += end + 2;
    number.map(Some).ok_or_else(|| wrong.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_requests_are_taken() {
        let whole = b"*2\r\n$4\r\nTYPE\r\n$3\r\na\r\n\r\n".to_vec();
        for end in 0..whole.len() {
            assert_eq!(take(&mut whole[..end].to_vec(), true), Parsed::Incomplete, "{end}");
        }
        let mut two = [whole.clone(), whole].concat();
        let request = Parsed::Request(vec![b"TYPE".to_vec(), b"a\r\n".to_vec()]);
        assert_eq!(take(&mut two, true), request);
        assert_eq!(take(&mut two, true), request);
        assert!(two.is_empty());
        assert!(matches!(take(&mut b"PING\r\n".to_vec(), true), Parsed::Wrong(_)));
    }
}
