//! Sends one request, and follows redirects within its origin.

use super::ReqwestTransport;
use super::answer::failure;
use super::gate::BodyGate;
use super::request_path::RequestPath;
use crate::awake::AwakeClock;
use crate::transport::RequestLimits;
use bytes::Bytes;
use reqwest::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::{RequestBuilder, Response};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use u2m_core::{HttpRequest, RedirectPolicy, Sanitized, TransportFailure, TransportFailureKind};
use url::Url;
use zeroize::Zeroizing;

/// How many redirects within its origin a GET follows.
const REDIRECTS: u32 = 3;

impl ReqwestTransport {
    /// Sends a request, and follows redirects within its origin if the request allows them.
    pub(super) async fn followed(
        &self,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        limits: RequestLimits,
    ) -> Result<Response, TransportFailure> {
        let mut url = request.url().clone();
        let mut response = self.once(&url, request, clock, limits).await?;
        let mut followed = 0;
        let follows = request.redirects() == RedirectPolicy::SameOrigin;
        while follows && response.status().is_redirection() && followed < REDIRECTS {
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let Some(next) = next.filter(|next| next.origin() == url.origin()) else { break };
            url = next;
            response = self.once(&url, request, clock, limits).await?;
            followed += 1;
        }
        Ok(response)
    }

    async fn once(
        &self,
        url: &Url,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        limits: RequestLimits,
    ) -> Result<Response, TransportFailure> {
        let way = self.way_of(url, request)?;
        let over = self.over.as_ref().filter(|_| !matches!(way, RequestPath::Metadata));
        let client = match over {
            Some(client) => client.clone(),
            // A form may contain a secret that it spends.
            None => self.client(&way, self.keeps && request.form().is_none())?,
        };
        // The clients of this crate limit the time for connecting themselves. A client of the
        // program may wait for a connection on a blocked runtime.
        let connect = limits.connect.or(over.map(|_| self.connect_timeout));
        let gate = connect.map(|connect| (connect, BodyGate::default()));
        let builder = client.request(method(request), url.clone());
        let builder = with_head(builder, request)?;
        let builder = match over.and(self.user_agent.as_deref()) {
            Some(name) => builder.header(USER_AGENT, name),
            None => builder,
        };
        let body = request.body().filter(|body| !body.is_empty()).map(cleared);
        let sending = match (&gate, body) {
            (Some((_, gate)), body) => builder.body(gate.body(body)).send(),
            (None, Some(body)) => builder.body(body).send(),
            (None, None) => builder.send(),
        };
        let waited = match gate {
            Some((connect, gate)) => wait_at(&gate, connect, sending, clock, limits.end).await?,
            None => clock.wait(limits.end, sending).await,
        };
        let response = waited.ok_or(TransportFailure::new(TransportFailureKind::TimedOut))?;
        let response = response.map_err(|error| match &way {
            RequestPath::Over(proxy) => failure(&error, Some(proxy)),
            _ => failure(&error, None),
        })?;
        match over {
            Some(_) => from_there(response, url, request),
            None => Ok(response),
        }
    }
}

/// Waits for a response, but at most `connect` until a connection has taken the request.
async fn wait_at<T>(
    gate: &BodyGate,
    connect: Duration,
    sending: impl Future<Output = T>,
    clock: &mut AwakeClock,
    end: Duration,
) -> Result<Option<T>, TransportFailure> {
    let mut sending = pin!(sending);
    let taken = poll_fn(|context| match sending.as_mut().poll(context) {
        Poll::Ready(answered) => Poll::Ready(Some(answered)),
        Poll::Pending if gate.is_taken(context) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let until = clock.elapsed().saturating_add(connect).min(end);
    match clock.wait(until, taken).await {
        Some(Some(answered)) => return Ok(Some(answered)),
        None if gate.shut() => {
            let text = "no connection took the request in time";
            return Err(TransportFailure::new(TransportFailureKind::NotSent)
                .because(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        Some(None) | None => {}
    }
    Ok(clock.wait(end, sending).await)
}

fn with_head(
    mut builder: RequestBuilder,
    request: &HttpRequest,
) -> Result<RequestBuilder, TransportFailure> {
    let is_named = |name: &HeaderName| request.headers().any(|(named, _)| named == name);
    if !is_named(&ACCEPT) {
        builder = builder.header(ACCEPT, "application/json");
    }
    if let Some(kind) = request.content_type().filter(|_| !is_named(&CONTENT_TYPE)) {
        builder = builder.header(CONTENT_TYPE, kind);
    }
    if request.body().is_some_and(<[u8]>::is_empty) {
        // The client does not send a length for an empty body, and some servers require one.
        builder = builder.header(CONTENT_LENGTH, 0);
    }
    request.headers().try_fold(builder, |builder, (name, value)| {
        // The value may be a secret, so the error does not contain it.
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            let text = format!("the value for the header {name} cannot be sent");
            TransportFailure::new(TransportFailureKind::NotSent).because(io::Error::other(text))
        })?;
        value.set_sensitive(true);
        Ok(builder.header(name, value))
    })
}

/// Returns the response of the program's own client, if it comes from the requested URL.
fn from_there(
    response: Response,
    url: &Url,
    request: &HttpRequest,
) -> Result<Response, TransportFailure> {
    let from = response.url();
    let is_it = match request.redirects() {
        RedirectPolicy::None => from == url,
        RedirectPolicy::SameOrigin => from.origin() == url.origin(),
    };
    if is_it {
        return Ok(response);
    }
    let from = Sanitized::new(&from.origin().ascii_serialization());
    let text = format!("the program's own client followed a redirect, to {from}");
    Err(TransportFailure::new(TransportFailureKind::Broken).because(io::Error::other(text)))
}

fn method(request: &HttpRequest) -> reqwest::Method {
    let name = request.method().as_str();
    reqwest::Method::from_bytes(name.as_bytes()).expect("names of methods are tokens")
}

/// Copies a body, which may be a secret. The copy is cleared from memory after it was sent.
fn cleared(body: &[u8]) -> Bytes {
    Bytes::from_owner(Zeroizing::new(body.to_vec()))
}
