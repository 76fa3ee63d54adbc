//! Signing in on another device (RFC 8628): this device shows a code, and the person enters it wherever there is a
//! browser.
//!
//! | step | the driver does | then |
//! |---|---|---|
//! | [`Discover`](BeforeCode::Discover) | fetches the metadata | `Ask` |
//! | [`Ask`](BeforeCode::Ask) | requests the codes | [`ShowCode`] |
//! | [`ShowCode`] | shows them to the person | [`WaitToPoll`] |
//! | [`WaitToPoll`] | lets the time pass | [`Poll`](Waited::Poll), or `WaitToPoll` if that was too early |
//! | [`Poll`](Waited::Poll) | asks whether the person has agreed | [`WaitToPoll`](Polled::Wait), or [`SaveLogin`](Polled::Store) |
//! | [`SaveLogin`](Polled::Store) | saves the session; the flow ends as any login does | |
//!
//! Times are arguments and must come from one clock, which must not be set back during a login.

mod poll;

pub use poll::{Polled, PollingForToken, WaitToPoll, Waited};

use crate::call::{AwaitsResponse, HttpCall, Replay, TransportFailure, sealed};
use crate::databricks::Host;
use crate::login::{Endpoints, LoginError, LoginRequest, endpoints_of};
use crate::oauth::{
    DeviceAuthorizationResponse, MetadataError, ServerMetadata, TOKEN_LIMIT, WellKnownFound,
    WellKnownSearch, device_form,
};
use crate::reply::Reply;
use crate::target::Target;
use crate::text::Sanitized;
use crate::time::{Lifetime, Timestamp};
use std::fmt;
use url::Url;

/// The next step of a device login, until there is a code to show.
#[derive(Debug)]
#[must_use]
pub enum BeforeCode {
    /// Request the codes: the device authorization request of RFC 8628 section 3.1.
    Ask(HttpCall<RequestingDeviceCode>),
    /// Fetch the metadata (RFC 8414).
    Discover(HttpCall<DiscoveringForDevice>),
}

/// What an attempt carries from its first step to its last.
#[derive(Debug)]
pub(crate) struct DeviceAttempt {
    pub(crate) request: LoginRequest,
    pub(crate) host: Host,
    pub(crate) server: ServerMetadata,
}

impl LoginRequest {
    /// Starts a device login. It has neither a `state` nor a code verifier, because no callback comes to this device.
    ///
    /// ```
    /// use u2m_core::{BeforeCode, LoginRequest, Target};
    /// let mut request = LoginRequest::new(Target::issuer("https://id.example")?);
    /// request.client_id = "my-command-line".to_owned();
    /// let Ok(BeforeCode::Discover(call)) = request.start_device() else { panic!("metadata comes first") };
    /// assert_eq!(call.request().url().path(), "/.well-known/oauth-authorization-server");
    /// # Ok::<(), u2m_core::IssuerError>(())
    /// ```
    ///
    /// # Errors
    /// Fails for a discovery login, which has no server to ask.
    pub fn start_device(self) -> Result<BeforeCode, LoginError> {
        let Some(host) = self.target.host().cloned() else {
            return Err(LoginError::NoDeviceLogin);
        };
        // Only the metadata says whether the server offers device logins, even if the other endpoints are fixed.
        match endpoints_of(self.target.kind(), true, self.trust.named()) {
            Endpoints::At(url, search) => {
                let locate = DiscoveringForDevice(Box::new((self, host)), search);
                Ok(BeforeCode::Discover(WellKnownSearch::call(url, locate)))
            }
            Endpoints::Fixed(_) => Err(LoginError::NoDeviceLogin),
        }
    }
}

/// Waits for the metadata.
#[derive(Debug)]
pub struct DiscoveringForDevice(Box<(LoginRequest, Host)>, WellKnownSearch);

impl DiscoveringForDevice {
    /// What is being signed in to.
    pub fn target(&self) -> &Target {
        &self.0.0.target
    }

    fn found(self, server: ServerMetadata) -> Result<BeforeCode, LoginError> {
        let (request, host) = *self.0;
        let endpoint =
            server.device_authorization_endpoint.clone().ok_or(LoginError::NoDeviceLogin)?;
        let form = device_form(&request.client_id, &request.scope(Some(&server)));
        let asks = request.client_auth.request(&request.client_id, endpoint, form);
        let asking = RequestingDeviceCode(Box::new(DeviceAttempt { request, host, server }));
        // Codes that nobody sees spend nothing.
        let asks = asks.with_limit(TOKEN_LIMIT);
        Ok(BeforeCode::Ask(HttpCall::new(asks, Replay::Safe, asking)))
    }
}

impl sealed::Sealed for DiscoveringForDevice {}

impl AwaitsResponse for DiscoveringForDevice {
    type Next = BeforeCode;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<BeforeCode, LoginError> {
        let Self(request, search) = self;
        match search.clone().read(outcome).map_err(LoginError::Endpoints)? {
            WellKnownFound::Elsewhere(url, search) => {
                Ok(BeforeCode::Discover(WellKnownSearch::call(url, Self(request, search))))
            }
            WellKnownFound::Server(server) => Self(request, search).found(server),
        }
    }
}

impl HttpCall<DiscoveringForDevice> {
    /// Takes endpoints that you supply, in place of a response.
    ///
    /// # Errors
    /// Fails with your own error; or if there is no device authorization endpoint; or if an endpoint is neither on
    /// the target's host nor on one that is trusted by name; or if the endpoints belong to another issuer than the
    /// named one.
    pub fn supplied(
        self,
        server: Result<ServerMetadata, MetadataError>,
    ) -> Result<BeforeCode, LoginError> {
        let state = self.into_state();
        let (request, host) = &*state.0;
        let expected = request.trust.supplied(host.clone(), request.target.issuer_id());
        let held = server.and_then(|server| expected.hold_supplied(server));
        state.found(held.map_err(LoginError::Endpoints)?)
    }
}

/// Waits for the codes.
#[derive(Debug)]
pub struct RequestingDeviceCode(Box<DeviceAttempt>);

impl sealed::Sealed for RequestingDeviceCode {}

impl AwaitsResponse for RequestingDeviceCode {
    type Next = ShowCode;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<ShowCode, LoginError> {
        let grant = DeviceAuthorizationResponse::parse(outcome).map_err(LoginError::Device)?;
        Ok(ShowCode { attempt: self.0, grant })
    }
}

/// Waits until the person has been shown the code.
#[must_use]
pub struct ShowCode {
    attempt: Box<DeviceAttempt>,
    grant: DeviceAuthorizationResponse,
}

impl ShowCode {
    /// The host being signed in to. Show it beside the code.
    pub fn host(&self) -> &Host {
        &self.attempt.host
    }

    /// The user code, which the person types.
    pub fn user_code(&self) -> &Sanitized {
        &self.grant.user_code
    }

    /// The verification URI, where the person types the code.
    pub fn verification_uri(&self) -> &Url {
        &self.grant.uri
    }

    /// The verification URI with the code in it, if the server sent one. Show the code anyway, so that the person can
    /// compare (RFC 8628 section 3.3.1).
    pub fn verification_uri_complete(&self) -> Option<&Url> {
        self.grant.uri_complete.as_ref()
    }

    /// How long the code is valid.
    pub fn expires_in(&self) -> Lifetime {
        self.grant.expires_in
    }

    /// The person was shown the code at `now`.
    pub fn shown(self, now: Timestamp) -> WaitToPoll {
        WaitToPoll::begin(self.attempt, self.grant, now)
    }
}

/// Leaves the codes out: whoever sees one of them in a log could use it.
impl fmt::Debug for ShowCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShowCode").field("host", &self.attempt.host).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
