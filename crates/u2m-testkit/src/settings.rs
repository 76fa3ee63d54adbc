//! How the fake server behaves when nothing goes wrong.

use http::StatusCode;
use serde_json::Value;
use u2m_core::Lifetime;

use crate::{
    client::Client,
    device::Device,
    host::{HostMetadata, WellKnown},
};

/// The behaviour of a fake server: a workspace host with short lives and strict rotation, unless
/// told otherwise.
///
/// ```
/// use u2m_testkit::{Lifetime, Rotation, Settings};
/// let settings = Settings::new()
///     .with_lifetime(Lifetime::from_seconds(60))
///     .with_rotation(Rotation::Off);
/// # let _ = settings;
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) access_token_form: AccessTokenForm,
    pub(crate) account_id: String,
    pub(crate) allowed_scopes: Option<Vec<String>>,
    pub(crate) claims: Vec<(String, Option<Value>)>,
    pub(crate) clients: Vec<Client>,
    pub(crate) clusters: Vec<Value>,
    pub(crate) consent: Consent,
    pub(crate) device: Option<Device>,
    pub(crate) expires_in: ExpiresIn,
    pub(crate) host: HostMetadata,
    pub(crate) iss: Iss,
    pub(crate) lifetime: Lifetime,
    pub(crate) login_destination: Option<String>,
    pub(crate) me_refusal: Option<StatusCode>,
    pub(crate) metadata: Vec<(String, Option<Value>)>,
    pub(crate) personal_tokens: Vec<String>,
    pub(crate) refresh_lifetime: Option<Lifetime>,
    pub(crate) refresh_refusal: (StatusCode, String),
    pub(crate) revocation: bool,
    pub(crate) retry_grace: Lifetime,
    pub(crate) rotate_on: RotateOn,
    pub(crate) rotation: Rotation,
    pub(crate) seed: u64,
    pub(crate) token_mark: String,
    pub(crate) token_type: String,
    pub(crate) tokens_on: Option<String>,
    pub(crate) well_known: WellKnown,
    pub(crate) workspace_id: Option<u64>,
    pub(crate) workspaces: Vec<Value>,
    pub(crate) workspaces_refusal: Option<StatusCode>,
}

/// The shape of access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokenForm {
    /// Looks like a signed JWT of about 1 kB, with `exp` and `scope` among its claims.
    Jwt,
    /// 1024 characters that mean nothing.
    Opaque,
}

/// What the person at the browser does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Allows at once.
    Allow,
    /// Is asked: a page with two buttons, for a human.
    Ask,
    /// Refuses at once; the callback gets this `error` and `error_description`.
    Deny {
        /// Such as `access_denied`.
        error: String,
        /// A sentence for humans.
        description: String,
    },
}

/// How token answers tell their lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// Not at all.
    Absent,
    /// `"expires_in":3600`.
    Number,
    /// This text, as it is, behind `"expires_in":`. It may break the document.
    Raw(String),
    /// `"expires_in":"3600"`.
    Text,
}

/// Whether authorization answers name their issuer (RFC 9207).
///
/// The discovery login's answers always carry `iss`; they are useless without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Iss {
    /// No, and the metadata does not promise it.
    Absent,
    /// They name this one instead, in every flow, as a mixed-up or hostile server would.
    Forged(String),
    /// Yes, and the metadata promises it.
    Present,
}

/// When a delayed request takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotateOn {
    /// At the end of the delay, and only if the client still waits then.
    Answer,
    /// On receipt, before the delay: a client killed while it waits has spent its refresh token.
    Receipt,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing: answers carry no refresh token, the old one stays good.
    Off,
    /// Spends it: answers carry its successor, and using a spent one again revokes the login.
    On,
    /// Spends it: answers carry its successor, and using a spent one again is refused, and does nothing else.
    OnWithoutRevocation,
}

impl Settings {
    /// Tokens for one hour, rotation on, consent without asking, client `databricks-cli`.
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Settings};
    /// let server = FakeServer::new("http://127.0.0.1:8080", Settings::new());
    /// # let _ = server;
    /// ```
    pub fn new() -> Self {
        Self {
            access_token_form: AccessTokenForm::Jwt,
            account_id: "5f1e0a52-0000-4000-8000-00000000acc1".to_owned(),
            allowed_scopes: None,
            claims: Vec::new(),
            clients: vec![Client::public("databricks-cli")],
            clusters: Vec::new(),
            consent: Consent::Allow,
            device: None,
            expires_in: ExpiresIn::Number,
            host: HostMetadata::workspace("900800700600"),
            iss: Iss::Absent,
            lifetime: Lifetime::from_seconds(3600),
            login_destination: None,
            me_refusal: None,
            metadata: Vec::new(),
            personal_tokens: Vec::new(),
            refresh_lifetime: None,
            refresh_refusal: (StatusCode::BAD_REQUEST, "invalid_grant".to_owned()),
            revocation: false,
            retry_grace: Lifetime::ZERO,
            rotate_on: RotateOn::Receipt,
            rotation: Rotation::On,
            seed: 0,
            token_mark: String::new(),
            token_type: "Bearer".to_owned(),
            tokens_on: None,
            well_known: WellKnown::Databricks,
            workspace_id: Some(900_800_700_600),
            workspaces: Vec::new(),
            workspaces_refusal: None,
        }
    }

    /// Sets the shape of access tokens.
    #[must_use]
    pub const fn with_access_token_form(mut self, form: AccessTokenForm) -> Self {
        self.access_token_form = form;
        self
    }

    /// Adds or replaces a claim of JWT access tokens.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), Some(value.into())));
        self
    }

    /// Leaves a claim out of JWT access tokens.
    #[must_use]
    pub fn without_claim(mut self, name: impl Into<String>) -> Self {
        self.claims.push((name.into(), None));
        self
    }

    /// Adds or replaces a member of the metadata of every issuer.
    ///
    /// ```
    /// use u2m_testkit::Settings;
    /// let settings = Settings::new().with_metadata_member("scopes_supported", vec!["all-apis"]);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_metadata_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a member out of the metadata of every issuer: `issuer`, say, as Databricks' own test servers do.
    ///
    /// ```
    /// let settings = u2m_testkit::Settings::new().without_metadata_member("issuer");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn without_metadata_member(mut self, name: &str) -> Self {
        self.metadata.push((name.to_owned(), None));
        self
    }

    /// Registers one more client, or replaces the one with the same id.
    ///
    /// ```
    /// use u2m_testkit::{Client, Settings};
    /// let settings = Settings::new().with_client(
    ///     Client::confidential("web", "s3cret").with_redirect_uri("https://app.example.com/back"),
    /// );
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.clients.retain(|known| known.id() != client.id());
        self.clients.push(client);
        self
    }

    /// Sets what the person at the browser does.
    ///
    /// ```
    /// use u2m_testkit::{Consent, Settings};
    /// let (error, description) = ("access_denied".into(), "not today".into());
    /// let settings = Settings::new().with_consent(Consent::Deny { error, description });
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// Sets how token answers tell their lifetime.
    ///
    /// ```
    /// use u2m_testkit::{ExpiresIn, Settings};
    /// let settings = Settings::new().with_expires_in(ExpiresIn::Raw("3600.5".into()));
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_expires_in(mut self, expires_in: ExpiresIn) -> Self {
        self.expires_in = expires_in;
        self
    }

    /// Sets what `/.well-known/databricks-config` says.
    #[must_use]
    pub fn with_host_metadata(mut self, host: HostMetadata) -> Self {
        self.host = host;
        self
    }

    /// Sets whether authorization answers name their issuer.
    #[must_use]
    pub fn with_iss(mut self, iss: Iss) -> Self {
        self.iss = iss;
        self
    }

    /// Sets how long access tokens live.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sends discovery logins to the server at `base_url`, as the real login page sends people to
    /// the workspace they pick. Without this, the fake server is its own destination.
    #[must_use]
    pub fn with_login_destination(mut self, base_url: impl Into<String>) -> Self {
        self.login_destination = Some(base_url.into());
        self
    }

    /// Publishes the endpoints at which tokens are issued, revoked and asked for by devices below `base_url`, as issuers do
    /// that have them on another host: the same server by another of its names, say. The page for the browser stays.
    ///
    /// ```
    /// use u2m_testkit::{RunningServer, Settings};
    /// let server = RunningServer::start()?;
    /// let elsewhere = server.base_url().replace("127.0.0.1", "localhost");
    /// server.reconfigure(|settings| settings.with_tokens_on(elsewhere));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_tokens_on(mut self, base_url: impl Into<String>) -> Self {
        self.tokens_on = Some(base_url.into());
        self
    }

    /// Sets where introspection says a token belongs: the account, and the workspace unless the
    /// token is the account's. `target=ACCOUNT` on the login page leads to this account too.
    ///
    /// ```
    /// let settings = u2m_testkit::Settings::new().with_principal_in("test-account", Some(12345));
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_principal_in(mut self, account: impl Into<String>, workspace: Option<u64>) -> Self {
        self.account_id = account.into();
        self.workspace_id = workspace;
        self
    }

    /// Lets each refresh token die by itself, this long after it was issued.
    #[must_use]
    pub const fn with_refresh_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.refresh_lifetime = Some(lifetime);
        self
    }

    /// Sets status and `error` of the answer to a refresh token that is no good; the description is
    /// always `Refresh token is invalid`. Real servers send `invalid_grant` or `invalid_request`
    /// with 400 or 401.
    ///
    /// ```
    /// use u2m_testkit::{Settings, http::StatusCode};
    /// let settings =
    ///     Settings::new().with_refresh_refusal(StatusCode::UNAUTHORIZED, "invalid_request");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_refresh_refusal(mut self, status: StatusCode, error: impl Into<String>) -> Self {
        self.refresh_refusal = (status, error.into());
        self
    }

    /// Lets the refresh token before the current one be used once more, for this long after it was
    /// spent. None by default.
    #[must_use]
    pub const fn with_retry_grace(mut self, grace: Lifetime) -> Self {
        self.retry_grace = grace;
        self
    }

    /// Sets when a delayed request takes effect; on receipt by default.
    #[must_use]
    pub const fn with_rotate_on(mut self, rotate_on: RotateOn) -> Self {
        self.rotate_on = rotate_on;
        self
    }

    /// Sets what a refresh does to the refresh token.
    #[must_use]
    pub const fn with_rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// Grants only these scopes, whatever is asked for, and all of them to those who ask for none. Name
    /// `offline_access` too if there are to be refresh tokens.
    ///
    /// ```
    /// let settings = u2m_testkit::Settings::new().with_scopes_limited_to(["offline_access", "jobs"]);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_scopes_limited_to<S: Into<String>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        self.allowed_scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Sets where codes and tokens start; two servers with one address and one seed issue the same
    /// ones. Takes effect when a server is made.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Puts a text into every refresh token, near its beginning and at its end, and at the end of every access token: what
    /// holds a token that the test has not seen yet is known by it.
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Settings, Timestamp};
    /// let settings = Settings::new().with_token_mark("canary");
    /// let mut server = FakeServer::new("http://127.0.0.1:8080", settings);
    /// let now = Timestamp::from_unix(1_800_000_000);
    /// let tokens = server.sign_in("databricks-cli", "offline_access all-apis", now);
    /// assert!(tokens.access_token().ends_with("canary"));
    /// assert!(tokens.refresh_token().is_some_and(|token| token.ends_with("canary")));
    /// ```
    #[must_use]
    pub fn with_token_mark(mut self, mark: impl Into<String>) -> Self {
        self.token_mark = mark.into();
        self
    }

    /// Sets the `token_type` of token answers.
    #[must_use]
    pub fn with_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = token_type.into();
        self
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id() == id)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
