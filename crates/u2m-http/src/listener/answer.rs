//! The responses of the listener. Each one closes its connection and has the same protective headers.

use crate::page::{CallbackPage, STYLE_HASH};

/// Where the browser is redirected after the callback, so that the code is neither in the address
/// bar nor in the history (A25).
pub(super) const CLEAN_PATH: &str = "/done";

/// The possible responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PageResponse {
    /// The callback has already been received.
    Again,
    /// The head is malformed, the query is not the callback, or there is not exactly one Host header.
    Bad,
    /// The last page: how the sign-in ended.
    Final(CallbackPage),
    /// The Host is not this listener, or the request is not a navigation.
    Forbidden,
    /// The sign-in is being completed. The browser asks again.
    KeepLooking,
    /// The method is not GET.
    Method,
    /// The path is unknown.
    NotFound,
    /// The callback was received.
    SendOn,
    /// The head was not complete in time.
    TooLate,
    /// The head is too large.
    TooLarge,
}

impl PageResponse {
    /// Returns the bytes of the whole response.
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
