//! Signing in with a browser and an authorization code (RFC 6749 section 4.1, RFC 8252).
//!
//! | step | the driver does | then |
//! |---|---|---|
//! | [`Discover`](BeforeCallback::Discover) | fetches the host's metadata (skipped if the endpoints are fixed) | `Listen` |
//! | [`Listen`](BeforeCallback::Listen) | listens on a loopback port | [`Browse`] |
//! | [`Browse`] | shows the URL and waits for the callback | `Exchange`; in a discovery login `ConfirmHost` or `Verify` |
//! | [`Confirm`](AfterCallback::Confirm) | asks the person about a host that is trusted only after confirmation | `Verify` |
//! | [`Verify`](AfterCallback::Verify) | fetches the metadata of the issuer that the callback named | `Exchange` |
//! | [`Exchange`](AfterCallback::Exchange) | redeems the code, once | [`SaveLogin`] |
//! | [`SaveLogin`] | saves the session | [`LoggedIn`] |
//!
//! A driver is two loops, each with an exhaustive match: over [`BeforeCallback`] until there is a [`Browse`], and
//! over [`AfterCallback`] until there is a code to redeem. From then on each step has exactly one successor and
//! nothing may cancel the driver.
//!
//! Discovery comes before listening, so that no port is held while a host does not answer.

mod browse;
mod error;
mod exchange;
mod pasted;
mod stray;

pub use browse::{Browse, Callback, CallbackMatch, ConfirmHost, IgnoredReason, VerifyingIssuer};
pub use error::LoginError;
pub use exchange::{ExchangingCode, LoggedIn, SaveLogin};
pub use stray::UnmatchedCallback;

use crate::call::{AwaitsResponse, HttpCall, TransportFailure, sealed};
use crate::databricks::Host;
use crate::issuer::{IssuerTrust, metadata_url};
use crate::oauth::Scopes;
use crate::oauth::client_auth::ClientAuth;
use crate::oauth::{Entropy, Pkce};
use crate::oauth::{
    ExpectedIssuer, MetadataError, ServerMetadata, WellKnownFound, WellKnownSearch,
};
use crate::reply::Reply;
use crate::secret::CsrfState;
use crate::target::{Target, TargetKind};
use crate::time::{Lifetime, Timestamp};
use url::Url;

/// The id of the public client that Databricks registers for command-line tools. It has no secret.
pub const DATABRICKS_CLI: &str = "databricks-cli";

/// Where a discovery login begins.
pub const DISCOVERY_HOST: &str = "https://login.databricks.com";

/// The settings of a login.
///
/// ```
/// use u2m_core::{BeforeCallback, Entropy, Host, LoginRequest, Target};
/// let target = Target::workspace(Host::parse("https://my-workspace.cloud.databricks.com")?);
/// let step = LoginRequest::new(target).start(Entropy::new([7; 64]));
/// let BeforeCallback::Discover(call) = step else { panic!("workspaces are discovered first") };
/// assert_eq!(call.request().url().path(), "/oidc/.well-known/oauth-authorization-server");
/// # Ok::<(), u2m_core::HostError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoginRequest {
    /// What to sign in to.
    pub target: Target,
    /// The client id. Default: `databricks-cli`; set it for a custom OAuth app.
    pub client_id: String,
    /// How the client authenticates. Default: not at all, because a program on a person's machine cannot keep a
    /// secret.
    pub client_auth: ClientAuth,
    /// The scopes to request. Default: none, which means `all-apis`. For an issuer that is not Databricks', it means only what
    /// `offline_access` adds: `openid` would bring an ID token, which nothing here uses.
    pub scopes: Scopes,
    /// Whether to request a refresh token. Default: yes. If an issuer lists its scopes without `offline_access`, it
    /// is not requested.
    pub offline_access: bool,
    /// Which issuers a discovery login may follow. In any login, hosts trusted by name may also hold endpoints, and may be
    /// named as the issuer in the metadata.
    pub trust: IssuerTrust,
    /// Where a discovery login begins. Default: `https://login.databricks.com`.
    pub discovery_host: Url,
    /// Whether a discovery login goes to the account picker.
    pub to_account: bool,
    /// The assumed lifetime of a token if the server does not state one. Default: 900 seconds.
    pub assumed_lifetime: Lifetime,
    /// Whether the driver supplies the endpoints itself at [`BeforeCallback::Discover`], even for targets whose
    /// endpoints are fixed.
    pub own_endpoints: bool,
}

impl LoginRequest {
    /// Makes a request with defaults for everything except the target.
    ///
    /// ```
    /// use u2m_core::{LoginRequest, ProfileName, Target};
    /// let request = LoginRequest::new(Target::discovery(ProfileName::parse("dev").unwrap()));
    /// assert_eq!(request.client_id, "databricks-cli");
    /// ```
    pub fn new(target: Target) -> Self {
        Self {
            target,
            client_id: DATABRICKS_CLI.to_owned(),
            client_auth: ClientAuth::None,
            scopes: Scopes::default(),
            offline_access: true,
            trust: IssuerTrust::databricks(),
            discovery_host: Url::parse(DISCOVERY_HOST).expect("the constant is a URL"),
            to_account: false,
            assumed_lifetime: Lifetime::from_seconds(900),
            own_endpoints: false,
        }
    }

    /// Starts one attempt. Every attempt needs fresh entropy.
    pub fn start(self, entropy: Entropy) -> BeforeCallback {
        let (pkce, state) = entropy.spend();
        let attempt = LoginAttempt { request: self, pkce, state };
        match attempt.request.target.kind() {
            TargetKind::Discovery => BeforeCallback::Listen(Listen { attempt, server: None }),
            kind => {
                let also = attempt.request.trust.named();
                match endpoints_of(kind, attempt.request.own_endpoints, also) {
                    Endpoints::Fixed(server) => {
                        BeforeCallback::Listen(Listen { attempt, server: Some(server) })
                    }
                    Endpoints::At(url, search) => BeforeCallback::Discover(WellKnownSearch::call(
                        url,
                        DiscoveringForLogin { attempt, search },
                    )),
                }
            }
        }
    }

    /// The `scope` of the request, given what the server lists; if empty, `scope` is left out.
    pub(crate) fn scope(&self, server: Option<&ServerMetadata>) -> String {
        if self.target.issuer_id().is_none() {
            return self.scopes.requested(self.offline_access);
        }
        let listed = server.and_then(|server| server.scopes_supported.as_ref());
        let is_known = listed.is_none_or(Scopes::has_offline_access);
        self.scopes.as_they_are(self.offline_access && is_known)
    }
}

/// What one attempt carries from its first step to its last.
#[derive(Debug)]
pub(crate) struct LoginAttempt {
    pub(crate) request: LoginRequest,
    pub(crate) pkce: Pkce,
    pub(crate) state: CsrfState,
}

/// Where a target's endpoints come from.
pub(crate) enum Endpoints {
    Fixed(ServerMetadata),
    At(Url, WellKnownSearch),
}

/// Where the endpoints of a target with a host come from. Discovery targets must not be passed: they have no host
/// yet. `own` asks for a discovery step even if the endpoints are fixed. The endpoints may also be on the hosts in
/// `also`.
pub(crate) fn endpoints_of(kind: &TargetKind, own: bool, also: &[Host]) -> Endpoints {
    let of_account = ServerMetadata::of_account;
    let (host, server) = match kind {
        TargetKind::Account(host, id) if !own => return Endpoints::Fixed(of_account(host, id)),
        TargetKind::Account(host, id) | TargetKind::Unified(host, id) => {
            (host, of_account(host, id))
        }
        TargetKind::Workspace(host) => (host, ServerMetadata::of_workspace(host)),
        TargetKind::Issuer(host, issuer) => {
            let expected = ExpectedIssuer::exactly(issuer.as_str(), host.clone(), also.to_vec());
            return match WellKnownSearch::of_issuer(issuer, expected) {
                Ok((url, search)) => Endpoints::At(url, search),
                Err(_) => unreachable!("a target has only an issuer that was read"),
            };
        }
        TargetKind::Discovery => unreachable!("a discovery target has no host to ask"),
    };
    match metadata_url(&server.issuer) {
        Ok(url) => {
            let expected = ExpectedIssuer::of_host(server.issuer, host.clone(), also.to_vec());
            Endpoints::At(url, WellKnownSearch::at(expected))
        }
        // A host is a parsed origin, so its issuer always parses. If it ever did not, the fixed layout is right.
        Err(_) => Endpoints::Fixed(server),
    }
}

/// The next step before the browser can be sent off: the authorization request of RFC 6749 section 4.1.1 needs the
/// server's authorization endpoint and a redirect URI.
#[derive(Debug)]
#[must_use]
pub enum BeforeCallback {
    /// Fetch the host's metadata (RFC 8414).
    Discover(HttpCall<DiscoveringForLogin>),
    /// Listen on a loopback port (RFC 8252 section 7.3).
    Listen(Listen),
}

/// The next step after the authorization response (RFC 6749 section 4.1.2): redeem its code, either at once or after
/// checking the issuer that it named.
#[derive(Debug)]
#[must_use]
pub enum AfterCallback {
    /// Ask the person about a host.
    Confirm(ConfirmHost),
    /// Redeem the code: the access token request of RFC 6749 section 4.1.3.
    Exchange(HttpCall<ExchangingCode>),
    /// Fetch the metadata of the issuer that the callback named.
    Verify(HttpCall<VerifyingIssuer>),
}

/// Waits for the host's metadata.
#[derive(Debug)]
pub struct DiscoveringForLogin {
    attempt: LoginAttempt,
    search: WellKnownSearch,
}

impl DiscoveringForLogin {
    /// What is being signed in to.
    pub fn target(&self) -> &Target {
        &self.attempt.request.target
    }
}

impl sealed::Sealed for DiscoveringForLogin {}

impl AwaitsResponse for DiscoveringForLogin {
    type Next = BeforeCallback;
    type Error = LoginError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<BeforeCallback, LoginError> {
        let attempt = self.attempt;
        match self.search.read(outcome).map_err(LoginError::Endpoints)? {
            WellKnownFound::Elsewhere(url, search) => {
                Ok(BeforeCallback::Discover(WellKnownSearch::call(url, Self { attempt, search })))
            }
            WellKnownFound::Server(server) => {
                Ok(BeforeCallback::Listen(Listen { attempt, server: Some(server) }))
            }
        }
    }
}

impl HttpCall<DiscoveringForLogin> {
    /// Takes endpoints that you supply, in place of a response.
    ///
    /// # Errors
    /// Fails with your own error, or if an endpoint is neither on the target's host nor on one that is trusted by
    /// name, or if the endpoints belong to another issuer than the named one.
    pub fn supplied(
        self,
        server: Result<ServerMetadata, MetadataError>,
    ) -> Result<BeforeCallback, LoginError> {
        let attempt = self.into_state().attempt;
        let request = &attempt.request;
        let held = server.and_then(|server| match request.target.host() {
            Some(host) => {
                let issuer = request.target.issuer_id();
                request.trust.supplied(host.clone(), issuer).hold_supplied(server)
            }
            None => Ok(server),
        });
        let server = Some(held.map_err(LoginError::Endpoints)?);
        Ok(BeforeCallback::Listen(Listen { attempt, server }))
    }
}

/// Waits for a loopback port.
#[derive(Debug)]
#[must_use]
pub struct Listen {
    attempt: LoginAttempt,
    server: Option<ServerMetadata>,
}

impl Listen {
    /// Takes the port that the listener holds. The redirect URI becomes `http://localhost:<port>`, the form that
    /// Databricks registers.
    ///
    /// ```
    /// use u2m_core::{AccountId, BeforeCallback, Entropy, Host, LoginRequest, Target};
    /// let host = Host::parse("https://accounts.cloud.databricks.com")?;
    /// let target = Target::account(host, AccountId::parse("abc").unwrap());
    /// let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64])) else {
    ///     unreachable!("an account's endpoints are fixed")
    /// };
    /// assert_eq!(listen.bound(8020).redirect_uri(), "http://localhost:8020");
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn bound(self, port: u16) -> Browse {
        Browse::new(self.attempt, self.server, format!("http://localhost:{port}"))
    }
}

#[cfg(test)]
mod tests;
