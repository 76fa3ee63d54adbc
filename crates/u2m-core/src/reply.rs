//! A response as the flows see it: decoded, and with the secrets that must not be repeated from it.

use crate::call::{HttpRequest, HttpResponse};
use crate::decode;
use crate::sent::SentSecrets;
use crate::time::{Lifetime, Timestamp};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// In seconds: no request takes longer, so clocks that differ by less may agree.
const LONGEST: u64 = 120;

/// In seconds: pauses that a server asks for are limited to this, one hour.
pub(crate) const LONGEST_PAUSE: u64 = 3_600;

/// A response, and the secrets that were sent with its request, which are removed from its texts before these leave.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    media_type: String,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    is_coded: bool,
    body: Zeroizing<Vec<u8>>,
    sent: SentSecrets,
}

impl Reply {
    /// The response `answer` to `request`.
    pub(crate) fn of(answer: HttpResponse, request: &HttpRequest) -> Self {
        Self::read(answer, request.sent(), request.limit())
    }

    /// A token endpoint's response, read only to see what it contains. Nothing of it is shown.
    pub(crate) fn without_sent_secrets(answer: HttpResponse) -> Self {
        Self::read(answer, SentSecrets::default(), crate::oauth::TOKEN_LIMIT)
    }

    /// The same for the response to a request without secrets.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn bare(answer: HttpResponse) -> Self {
        Self::read(answer, SentSecrets::default(), crate::oauth::METADATA_LIMIT)
    }

    fn read(answer: HttpResponse, sent: SentSecrets, limit: usize) -> Self {
        let (status, media_type, retry_after) =
            (answer.status(), answer.media_type(), answer.retry_after());
        let (charset, date) = (answer.charset(), answer.date());
        let (body, coding) = answer.into_body();
        let is_coded = decode::is_unknown(coding.as_deref());
        let body = decode::plain(body, coding.as_deref(), charset.as_deref(), limit);
        Self { status, media_type, retry_after, date, is_coded, body, sent }
    }

    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 200 to 299.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long the server asked the client to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// How far the clock that `sent_at` was read from is ahead of the server's, if they differ by more than a request takes.
    pub(crate) fn skew(&self, sent_at: Timestamp) -> Option<Lifetime> {
        let ahead = self.date?.until(sent_at);
        (ahead.seconds().unsigned_abs() > LONGEST).then_some(ahead)
    }

    /// The media type without parameters, in lower case.
    pub(crate) fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Whether the body was declared to be in a coding that is not decoded here.
    pub(crate) fn is_coded(&self) -> bool {
        self.is_coded
    }

    /// The decoded body, without a byte order mark.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// What must be removed from every text of the body before it is shown or stored.
    pub(crate) fn sent(&self) -> &SentSecrets {
        &self.sent
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {:?}, {} bytes)", self.status, self.media_type, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_that_is_not_undone_is_told() {
        let is_coded = |coding: &str| {
            Reply::bare(HttpResponse::new(200, Vec::new()).with_content_encoding(coding)).is_coded()
        };
        assert!(is_coded("br") && is_coded("gzip, br"));
        assert!(!is_coded("gzip") && !is_coded("deflate") && !is_coded("identity"));
        assert!(!Reply::bare(HttpResponse::new(200, Vec::new())).is_coded());
    }

    #[test]
    fn of_an_answer_is_shown_how_much_there_is_and_no_word_of_it() {
        let answer =
            HttpResponse::new(418, b"canary".to_vec()).with_content_type("text/plain; a=b");
        assert_eq!(format!("{:?}", Reply::bare(answer)), "Reply(418, \"text/plain\", 6 bytes)");
    }

    #[test]
    fn clocks_are_apart_if_they_differ_by_more_than_a_request_takes() {
        let sent_at = Timestamp::from_unix(1_000_000);
        for (ahead, told) in
            [(0, None), (120, None), (-120, None), (121, Some(121)), (-121, Some(-121))]
        {
            let date = Timestamp::from_unix(1_000_000 - ahead);
            let reply = Reply::bare(HttpResponse::new(200, Vec::new()).with_date(date));
            assert_eq!(reply.skew(sent_at).map(|skew| skew.seconds()), told, "{ahead}");
        }
        assert_eq!(Reply::bare(HttpResponse::new(200, Vec::new())).skew(sent_at), None);
    }
}
