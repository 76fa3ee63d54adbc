//! An HTTP response.

use crate::decode;
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// An HTTP response, whatever its status. `Debug` shows neither body nor headers.
#[derive(Clone)]
pub struct HttpResponse {
    status: u16,
    content_type: Option<String>,
    content_encoding: Option<String>,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    headers: Vec<(&'static str, String)>,
    body: Zeroizing<Vec<u8>>,
}

impl HttpResponse {
    /// The headers that are kept besides those with methods of their own, in lower case. A transport passes in these
    /// ([`with_header`](Self::with_header)) and no others, so that a response never holds a cookie.
    pub const HEADERS: [&'static str; 6] = [
        "location",
        "metadata-flavor",
        "www-authenticate",
        "x-databricks-request-id",
        "x-ms-request-id",
        "x-request-id",
    ];

    /// Makes a response from a status and a body, which is at most as long as the request's limit. The body is as it
    /// was received: a transport does not decode it.
    ///
    /// ```
    /// let answer = u2m_core::HttpResponse::new(200, b"{}".to_vec()).with_content_type("application/json");
    /// assert!(answer.is_success());
    /// ```
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: None,
            content_encoding: None,
            retry_after: None,
            date: None,
            headers: Vec::new(),
            body: Zeroizing::new(body),
        }
    }

    /// Adds the value of `Content-Type`.
    #[must_use]
    pub fn with_content_type(mut self, value: impl Into<String>) -> Self {
        self.content_type = Some(value.into());
        self
    }

    /// Adds the value of `Content-Encoding`; several values are joined with commas.
    ///
    /// ```
    /// let answer = u2m_core::HttpResponse::new(200, vec![0x1f, 0x8b]).with_content_encoding("gzip");
    /// assert!(answer.is_success());
    /// ```
    #[must_use]
    pub fn with_content_encoding(mut self, value: impl Into<String>) -> Self {
        self.content_encoding = Some(value.into());
        self
    }

    /// Adds how long the server asked the client to wait (`Retry-After`, RFC 9110 section 10.2.3). If the header
    /// holds a date, convert it with [`Timestamp::read_retry_after`].
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the server's clock time (`Date`).
    #[must_use]
    pub fn with_date(mut self, date: Timestamp) -> Self {
        self.date = Some(date);
        self
    }

    /// Adds a header, if it is one that is [kept](Self::HEADERS).
    ///
    /// ```
    /// use u2m_core::HttpResponse;
    /// let answer = HttpResponse::new(200, Vec::new())
    ///     .with_header("X-Request-Id", "abc")
    ///     .with_header("Set-Cookie", "canary");
    /// assert_eq!(answer.header("x-request-id"), Some("abc"));
    /// assert_eq!(answer.header("set-cookie"), None);
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        let kept = Self::HEADERS.into_iter().find(|kept| kept.eq_ignore_ascii_case(name));
        self.headers.extend(kept.map(|kept| (kept, value.into())));
        self
    }

    /// The first value of a header, if it is one that is [kept](Self::HEADERS).
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(kept, _)| kept.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    /// The server's clock time (`Date`).
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long the server asked the client to wait (`Retry-After`).
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether sending the same request again may help: status 429, 502, 503 or 504.
    pub fn asks_for_patience(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504)
    }

    /// The body as it was received.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text, at most `limit` bytes of it: decompressed (RFC 9110 section 8.4.1), without a byte order
    /// mark, and in UTF-8. A coding or charset that cannot be decoded is left as it is.
    ///
    /// ```
    /// let answer = u2m_core::HttpResponse::new(200, b"\xef\xbb\xbf{}".to_vec());
    /// assert_eq!(answer.text(1024).as_slice(), b"{}");
    /// ```
    pub fn text(&self, limit: usize) -> Zeroizing<Vec<u8>> {
        let (coding, charset) = (self.content_encoding.as_deref(), self.charset());
        decode::plain(self.body.clone(), coding, charset.as_deref(), limit)
    }

    /// The body as it was received, and its `Content-Encoding`.
    pub(crate) fn into_body(self) -> (Zeroizing<Vec<u8>>, Option<String>) {
        (self.body, self.content_encoding)
    }

    /// The media type without parameters, in lower case; empty if the response has none.
    pub fn media_type(&self) -> String {
        let value = self.content_type.as_deref().unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The `charset` parameter of `Content-Type`, if there is one.
    pub(crate) fn charset(&self) -> Option<String> {
        let parameters = self.content_type.as_deref()?.split(';').skip(1);
        parameters.filter_map(|one| one.split_once('=')).find_map(|(name, value)| {
            let value = value.trim().trim_matches('"').trim();
            name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
        })
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "HttpResponse({}, {:?}, {} bytes)",
            self.status,
            self.media_type(),
            self.body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a49_of_a_head_only_what_is_needed_is_kept_and_none_of_it_is_shown() {
        let answer = HttpResponse::new(302, b"canary".to_vec())
            .with_header("Location", "https://a.example/?code=canary")
            .with_header("location", "the second")
            .with_header("authorization", "canary");
        assert_eq!(answer.header("LOCATION"), Some("https://a.example/?code=canary"));
        assert_eq!(answer.header("authorization"), None);
        assert!(!format!("{answer:?}").contains("canary"));
    }

    #[test]
    fn a_body_is_had_as_it_came_and_as_it_reads() {
        let latin = HttpResponse::new(200, vec![b'"', 0xe9, b'"']);
        let latin = latin.with_content_type("application/json; charset=iso-8859-1");
        assert_eq!(latin.body(), [b'"', 0xe9, b'"']);
        assert_eq!(latin.text(100).as_slice(), "\"\u{e9}\"".as_bytes());
        assert_eq!(latin.media_type(), "application/json");
    }
}
