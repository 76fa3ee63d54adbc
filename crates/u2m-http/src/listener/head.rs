//! Parses the head of one HTTP/1.1 request, strictly and without I/O (RFC 9112 sections 2 to 5).

use zeroize::Zeroizing;

/// The maximum size of a head in bytes, without cookies (T10).
const LIMIT: usize = 8 << 10;

/// The maximum size of cookies in bytes. Browsers send the cookies of `localhost` to all its ports,
/// so other programs of a developer determine how many there are. They are skipped as they arrive,
/// and never stored.
const COOKIES: usize = 256 << 10;

/// How many empty lines are accepted before the request line (RFC 9112 section 2.2 asks for one).
const BLANKS: usize = 4;

const COOKIE: &[u8] = b"cookie:";

/// Why a head is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    Malformed,
    TooLarge,
}

/// The parts of a request head that matter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) path: String,
    /// Without the question mark. May contain an authorization code.
    pub(super) query: Zeroizing<String>,
    headers: Vec<(String, String)>,
}

impl RequestHead {
    /// Returns all values of a header, by its lower-case name.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// Collects a head that arrives in pieces.
#[derive(Debug)]
pub(super) struct RequestHeadReader {
    kept: Zeroizing<Vec<u8>>,
    line: usize,
    blanks: usize,
    cookies: usize,
    in_cookie: bool,
}

impl RequestHeadReader {
    pub(super) fn new() -> Self {
        // Allocates the whole capacity at once, because growing would leave copies of the code behind.
        let kept = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
        Self { kept, line: 0, blanks: 0, cookies: 0, in_cookie: false }
    }

    /// Adds the next bytes. Returns `Some` when the head is complete; bytes after it are ignored.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Option<RequestHead>, HeadError> {
        for &byte in bytes {
            if self.in_cookie {
                self.skip(byte)?;
            } else if self.keep(byte)? {
                return parse(&self.kept).map(Some).ok_or(HeadError::Malformed);
            }
        }
        Ok(None)
    }

    fn skip(&mut self, byte: u8) -> Result<(), HeadError> {
        self.in_cookie = byte != b'\n';
        self.cookies += 1;
        if self.cookies > COOKIES { Err(HeadError::TooLarge) } else { Ok(()) }
    }

    /// Returns whether the head ends here.
    fn keep(&mut self, byte: u8) -> Result<bool, HeadError> {
        if self.kept.is_empty() && matches!(byte, b'\r' | b'\n') {
            self.blanks += usize::from(byte == b'\n');
            return if self.blanks > BLANKS { Err(HeadError::Malformed) } else { Ok(false) };
        }
        if self.kept.is_empty() && !is_token(byte) {
            // TLS, or something else that may never end its first line.
            return Err(HeadError::Malformed);
        }
        if self.kept.len() == LIMIT {
            return Err(HeadError::TooLarge);
        }
        self.kept.push(byte);
        let line = &self.kept[self.line..];
        if byte == b'\n' {
            if matches!(line, b"\n" | b"\r\n") {
                return Ok(true);
            }
            self.line = self.kept.len();
        } else if self.line > 0 && line.eq_ignore_ascii_case(COOKIE) {
            self.kept.truncate(self.line);
            self.in_cookie = true;
        }
        Ok(false)
    }
}

/// Parses a complete head. Folded lines and blanks before a colon are rejected (RFC 9112 sections 5.1 and 5.2).
fn parse(bytes: &[u8]) -> Option<RequestHead> {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    // Each field takes at least one line.
    let mut headers = vec![httparse::EMPTY_HEADER; lines];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(bytes).ok()?.is_complete() {
        return None;
    }
    let (method, target) = (request.method?, request.path?);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    // Only origin form is accepted: a browser that uses a proxy is not on this machine (RFC 9112 section 3.2).
    if !target.starts_with('/') || !target.bytes().all(is_plain) {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = request.headers.iter().map(header).collect::<Option<_>>()?;
    let query = Zeroizing::new(query.to_owned());
    Some(RequestHead { method: method.to_owned(), path: path.to_owned(), query, headers })
}

/// Returns the lower-case name and the value of a field, if the value is text.
fn header(field: &httparse::Header<'_>) -> Option<(String, String)> {
    let value = std::str::from_utf8(field.value).ok()?.trim_matches([' ', '\t']);
    let is_text = !value.contains(|c: char| c.is_control() && c != '\t');
    is_text.then(|| (field.name.to_ascii_lowercase(), value.to_owned()))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<RequestHead>, HeadError> {
        RequestHeadReader::new().take(bytes)
    }

    fn head(text: &str) -> RequestHead {
        read(text.as_bytes()).unwrap().unwrap()
    }

    const REQUEST: &str = "GET /?code=c&state=s HTTP/1.1\r\nHost: localhost:8020\r\nCookie: a=b\r\nAccept: */*\r\n\r\n";

    #[test]
    fn a_head_is_the_same_in_one_piece_and_byte_by_byte() {
        let whole = head(REQUEST);
        assert_eq!(
            (whole.method.as_str(), whole.path.as_str(), whole.query.as_str()),
            ("GET", "/", "code=c&state=s")
        );
        assert_eq!(whole.values("host").collect::<Vec<_>>(), ["localhost:8020"]);
        let mut reader = RequestHeadReader::new();
        let (last, rest) = REQUEST.as_bytes().split_last().unwrap();
        for byte in rest {
            assert_eq!(reader.take(&[*byte]), Ok(None));
        }
        assert_eq!(reader.take(&[*last]), Ok(Some(whole)));
    }

    #[test]
    fn bare_line_feeds_and_blank_lines_before_it_are_forgiven() {
        let text = format!("\r\n{}", REQUEST.replace("\r\n", "\n"));
        assert_eq!(head(&text), head(REQUEST));
        assert_eq!(read(b"\n\n\n\n\nGET / HTTP/1.1\n\n"), Err(HeadError::Malformed));
    }

    #[test]
    fn as_many_blank_lines_as_are_forgiven_are_and_not_one_more() {
        let after = |blanks: usize| format!("{}{REQUEST}", "\r\n".repeat(blanks));
        assert_eq!(head(&after(BLANKS)), head(REQUEST));
        assert_eq!(read(after(BLANKS + 1).as_bytes()), Err(HeadError::Malformed));
    }

    #[test]
    fn a_head_does_not_begin_with_a_cookie() {
        let text = format!("Cookie: a=b\r\n{REQUEST}");
        assert_eq!(read(text.as_bytes()), Err(HeadError::Malformed));
    }

    #[test]
    fn what_is_not_a_head_is_refused() {
        for bad in [
            "GET /\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
            "GET http://localhost:8020/ HTTP/1.1\r\n\r\n",
            "GET /#x HTTP/1.1\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\n\r\n",
            "G(T / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n",
        ] {
            assert_eq!(read(bad.as_bytes()), Err(HeadError::Malformed), "{bad:?}");
        }
        assert_eq!(read(b"GET / HTTP/1.1\r\nA: \xff\r\n\r\n"), Err(HeadError::Malformed));
        // A TLS handshake is recognized by its first byte.
        assert_eq!(read(&[0x16, 3, 1]), Err(HeadError::Malformed));
    }

    #[test]
    fn cb_10_t10_a_head_ends_within_its_limit() {
        let endless = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(LIMIT));
        assert_eq!(read(endless.as_bytes()), Err(HeadError::TooLarge));
        let mut reader = RequestHeadReader::new();
        assert!(reader.take(&b"G".repeat(LIMIT)).is_ok());
        assert_eq!(reader.take(b"G"), Err(HeadError::TooLarge));
    }

    #[test]
    fn the_cookies_of_other_programs_on_localhost_are_skipped() {
        let cookies = format!("COOKIE: {}\r\n", "c".repeat(4 * LIMIT));
        let text = REQUEST.replace("Cookie: a=b\r\n", &cookies.repeat(3));
        assert_eq!(head(&text), head(REQUEST));
        let endless = format!("GET / HTTP/1.1\r\nCookie: {}", "c".repeat(COOKIES));
        assert_eq!(read(endless.as_bytes()), Err(HeadError::TooLarge));
    }

    #[test]
    fn t10_cookies_may_weigh_as_much_as_their_limit_and_not_a_byte_more() {
        let cookies = |length| format!("GET / HTTP/1.1\r\nCookie:{}\r\n\r\n", "x".repeat(length));
        // The line end of the cookies counts as two bytes.
        assert!(read(cookies(COOKIES - 2).as_bytes()).unwrap().is_some());
        assert_eq!(read(cookies(COOKIES - 1).as_bytes()), Err(HeadError::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_nothing_breaks(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = read(&bytes);
        }
    }
}
