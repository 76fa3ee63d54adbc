//! Reads and writes HTTP/1.1 messages on a byte stream, with a limit on every size.

use std::io::{self, BufRead, Read as _};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use u2m_core::Timestamp;

/// The limit for start line and headers together.
const HEAD_LIMIT: u64 = 64 * 1024;

/// The limit for bodies, after chunks are joined.
const BODY_LIMIT: u64 = 4 * 1024 * 1024;

/// A start line and its headers.
pub(crate) struct WireHead {
    pub(crate) start: String,
    pub(crate) headers: HeaderMap,
}

/// Why no message could be read from the stream.
#[derive(Debug)]
pub(crate) enum WireError {
    Io(io::Error),
    Malformed,
    TooLarge,
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads up to the empty line. Returns `None` if the peer closed before the message began (RFC 9112 section 2.2 allows empty
/// lines before the start line).
pub(crate) fn read_head(from: &mut impl BufRead) -> Result<Option<WireHead>, WireError> {
    let mut left = HEAD_LIMIT;
    let start = loop {
        match read_line(from, &mut left)? {
            None => return Ok(None),
            Some(line) if line.is_empty() => {}
            Some(line) => break line,
        }
    };
    let mut headers = HeaderMap::new();
    loop {
        let line = read_line(from, &mut left)?.ok_or(WireError::Malformed)?;
        if line.is_empty() {
            return Ok(Some(WireHead { start, headers }));
        }
        let (name, value) = line.split_once(':').ok_or(WireError::Malformed)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| WireError::Malformed)?;
        let value =
            HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| WireError::Malformed)?;
        headers.append(name, value);
    }
}

/// How the end of a body is determined (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Chunked,
    Length(u64),
    /// The end of the stream; for answers only.
    UntilClose,
}

impl Framing {
    /// The framing of a message with these headers; `otherwise` if they do not say.
    pub(crate) fn of(headers: &HeaderMap, otherwise: Self) -> Result<Self, WireError> {
        let text =
            |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
        match (text(header::TRANSFER_ENCODING), text(header::CONTENT_LENGTH)) {
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Self::Chunked),
            (Some(_), _) => Err(WireError::Malformed),
            (None, Some(length)) => {
                length.parse().map(Self::Length).map_err(|_| WireError::Malformed)
            }
            (None, None) => Ok(otherwise),
        }
    }
}

pub(crate) fn read_body(from: &mut impl BufRead, framing: Framing) -> Result<Vec<u8>, WireError> {
    let mut body = Vec::new();
    match framing {
        Framing::Chunked => read_chunks(from, &mut body)?,
        Framing::Length(length) => read_exactly(from, length, &mut body)?,
        Framing::UntilClose => {
            from.take(BODY_LIMIT + 1).read_to_end(&mut body)?;
            if body.len() as u64 > BODY_LIMIT {
                return Err(WireError::TooLarge);
            }
        }
    }
    Ok(body)
}

/// Reads chunks (RFC 9112 section 7.1); extensions and trailers are ignored.
fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> Result<(), WireError> {
    let mut left = HEAD_LIMIT;
    loop {
        let line = read_line(from, &mut left)?.ok_or(WireError::Malformed)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| WireError::Malformed)?;
        if size == 0 {
            break;
        }
        read_exactly(from, size, body)?;
        if read_line(from, &mut left)?.as_deref() != Some("") {
            return Err(WireError::Malformed);
        }
    }
    while !read_line(from, &mut left)?.ok_or(WireError::Malformed)?.is_empty() {}
    Ok(())
}

fn read_exactly(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<(), WireError> {
    if (body.len() as u64).saturating_add(length) > BODY_LIMIT {
        return Err(WireError::TooLarge);
    }
    let got = from.take(length).read_to_end(body)?;
    if got as u64 == length { Ok(()) } else { Err(WireError::Malformed) }
}

/// Reads one line without its end; `None` at the end of the stream.
fn read_line(from: &mut impl BufRead, left: &mut u64) -> Result<Option<String>, WireError> {
    let mut line = Vec::new();
    let got = from.take(*left).read_until(b'\n', &mut line)? as u64;
    *left -= got;
    if line.pop_if(|last| *last == b'\n').is_none() {
        return match got {
            0 if *left > 0 => Ok(None),
            _ if *left == 0 => Err(WireError::TooLarge),
            _ => Err(WireError::Malformed),
        };
    }
    line.pop_if(|last| *last == b'\r');
    String::from_utf8(line).map(Some).map_err(|_| WireError::Malformed)
}

/// Formats a time since 1970 for the `Date` header (RFC 9110 section 5.6.7).
pub(crate) fn http_date(time: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    let unix = usize::try_from(time.unix()).unwrap_or_default();
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // Days since the first of March of the year 0, in eras of 400 years; years begin in March.
    let (era, of_era) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + usize::from(month >= 10);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT",
        DAYS[days % 7],
        MONTHS[month]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_that_clients_read() {
        for unix in [0, 784_111_777, 1_709_164_800, 1_709_251_199, 1_709_251_200, 4_070_865_600] {
            let time = Timestamp::from_unix(unix);
            assert_eq!(Timestamp::from_http_date(&http_date(time)), Some(time));
        }
        assert_eq!(http_date(Timestamp::from_unix(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    fn message(mut bytes: &[u8]) -> Result<(String, Vec<u8>), WireError> {
        let head = read_head(&mut bytes)?.ok_or(WireError::Malformed)?;
        let framing = Framing::of(&head.headers, Framing::Length(0))?;
        Ok((head.start, read_body(&mut bytes, framing)?))
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        let plain = message(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcdef").unwrap();
        assert_eq!(plain, ("POST / HTTP/1.1".to_owned(), b"abc".to_vec()));
        let chunked = b"\r\nP\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nt: 1\r\n\r\n";
        assert_eq!(message(chunked).unwrap().1, b"abc");
    }

    #[test]
    fn what_is_too_large_or_garbled_is_refused() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(HEAD_LIMIT as usize));
        assert!(matches!(message(long.as_bytes()), Err(WireError::TooLarge)));
        let huge = b"P\r\nContent-Length: 99999999999\r\n\r\n";
        assert!(matches!(message(huge), Err(WireError::TooLarge)));
        let chunk = b"P\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n";
        assert!(matches!(message(chunk), Err(WireError::TooLarge)));
        for garbled in [
            &b"P\r\nno colon\r\n\r\n"[..],
            b"P\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"P\r\nContent-Length: 5\r\n\r\nabc",
            b"P\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
            b"P\r\n",
        ] {
            assert!(matches!(message(garbled), Err(WireError::Malformed)));
        }
    }
}
