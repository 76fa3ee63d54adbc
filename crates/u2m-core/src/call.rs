//! One HTTP exchange that a flow waits for: a request lent out, an answer taken in, the next step given back.
//!
//! Flows of this crate implement [`AwaitsResponse`], which is sealed. What another crate asks for is a pair of functions: one makes an
//! [`HttpRequest`], the other reads an [`HttpResponse`].

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

/// Whether a driver may send a call's request a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// As often as the deadline allows: nothing is spent by asking.
    Safe,
    /// Only while it certainly has not reached the server, or what answered says that it was not served (429, 502, 503, 504)
    /// and brings no tokens: a refresh token may be good for one use.
    ///
    /// A gateway that says so may have passed the request on all the same. If it has, the new refresh token is lost with the
    /// server's answer, whether the old one is sent again now or by the next call: there is nothing else to send. Now is
    /// better: servers that expect lost answers give the same one out again for some seconds. If it has not, which is the
    /// usual case, nobody has to be told of a failure.
    IfNotProcessed,
    /// Only while it certainly has not reached the server: an authorization code dies with its first use.
    Unsafe,
}

impl Replay {
    /// Whether the same request may be sent again after what happened to the last one.
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
    /// The same for a driver that insists, as one does that mints tokens for a machine: where nothing is spent by asking, 500 and an
    /// attempt that was not answered in time are reasons to ask again, too.
    pub fn may_follow_insisting(self, last: &Result<HttpResponse, TransportFailure>) -> bool {
        let may_pass = match last {
            Ok(answer) => answer.status() == 500,
            Err(failure) => failure.kind() == TransportFailureKind::TimedOut,
        };
        self.may_follow(last) || (self == Self::Safe && may_pass)
    }
}

/// A state that waits for an answer. Sealed: flows implement it.
pub trait AwaitsResponse: Sized + sealed::Sealed {
    /// The step that follows.
    type Next;
    /// How the flow may end instead.
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

/// A request together with the state that waits for its answer.
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

    /// What to send.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Whether it may be sent again.
    pub fn replay(&self) -> Replay {
        self.replay
    }

    /// Hands in what happened. `sent_at` is the time just before the request went out: lifetimes count from then.
    ///
    /// # Errors
    /// How the flow ends if this answer does not carry it on.
    pub fn answered(
        self,
        outcome: Result<HttpResponse, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<S::Next, S::Error> {
        let reply = outcome.map(|answer| Reply::of(answer, &self.request));
        let reply = reply.map_err(|failure| failure.of(&self.request));
        self.state.accept(reply, sent_at)
    }

    /// The endpoint for which the client is to sign a statement before this is sent
    /// ([`ClientAuth::Assertion`](crate::ClientAuth::Assertion)); `None` where it shows who it is by other means.
    pub fn assertion_audience(&self) -> Option<&Url> {
        let has_place = self.request.form().is_some_and(crate::oauth::client_auth::has_place);
        has_place.then(|| self.request.url())
    }

    /// Puts a statement of the client into the place that the request has for one, and changes nothing where it has none. A statement
    /// lives for minutes, and is good for one use at some servers: it is made when the request is about to be sent.
    pub fn with_client_assertion(mut self, assertion: &ClientAssertion) -> Self {
        if let Some(form) = self.request.form().and_then(|form| assertion.put_into(form)) {
            self.request = self.request.with_form(form);
        }
        self
    }

    pub(crate) fn into_state(self) -> S {
        self.state
    }

    /// What the flow waits for.
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
