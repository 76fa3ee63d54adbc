//! One HTTP exchange of a flow: it lends a request, takes the response and returns the next step.
//!
//! The flows of this crate implement [`AwaitsResponse`], which is sealed. Where another crate has requests of its
//! own, it uses a pair of functions: one makes an [`HttpRequest`], the other reads an [`HttpResponse`].

mod answer;
mod failure;
mod request;

pub use answer::HttpResponse;
pub use failure::{TransportFailure, TransportFailureKind};
pub use request::{HttpRequest, Method, RedirectPolicy, Route};

use crate::reply::Reply;
use crate::secret::ClientAssertion;
use crate::time::Timestamp;
use url::Url;

/// Whether a driver may send a request a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// As often as the deadline allows: the request spends nothing.
    Safe,
    /// Only if the request certainly did not reach the server, or the response says that it was not processed (status
    /// 429, 502, 503 or 504) and contains no tokens. This is for refresh tokens, which may be good for one use.
    ///
    /// A gateway that answers with such a status may still have forwarded the request. If it did, the new refresh
    /// token is lost with the server's response, whether the old one is sent again now or by the next call: there is
    /// nothing else to send. Retrying now is better, because servers that expect lost responses return the same token
    /// again for some seconds. If the gateway did not forward it, which is the usual case, the retry avoids an error.
    IfNotProcessed,
    /// Only if the request certainly did not reach the server: an authorization code is good for one use.
    Unsafe,
}

impl Replay {
    /// Returns whether the same request may be sent again after this outcome.
    pub fn may_follow(self, last: &Result<HttpResponse, TransportFailure>) -> bool {
        match last {
            Ok(answer) if !answer.asks_for_patience() => false,
            Ok(answer) => match self {
                Self::Safe => true,
                Self::IfNotProcessed => !crate::oauth::brings_tokens(answer),
                Self::Unsafe => false,
            },
            Err(failure) => match failure.kind() {
                TransportFailureKind::NotSent => true,
                TransportFailureKind::Broken => self == Self::Safe,
                TransportFailureKind::TimedOut | TransportFailureKind::TooLarge => false,
            },
        }
    }
}

impl Replay {
    /// Like [`may_follow`](Self::may_follow), for a driver that retries harder, such as one that mints tokens for a
    /// machine: if asking spends nothing, it also retries after status 500 and after a timeout.
    pub fn may_follow_insisting(self, last: &Result<HttpResponse, TransportFailure>) -> bool {
        let may_pass = match last {
            Ok(answer) => answer.status() == 500,
            Err(failure) => failure.kind() == TransportFailureKind::TimedOut,
        };
        self.may_follow(last) || (self == Self::Safe && may_pass)
    }
}

/// A flow that waits for an HTTP response. Sealed: only this crate implements it.
pub trait AwaitsResponse: Sized + sealed::Sealed {
    /// The next step of the flow.
    type Next;
    /// The error that can end the flow instead.
    type Error;

    #[doc(hidden)]
    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<Self::Next, Self::Error>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A request to send, together with the state of the flow that waits for its response.
#[derive(Debug)]
#[must_use = "the flow goes on only when the request is sent and its answer handed in"]
pub struct HttpCall<S> {
    request: HttpRequest,
    replay: Replay,
    state: S,
}

impl<S: AwaitsResponse> HttpCall<S> {
    pub(crate) fn new(request: HttpRequest, replay: Replay, state: S) -> Self {
        Self { request, replay, state }
    }

    /// The request to send.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Whether the request may be sent again.
    pub fn replay(&self) -> Replay {
        self.replay
    }

    /// Passes in the outcome of the request and returns the next step. `sent_at` is the time just before the request
    /// was sent: token lifetimes count from then.
    ///
    /// # Errors
    /// Fails if this outcome ends the flow; the error says why.
    pub fn answered(
        self,
        outcome: Result<HttpResponse, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<S::Next, S::Error> {
        let reply = outcome.map(|answer| Reply::of(answer, &self.request));
        let reply = reply.map_err(|failure| failure.of(&self.request));
        self.state.accept(reply, sent_at)
    }

    /// The endpoint for which the client must sign an assertion before the request is sent
    /// ([`ClientAuth::Assertion`](crate::ClientAuth::Assertion)); `None` if the client authenticates in another way,
    /// or not at all.
    pub fn assertion_audience(&self) -> Option<&Url> {
        let has_place = self.request.form().is_some_and(crate::oauth::client_auth::has_place);
        has_place.then(|| self.request.url())
    }

    /// Inserts a client assertion into the request if it has a place for one, and does nothing otherwise. Make the
    /// assertion just before sending: it is valid for minutes, and some servers accept each one only once.
    pub fn with_client_assertion(mut self, assertion: &ClientAssertion) -> Self {
        if let Some(form) = self.request.form().and_then(|form| assertion.put_into(form)) {
            self.request = self.request.with_form(form);
        }
        self
    }

    pub(crate) fn into_state(self) -> S {
        self.state
    }

    /// The state of the flow that waits for the response.
    pub fn state(&self) -> &S {
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a49_neither_query_nor_body_shows_in_debug() {
        let url = Url::parse("https://a.example/t?code=canary").unwrap();
        let request = HttpRequest::post_form(url, &[("refresh_token", "canary")])
            .with_header("authorization", "Bearer canary");
        let answer = HttpResponse::new(200, b"canary".to_vec());
        let failure =
            TransportFailure::new(TransportFailureKind::Broken).with_partial(answer.clone());
        assert!(!format!("{request:?} {answer:?} {failure:?} {failure}").contains("canary"));
    }

    #[test]
    fn whoever_insists_asks_again_after_500_and_in_vain_only_where_nothing_is_spent() {
        let in_vain = || Err(TransportFailure::new(TransportFailureKind::TimedOut));
        let broken = || Ok(HttpResponse::new(500, Vec::new()));
        for replay in [Replay::Safe, Replay::IfNotProcessed, Replay::Unsafe] {
            for last in [in_vain(), broken()] {
                assert!(!replay.may_follow(&last));
                assert_eq!(replay.may_follow_insisting(&last), replay == Replay::Safe);
            }
            let busy = Ok(HttpResponse::new(503, Vec::new()));
            assert_eq!(replay.may_follow_insisting(&busy), replay.may_follow(&busy));
            assert!(!replay.may_follow_insisting(&Ok(HttpResponse::new(501, Vec::new()))));
        }
    }

    #[test]
    fn http_1_what_may_be_sent_again_depends_on_what_it_spends() {
        let after = |kind| Err(TransportFailure::new(kind));
        let busy = Ok(HttpResponse::new(503, Vec::new()));
        for (replay, not_sent, broken, on_503) in [
            (Replay::Safe, true, true, true),
            (Replay::IfNotProcessed, true, false, true),
            (Replay::Unsafe, true, false, false),
        ] {
            assert_eq!(replay.may_follow(&after(TransportFailureKind::NotSent)), not_sent);
            assert_eq!(replay.may_follow(&after(TransportFailureKind::Broken)), broken);
            assert!(!replay.may_follow(&after(TransportFailureKind::TimedOut)));
            assert_eq!(replay.may_follow(&busy), on_503);
        }
    }
}
