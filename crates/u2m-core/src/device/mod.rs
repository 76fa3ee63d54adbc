//! Signing in on another device (RFC 8628): this one shows a code, the person enters it wherever there is a browser.
//!
//! | step | the driver does | then |
//! |---|---|---|
//! | [`Discover`](BeforeCode::Discover) | fetches the metadata | `Ask` |
//! | [`Ask`](BeforeCode::Ask) | asks for codes | [`ShowCode`] |
//! | [`ShowCode`] | shows them to the person | [`Wait`] |
//! | [`Wait`] | lets the time pass | [`Poll`](Waited::Poll), or `Wait` if that was too early |
//! | [`Poll`](Waited::Poll) | asks whether the person has agreed | [`Wait`](Polled::Wait), or [`Store`](Polled::Store) |
//! | [`Store`](Polled::Store) | saves the session, which is the end as of any login | |
//!
//! Times are handed in and are of one clock, which must not be set back while a login lasts.

mod poll;

pub use poll::{Polled, Polling, Wait, Waited};

use crate::call::{Awaits, HttpCall, Replay, TransportFailure, sealed};
use crate::host::Host;
use crate::login::{Endpoints, LoginError, LoginRequest, endpoints_of};
use crate::reply::Reply;
use crate::target::Target;
use crate::text::Foreign;
use crate::time::{Lifetime, Timestamp};
use crate::wire::{
    AuthorizationServer, DeviceGrant, Found, MetadataError, Search, TOKEN_LIMIT, device_form,
};
use std::fmt;
use url::Url;

/// What the driver of a device login has to do until there is a code to show.
#[derive(Debug)]
#[must_use]
pub enum BeforeCode {
    /// Ask for codes: the device authorization request of RFC 8628 section 3.1.
    Ask(HttpCall<Asking>),
    /// Fetch the metadata (RFC 8414).
    Discover(HttpCall<Locate>),
}

/// What is carried from the first step to the last.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) request: LoginRequest,
    pub(crate) host: Host,
    pub(crate) server: AuthorizationServer,
}

impl LoginRequest {
    /// Begins a device login. It has neither a state nor a verifier, because nothing comes back to this device.
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
    /// A discovery login has no server to ask.
    pub fn start_device(self) -> Result<BeforeCode, LoginError> {
        let Some(host) = self.target.host().cloned() else {
            return Err(LoginError::NoDeviceLogin);
        };
        // Only the metadata says whether there is such a thing, also where the other endpoints are fixed.
        match endpoints_of(self.target.kind(), true, self.trust.named()) {
            Endpoints::At(url, search) => {
                let locate = Locate(Box::new((self, host)), search);
                Ok(BeforeCode::Discover(Search::call(url, locate)))
            }
            Endpoints::Fixed(_) => Err(LoginError::NoDeviceLogin),
        }
    }
}

/// Awaits the metadata.
#[derive(Debug)]
pub struct Locate(Box<(LoginRequest, Host)>, Search);

impl Locate {
    /// What is being signed in to.
    pub fn target(&self) -> &Target {
        &self.0.0.target
    }

    fn found(self, server: AuthorizationServer) -> Result<BeforeCode, LoginError> {
        let (request, host) = *self.0;
        let endpoint =
            server.device_authorization_endpoint.clone().ok_or(LoginError::NoDeviceLogin)?;
        let form = device_form(&request.client_id, &request.scope(Some(&server)));
        let asks = request.client_auth.request(&request.client_id, endpoint, form);
        let asking = Asking(Box::new(Attempt { request, host, server }));
        // Codes that nobody sees spend nothing.
        let asks = asks.with_limit(TOKEN_LIMIT);
        Ok(BeforeCode::Ask(HttpCall::new(asks, Replay::Safe, asking)))
    }
}

impl sealed::Sealed for Locate {}

impl Awaits for Locate {
    type Next = BeforeCode;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<BeforeCode, LoginError> {
        let Self(request, search) = self;
        match search.clone().read(outcome).map_err(LoginError::Endpoints)? {
            Found::Elsewhere(url, search) => {
                Ok(BeforeCode::Discover(Search::call(url, Self(request, search))))
            }
            Found::Server(server) => Self(request, search).found(server),
        }
    }
}

impl HttpCall<Locate> {
    /// Takes endpoints from a supplier of the caller's own instead of an answer.
    ///
    /// # Errors
    /// The supplier's own; or it names no endpoint for devices, or one that is neither on the target's host nor on one that
    /// is trusted by name; or they are another issuer's than the one that a person named.
    pub fn supplied(
        self,
        server: Result<AuthorizationServer, MetadataError>,
    ) -> Result<BeforeCode, LoginError> {
        let state = self.into_state();
        let (request, host) = &*state.0;
        let expected = request.trust.supplied(host.clone(), request.target.issuer_id());
        let held = server.and_then(|server| expected.hold_supplied(server));
        state.found(held.map_err(LoginError::Endpoints)?)
    }
}

/// Awaits the codes.
#[derive(Debug)]
pub struct Asking(Box<Attempt>);

impl sealed::Sealed for Asking {}

impl Awaits for Asking {
    type Next = ShowCode;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<ShowCode, LoginError> {
        let grant = DeviceGrant::parse(outcome).map_err(LoginError::Device)?;
        Ok(ShowCode { attempt: self.0, grant })
    }
}

/// Awaits that the person has been shown the code.
#[must_use]
pub struct ShowCode {
    attempt: Box<Attempt>,
    grant: DeviceGrant,
}

impl ShowCode {
    /// The host that is being signed in to: to be shown beside the code.
    pub fn host(&self) -> &Host {
        &self.attempt.host
    }

    /// What the person types.
    pub fn user_code(&self) -> &Foreign {
        &self.grant.user_code
    }

    /// Where it is typed.
    pub fn verification_uri(&self) -> &Url {
        &self.grant.uri
    }

    /// The same with the code in it, if the server has one. The code is to be shown all the same, so that the person can
    /// compare (RFC 8628 section 3.3.1).
    pub fn verification_uri_complete(&self) -> Option<&Url> {
        self.grant.uri_complete.as_ref()
    }

    /// How long the code is good for.
    pub fn expires_in(&self) -> Lifetime {
        self.grant.expires_in
    }

    /// The person sees it, `now`.
    pub fn shown(self, now: Timestamp) -> Wait {
        Wait::begin(self.attempt, self.grant, now)
    }
}

/// Leaves the codes out: whoever sees one of them in a log could use it.
impl fmt::Debug for ShowCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShowCode").field("host", &self.attempt.host).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
