//! What the listener sends back. Every answer closes its connection and carries the same guard of headers.

use crate::page::{Page, STYLE_HASH};

/// Where the browser is sent once its answer is taken, so that the code is in no address bar and no history (A25).
pub(super) const CLEAN_PATH: &str = "/done";

/// The answers that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// To a second callback.
    Again,
    /// To an unreadable head, to junk in the query, to a Host twice or never.
    Bad,
    /// The last word: how the sign-in ended.
    Final(Page),
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

impl Answer {
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

    fn parts(&self) -> (&'static str, Option<Page>) {
        match self {
            Self::Again => ("410 Gone", Some(Page::Answered)),
            Self::Bad => ("400 Bad Request", Some(Page::Junk)),
            Self::Final(page @ Page::SignedIn(_)) => ("200 OK", Some(page.clone())),
            Self::Final(page) => ("400 Bad Request", Some(page.clone())),
            Self::Forbidden => ("403 Forbidden", Some(Page::Junk)),
            Self::KeepLooking => ("200 OK", Some(Page::Working)),
            Self::Method => ("405 Method Not Allowed", Some(Page::Junk)),
            Self::NotFound => ("404 Not Found", Some(Page::Junk)),
            Self::SendOn => ("303 See Other", None),
            Self::TooLarge => ("431 Request Header Fields Too Large", Some(Page::Junk)),
            Self::TooLate => ("408 Request Timeout", Some(Page::Junk)),
        }
    }
}
