//! What the listener sends back. Every answer closes its connection and carries the same guard of headers.

use crate::page::{CallbackPage, STYLE_HASH};

/// Where the browser is sent once its answer is taken, so that the code is in no address bar and no history (A25).
pub(super) const CLEAN_PATH: &str = "/done";

/// The answers that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PageResponse {
    /// To a second callback.
    Again,
    /// To an unreadable head, to junk in the query, to a Host twice or never.
    Bad,
    /// The last word: how the sign-in ended.
    Final(CallbackPage),
    /// Another site's host, or a request that is no navigation.
    Forbidden,
    /// The sign-in is being finished; the browser asks again.
    KeepLooking,
    /// Another method than GET.
    Method,
    /// Another path.
    NotFound,
    /// The callback was taken.
    SendOn,
    /// The head did not end in time.
    TooLate,
    /// The head is too large.
    TooLarge,
}

impl PageResponse {
    /// The whole response.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (status, page) = self.parts();
        let body = page.map_or_else(String::new, |page| page.html());
        let more = match self {
            Self::KeepLooking => format!("Refresh: 0; url={CLEAN_PATH}\r\n"),
            Self::Method => "Allow: GET\r\n".to_owned(),
            Self::SendOn => format!("Location: {CLEAN_PATH}\r\n"),
            _ => String::new(),
        };
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n\
             {more}\
             Connection: close\r\n\
             Content-Length: {length}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Cache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             X-Frame-Options: DENY\r\n\
             \r\n\
             {body}"
        )
        .into_bytes()
    }

    fn parts(&self) -> (&'static str, Option<CallbackPage>) {
        match self {
            Self::Again => ("410 Gone", Some(CallbackPage::Answered)),
            Self::Bad => ("400 Bad Request", Some(CallbackPage::Junk)),
            Self::Final(page @ CallbackPage::SignedIn(_)) => ("200 OK", Some(page.clone())),
            Self::Final(page) => ("400 Bad Request", Some(page.clone())),
            Self::Forbidden => ("403 Forbidden", Some(CallbackPage::Junk)),
            Self::KeepLooking => ("200 OK", Some(CallbackPage::Working)),
            Self::Method => ("405 Method Not Allowed", Some(CallbackPage::Junk)),
            Self::NotFound => ("404 Not Found", Some(CallbackPage::Junk)),
            Self::SendOn => ("303 See Other", None),
            Self::TooLarge => ("431 Request Header Fields Too Large", Some(CallbackPage::Junk)),
            Self::TooLate => ("408 Request Timeout", Some(CallbackPage::Junk)),
        }
    }
}
